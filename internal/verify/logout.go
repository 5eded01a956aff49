package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// logoutEvent is the member of "events" that makes a logout token one
	// (OpenID Connect Back-Channel Logout 1.0, section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

	// MaxLogoutAge is how old a logout token may be, whatever its expiry. The
	// specification wants it to be recent; issuers try again for some minutes.
	MaxLogoutAge = 10 * time.Minute

	// maxLogoutName bounds what a logout token makes the server remember.
	maxLogoutName = 1024
)

// A Logout is what a verified logout token says: an issuer has ended a login
// session, or all that a subject has.
type Logout struct {
	Trust     *Trust
	All       []*Trust // Trust, and the issuer's other descriptions that it is of: by the same keys, for the same audience
	Issuer    string
	TokenID   string
	SessionID string // may be empty, if Subject is not
	Subject   string // may be empty, if SessionID is not
	IssuedAt  time.Time
}

// A logoutToken is a logout token on its way through the checks.
type logoutToken struct{ Evaluation }

// CheckLogout runs all checks of OpenID Connect Back-Channel Logout 1.0, section
// 2.6, on a logout token. The form is checked by the rules for all tokens first,
// then the claims by their exact names. What takes time for each claim comes after
// the signature.
func CheckLogout(ctx context.Context, env *Env, token string, now time.Time) (*Logout, error) {
	e := new(logoutToken)
	e.Begin(env, token, now)
	e.ofAll = true
	if err := e.checkJWT(ctx); err != nil {
		return nil, err
	}
	if err := e.checkIssuer(ctx); err != nil {
		return nil, err
	}
	err := e.Choose(ctx,
		e.checkSpelling, e.checkType, e.checkExpiry, e.CheckIssuedAt, e.checkAge, e.checkAudience, e.checkEvents)
	if err != nil {
		return nil, err
	}
	return e.read()
}

// checkSpelling refuses claims whose names differ from those of a logout token in
// case: readers that fold it, as encoding/json does, take one for the other, and
// such a token is no issuer's.
func (e *logoutToken) checkSpelling(context.Context) error {
	for _, m := range e.Members {
		for _, name := range []string{"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events", "nonce"} {
			if m.Name != name && strings.EqualFold(m.Name, name) {
				return refusal.New(refusal.Logout, refusal.ErrClaim, refusal.Quote(m.Name), refusal.Quote(name))
			}
		}
	}
	return nil
}

// checkIssuer accepts configured issuers alone.
func (e *logoutToken) checkIssuer(ctx context.Context) error {
	if err := e.CheckIssuer(ctx); err != nil {
		return err
	}
	if e.Trust.Stray != nil {
		return refusal.New(refusal.Issuer, refusal.ErrUnknownIssuer, refusal.Quote(e.Trust.URL), "a configured one")
	}
	return nil
}

// checkType accepts the type of logout tokens, and of tokens whose issuer does
// not tell its tokens apart (section 2.4).
func (e *logoutToken) checkType(context.Context) error {
	if typ := policy.MediaType(e.Token.Type); e.Token.HasType && typ != "logout+jwt" && typ != policy.TypeJWT {
		return refusal.New(refusal.Type, refusal.ErrTokenType, refusal.Quote(e.Token.Type), refusal.OneOf([]string{"logout+jwt", policy.TypeJWT}))
	}
	return nil
}

// checkExpiry checks the expiry, if there is one. Errata set 1 of December 2023
// made it required, and issuers from before it write none; the time of issue and
// the one use of the ID bound such a token as well.
func (e *logoutToken) checkExpiry(ctx context.Context) error {
	if !e.Has("exp") {
		return nil
	}
	return e.CheckExpiry(ctx)
}

func (e *logoutToken) checkAge(context.Context) error {
	issued := e.Record.IssuedAt.Time()
	if issued.IsZero() {
		return refusal.New(refusal.IssuedAt, refusal.ErrClaim, `no "iat"`, "a time of issue")
	}
	if oldest := e.Now.Add(-MaxLogoutAge - e.Trust.Leeway); issued.Before(oldest) {
		return refusal.New(refusal.IssuedAt, refusal.ErrExpired, "a logout token of "+refusal.Time(issued), "not before "+refusal.Time(oldest))
	}
	return nil
}

func (e *logoutToken) checkAudience(context.Context) error {
	if err := e.ReadAudience(); err != nil {
		return err
	}
	if e.isFor(e.Trust) {
		return nil
	}
	return refusal.New(refusal.Audience, refusal.ErrAudience, refusal.QuoteAll(e.Record.AudienceList()), refusal.OneOf(e.Trust.Logout)+": the IDs of the clients that log in (Issuer.LogoutAudiences)")
}

// isFor reports whether the audience is that of a description.
func (e *logoutToken) isFor(t *Trust) bool {
	return len(t.Logout) == 0 && e.Record.Audiences > 0 || slices.ContainsFunc(t.Logout, e.Record.HasAudience)
}

// others returns the descriptions that the token is of as well. It does not say which
// kind of tokens the login gave: all have one type, and one audience.
func (e *logoutToken) others() []*Trust {
	var all []*Trust
	for _, t := range e.descriptions {
		if t != e.Trust && t.Keys == e.Trust.Keys && e.isFor(t) {
			all = append(all, t)
		}
	}
	return all
}

// checkEvents distinguishes a logout token from every other: by the event that it has,
// and by the nonce that it does not have (section 2.4).
func (e *logoutToken) checkEvents(context.Context) error {
	event, found, err := jws.Lookup(e.Record.Payload, "events", logoutEvent)
	if err != nil || !found || event.Kind != jws.Object {
		return refusal.New(refusal.Type, refusal.ErrTokenType, "no logout event", "an object at "+refusal.Quote(logoutEvent)+` in "events"`)
	}
	if e.Has("nonce") {
		return refusal.New(refusal.Type, refusal.ErrTokenType, `a "nonce"`, "a logout token, which has none")
	}
	return nil
}

// read returns what the token says once all checks have passed.
func (e *logoutToken) read() (*Logout, error) {
	l := &Logout{Trust: e.Trust, All: append([]*Trust{e.Trust}, e.others()...), Issuer: e.Record.Issuer, IssuedAt: e.Record.IssuedAt.Time()}
	var err error
	if l.Subject, err = e.LogoutSubject(); err != nil {
		return nil, err
	}
	if len(l.Subject) > claims.MaxSubjectBytes {
		return nil, refusal.New(refusal.Logout, refusal.ErrClaim, fmt.Sprintf("\"sub\" of %d bytes", len(l.Subject)), fmt.Sprintf("at most %d", claims.MaxSubjectBytes))
	}
	for _, claim := range []struct {
		name string
		to   *string
	}{{"jti", &l.TokenID}, {"sid", &l.SessionID}} {
		text, err := e.Text(refusal.Logout, claim.name)
		if err != nil {
			return nil, err
		}
		if len(text) > maxLogoutName {
			return nil, refusal.New(refusal.Logout, refusal.ErrClaim, fmt.Sprintf("%q of %d bytes", claim.name, len(text)), fmt.Sprintf("at most %d", maxLogoutName))
		}
		*claim.to = text
	}
	if l.TokenID == "" {
		return nil, refusal.New(refusal.Logout, refusal.ErrClaim, `no "jti"`, "the token's ID")
	}
	if l.SessionID == "" && l.Subject == "" {
		return nil, refusal.New(refusal.Logout, refusal.ErrClaim, `neither "sid" nor "sub"`, "one of them")
	}
	return l, nil
}
