package spacetime

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/ticket"
	"github.com/oidcauth/oidcauth/localissuer"
)

// spacetimeNameBytes bounds issuers and subjects at SpacetimeDB.
const spacetimeNameBytes = 128

// A caller is who opens a connection.
type caller struct {
	claims *oidcauth.Claims // nil for somebody new
	token  string           // for the first message: what the client is to come back with
	use    func() error     // uses the ticket up; nil if there is none
}

// identify finds out who calls, and neither issues nor uses anything up. Token and
// tokenErr are what the address has.
func (s *Server) identify(r *http.Request, c *Conn, token string, tokenErr error) (caller, error) {
	if _, present := r.Header["Authorization"]; present {
		claims, token, err := s.bearer(r)
		return caller{claims: claims, token: token}, err
	}
	switch {
	case tokenErr == nil:
		return s.holder(r, c, token)
	case errors.Is(tokenErr, oidcauth.ErrNoToken) && s.cfg.Anonymous:
		if _, known := oidcauth.FromContext(r.Context()); known {
			return caller{}, errTaken // who has come with a token is nobody new
		}
		return caller{}, nil
	}
	return caller{}, tokenErr
}

var errTaken = errors.New("the token was taken out of the request before: mount the Server outside of the Authenticator's Middleware and Optional")

// holder is the caller with this ticket in the address.
func (s *Server) holder(r *http.Request, c *Conn, text string) (caller, error) {
	checked, err := ticket.Check(s.cfg.Auth, r, text, c.Database)
	if isNoTicket(err) {
		return s.openly(r, text, err)
	}
	if err != nil {
		return caller{}, err
	}
	claims := checked.Claims.(*oidcauth.Claims)
	if err := s.checkNames(claims.Issuer(), claims.Subject()); err != nil {
		return caller{}, err
	}
	// Clients store the token of the first message for the next visit. A ticket that
	// is used up gets a 401 there; no token at all would make them somebody new.
	who := caller{claims: claims, token: text, use: checked.Use}
	if checked.Token != "" {
		who.token = checked.Token
	} else if own, known := s.tokens.of(claims); known {
		who.token = own
	}
	return who, nil
}

// isNoTicket reports whether a token was refused for being none, and not a ticket
// for the token that it stands for: one of another type, or of another form, as opaque
// ones are.
func isNoTicket(err error) bool {
	refused, ok := errors.AsType[*oidcauth.Refusal](err)
	return ok && (errors.Is(err, oidcauth.ErrTokenType) && refused.Check == "type" ||
		errors.Is(err, oidcauth.ErrMalformedToken) && refused.Check == "form")
}

// openly is the caller with a whole token in the address, where that is permitted.
func (s *Server) openly(r *http.Request, token string, noTicket error) (caller, error) {
	if !s.cfg.InsecureQueryToken {
		const text = "want a ticket, which POST " + exchangePath + " sells for the token"
		return caller{}, &answer{status: http.StatusUnauthorized, code: "invalid_token", text: text,
			headers: map[string]string{"WWW-Authenticate": `Bearer error="invalid_token", error_description="` + text + `"`},
			reason:  fmt.Errorf("%w; %s, or Config.InsecureQueryToken", noTicket, text)}
	}
	claims, err := s.authenticate(r.Context(), token)
	return caller{claims: claims, token: token}, err
}

// bearer authenticates the Authorization header. One that is there and carries
// no bearer token is malformed: it never makes the caller anonymous.
func (s *Server) bearer(r *http.Request) (claims *oidcauth.Claims, token string, err error) {
	_, present := r.Header["Authorization"]
	token, err = oidcauth.BearerToken(r)
	if errors.Is(err, oidcauth.ErrNoToken) && present {
		err = malformed("an Authorization header of another scheme", "Bearer")
	}
	if err != nil {
		return nil, "", err
	}
	claims, err = s.authenticate(r.Context(), token)
	return claims, token, err
}

// authenticate is [oidcauth.Authenticator.Authenticate] for whoever has names that
// SpacetimeDB takes.
func (s *Server) authenticate(ctx context.Context, token string) (*oidcauth.Claims, error) {
	claims, err := s.cfg.Auth.Authenticate(ctx, token)
	if err == nil {
		err = s.checkNames(claims.Issuer(), claims.Subject())
	}
	if err != nil {
		return nil, err
	}
	return claims, nil
}

// checkNames refuses names that are too long.
func (s *Server) checkNames(issuer, subject string) error {
	limit := s.cfg.MaxNameBytes
	switch {
	case limit < 0:
		return nil
	case limit == 0:
		limit = spacetimeNameBytes
	}
	for _, name := range [...]struct{ check, text string }{{"issuer", issuer}, {"subject", subject}} {
		if len(name.text) > limit {
			return &oidcauth.Refusal{Check: name.check, Err: oidcauth.ErrClaim,
				Got: fmt.Sprintf("%d bytes", len(name.text)), Want: fmt.Sprintf("%d at most (spacetime.Config.MaxNameBytes)", limit)}
		}
	}
	return nil
}

// admit asks whether the caller may open the database, and makes good what
// identify has found out: the ticket is used up, and somebody new gets an identity.
func (s *Server) admit(ctx context.Context, c *Conn, who *caller) error {
	if err := s.askProgram(oidcauth.NewContext(ctx, who.claims), c.Database); err != nil {
		return err
	}
	if who.use != nil {
		return who.use()
	}
	var err error
	if who.claims == nil {
		who.token, who.claims, err = s.issue(ctx)
	}
	return err
}

// askProgram asks the program whether a caller may open the database. That its function
// panics, or that its error does when it is looked at, is an error that the log has
// without the value.
func (s *Server) askProgram(ctx context.Context, database string) (err error) {
	if s.cfg.Database == nil {
		return nil
	}
	defer panics.Catch(&err)
	err = s.cfg.Database(ctx, database)
	panics.Try(err)
	return err
}

// issue makes somebody new.
func (s *Server) issue(ctx context.Context) (token string, claims *oidcauth.Claims, err error) {
	token, _, err = s.cfg.Local.Issue(ctx, localissuer.Request{NoExpiry: s.cfg.NoExpiry})
	if err != nil {
		return "", nil, err
	}
	claims, err = s.authenticate(ctx, token)
	switch {
	case unknown(err):
		return "", nil, err
	case errors.Is(err, oidcauth.ErrRevoked):
		return "", nil, fmt.Errorf("%w: %v", errOwnRevoked, err)
	case err != nil:
		// That is the server's fault, not of the caller's token.
		return "", nil, fmt.Errorf("the local issuer's own token is not accepted: %v", err)
	}
	return token, claims, nil
}

// errOwnRevoked is a new token of the local issuer's that is revoked already, with the key
// that signs or with all that is issued until some time. That is over some day, and no fault
// of the callers', who may come again.
var errOwnRevoked = errors.New("what the local issuer issues is revoked: rotate its keys if one of them is, else it ends with the revocation")

// unknown reports whether err says that nobody can tell at present.
func unknown(err error) bool {
	status, _, _ := oidcauth.Answer(err)
	return err != nil && status == http.StatusServiceUnavailable
}
