package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// accessUses are what "token_use" says of an access token: Ory Hydra's word, and that
// of Amazon Cognito.
var accessUses = []string{"access_token", "access"}

// ErrInactive is the cause of the refusal of an opaque token that its issuer does not
// stand by, for whatever reason.
var ErrInactive = errors.New("its issuer does not stand by it")

// CheckActive reads whether the issuer stands by an opaque token (RFC 7662, section
// 2.2). Only true is yes: what is written otherwise is no answer at all.
func CheckActive(members []jws.Member) error {
	m, found := jws.Find(members, "active")
	switch {
	case !found:
		return refusal.New(refusal.Introspection, refusal.ErrAnswerUnavailable, `an answer without "active"`, "true or false")
	case m.Kind != jws.Bool:
		return refusal.New(refusal.Introspection, refusal.ErrAnswerUnavailable, fmt.Sprintf(`"active": %s`, m.Kind), "true or false")
	case m.Value != "true":
		return &refusal.Refusal{Check: refusal.Introspection, Err: refusal.With(refusal.ErrRevoked, ErrInactive),
			Got: `"active": false`, Want: "true, as for a token of this issuer that is neither revoked nor expired"}
	}
	return nil
}

// CheckAnswerIssuer refuses an answer that speaks of another issuer's token.
func (p *Policy) CheckAnswerIssuer(iss string) error {
	if slices.Contains(p.Names, iss) {
		return nil
	}
	return refusal.New(refusal.Introspection, refusal.ErrUnknownIssuer, `"iss" `+refusal.Quote(iss), refusal.OneOf(p.Names)+", or none")
}

// CheckAnswerType keeps out what the issuer stands by for another purpose than access:
// refresh tokens above all, about which many endpoints answer as well.
func CheckAnswerType(r *claims.Reader) error {
	use, err := r.Text(refusal.Type, "token_use")
	if err != nil {
		return err
	}
	typ, err := r.Text(refusal.Type, "token_type")
	switch {
	case err != nil:
		return err
	case r.Has("token_use") && !slices.Contains(accessUses, use):
		return refusal.New(refusal.Type, refusal.ErrTokenType, `"token_use" `+refusal.Quote(use), refusal.OneOf(accessUses))
	case r.Has("token_type") && !strings.EqualFold(typ, "Bearer") && !(strings.EqualFold(typ, "DPoP") && r.Has("cnf")):
		return refusal.New(refusal.Type, refusal.ErrTokenType, `"token_type" `+refusal.Quote(typ), `"Bearer", or "DPoP" where "cnf" says to which key`)
	case r.Has("events"):
		return refusal.New(refusal.Type, refusal.ErrTokenType, `a security event ("events")`, "a token that authenticates")
	}
	return nil
}
