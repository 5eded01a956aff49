package policy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// ErrIDToken is the cause beside a refusal of what seems to be an ID token, by a
// description of access tokens.
var ErrIDToken = errors.New("this seems to be an ID token, which is for the client that asked for it: send the access token here")

// explainIDToken adds ErrIDToken to a refusal where that is likely to be the reason.
// It changes no verdict.
func (p *Policy) explainIDToken(r *claims.Reader, refused *refusal.Refusal) *refusal.Refusal {
	if p.takesForAccess(r) {
		refused.Err = refusal.With(refused.Err, ErrIDToken)
	}
	return refused
}

// explainDemand does the same to why a demand is not satisfied.
func (p *Policy) explainDemand(r *claims.Reader, err error) error {
	if p.takesForAccess(r) {
		return fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	return err
}

// takesForAccess reports whether what seems to be an ID token is judged as an access
// token.
func (p *Policy) takesForAccess(r *claims.Reader) bool {
	return p.wantsAccessTokens() && seemsIDToken(r)
}

// wantsAccessTokens reports whether the description is of access tokens alone.
func (p *Policy) wantsAccessTokens() bool {
	return !slices.Contains(p.Types, TypeJWT) || slices.ContainsFunc(p.Demands, func(d Demand) bool {
		return len(d.Claim) == 1 && slices.Contains(kindClaims, d.Claim[0]) && !slices.ContainsFunc(d.Values, isIDToken)
	})
}

// kindClaims are where providers say in a token what kind it is: Keycloak, Cognito,
// and Zitadel.
var kindClaims = []string{"typ", "token_use", "token_type"}

// isIDToken reports whether a kind is that of ID tokens.
func isIDToken(kind string) bool { return slices.Contains([]string{"ID", "id", "id_token"}, kind) }

// seemsIDToken reports whether a token says that it is an ID token, or has what only
// one has (OpenID Connect Core 1.0, section 3.3.2.11).
func seemsIDToken(r *claims.Reader) bool {
	for _, name := range kindClaims {
		if kind, err := r.Text(refusal.Type, name); err == nil && isIDToken(kind) {
			return true
		}
	}
	return r.Has("at_hash") || r.Has("c_hash")
}
