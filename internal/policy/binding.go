package policy

import (
	"github.com/oidcauth/oidcauth/internal/claims"
)

// What a description says of tokens that are bound to a key or a certificate. Empty
// means that both kinds are accepted, the bound ones with proof.
const (
	BoundRequired = "require"
	BoundRefused  = "refuse"
)

// Methods are those by which possession is proved to a server.
type Methods struct{ Key, Certificate bool }

// Any reports whether there is one at all.
func (m Methods) Any() bool { return m.Key || m.Certificate }

// CheckBinding reads what the token is bound to. It refuses one that nobody could
// prove here to have every part of, and one that is bound, or is not, against what the
// description says.
func (p *Policy) CheckBinding(r *claims.Reader, able Methods) error {
	if err := r.ReadConfirmation(); err != nil {
		return err
	}
	c := r.Record.Confirmation
	switch {
	case c == nil && p.Bound == BoundRequired:
		return claims.Misbound("a bearer token", `a token bound to a key or a certificate ("cnf"), as Issuer.Bound demands`)
	case c == nil:
		return nil
	case p.Bound == BoundRefused:
		return claims.Misbound(`a token bound to a key or a certificate ("cnf")`, "a bearer token, as Issuer.Bound demands")
	case c.Key != "" && !able.Key:
		return claims.Misbound(`a token bound to a key ("cnf": "jkt")`, "a bearer token: Config.DPoP is not set")
	case c.Certificate != "" && !able.Certificate:
		return claims.Misbound(`a token bound to a certificate ("cnf": "x5t#S256")`, "a bearer token: Config.Certificate is not set")
	}
	return nil
}
