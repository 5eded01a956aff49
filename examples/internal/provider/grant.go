package provider

import (
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// grant is what somebody has allowed a client: the facts every token of that
// client about that subject is made from.
type grant struct {
	clientID  string
	subject   string
	audience  []string
	scopes    []string
	sessionID string // empty for a service
	authTime  time.Time
}

var (
	_ op.TokenRequest   = (*grant)(nil)
	_ op.IDTokenRequest = (*grant)(nil)
)

func (g *grant) GetSubject() string     { return g.subject }
func (g *grant) GetAudience() []string  { return slices.Clone(g.audience) }
func (g *grant) GetScopes() []string    { return slices.Clone(g.scopes) }
func (g *grant) GetClientID() string    { return g.clientID }
func (g *grant) GetAuthTime() time.Time { return g.authTime }

// GetAMR names the methods of RFC 8176 by which the subject was authenticated.
func (g *grant) GetAMR() []string {
	if g.sessionID == "" {
		return nil
	}
	return []string{"pwd"}
}

// authRequest is one run of the authorization code flow. It is never changed:
// a login replaces it by a copy.
type authRequest struct {
	grant
	id      string
	asked   *oidc.AuthRequest
	expires time.Time
}

var _ op.AuthRequest = (*authRequest)(nil)

func (r *authRequest) GetID() string                      { return r.id }
func (r *authRequest) GetACR() string                     { return "" }
func (r *authRequest) GetNonce() string                   { return r.asked.Nonce }
func (r *authRequest) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r *authRequest) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r *authRequest) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r *authRequest) GetState() string                   { return r.asked.State }

// Done reports whether somebody has signed in for this request.
func (r *authRequest) Done() bool { return r.sessionID != "" }

func (r *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	if r.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}

// signedIn returns the request as it stands after a login.
func (r *authRequest) signedIn(session *loginSession) *authRequest {
	done := *r
	done.subject = session.user.Subject
	done.sessionID = session.id
	done.authTime = session.since
	return &done
}

// refreshRequest is a grant about to be used again.
type refreshRequest struct{ grant }

var _ op.RefreshTokenRequest = (*refreshRequest)(nil)

// SetCurrentScopes narrows the scopes of the tokens to be issued.
func (r *refreshRequest) SetCurrentScopes(scopes []string) { r.scopes = slices.Clone(scopes) }
