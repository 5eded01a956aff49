package oidcauth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
)

const (

	// logoutEvent is the member of "events" that makes a logout token one
	// (OpenID Connect Back-Channel Logout 1.0, section 2.4).
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

	// maxLogoutAge is how old a logout token may be, whatever its expiry. The
	// specification wants it to be recent; issuers try again for some minutes.
	maxLogoutAge = 10 * time.Minute

	// maxLogoutName bounds what a logout token makes the server remember.
	maxLogoutName = 1024
)

// LogoutHandler returns a handler for the address that is registered at the
// issuers as back-channel logout URI (OpenID Connect Back-Channel Logout 1.0).
// A logout token of a configured issuer withdraws the tokens of the login session
// that it names ("sid"), and all tokens so far of the subject that it names
// ("sub"), in the manner of [Authenticator.Revoke]: they are refused, and live
// sessions under them end. A later login of the same subject is not affected, unless
// its tokens do not say when they were issued ("iat").
// [Issuer.LogoutBy] restricts a logout that names both to the login session.
//
// The logout token's "aud", which is the client ID that the user signed in
// with, must be among [Issuer.LogoutAudiences]. It must have been issued in the
// last ten minutes and have an ID ("jti"), which is good once; an expiry is
// checked if there is one, and not demanded, because the specification did not do
// so until December 2023. A logout by "sid" alone finds tokens that carry that
// claim themselves, which the access tokens of many issuers do not.
//
// Each logout writes one line to [Config.Logger] with the number of live sessions
// that it ended and, if there were none, the reason.
//
// Of each issuer 65,536 logouts are kept, in some 50 MB, until no token of their
// time can be left: for [Config.MaxTokenLifetime], or for a year without. When more
// come, the oldest are replaced by one rule that refuses what they refused and more:
// every token of the issuer that was issued before the last of them ended. Where so
// many people log out within the life of a token, others' older tokens are refused
// too. Set MaxTokenLifetime to what the issuer's tokens live.
//
// The answer is 200 once the logout holds here and is in [Config.Revocations] or,
// so that a restart does not lose it, in [Config.RevocationDir]. It is 400 with a
// JSON body (section 2.8) for a logout token that is not accepted or was used
// before, and 503 when the issuer's keys cannot be had or the logout is in neither,
// so that the issuer tries again.
func (a *Authenticator) LogoutHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST is required", http.StatusMethodNotAllowed)
			return
		}
		token, err := a.logoutToken(w, r)
		if err == nil {
			err = a.logOut(r.Context(), token)
		}
		if err != nil {
			a.refuseLogout(w, r, err)
		}
	})
}

// logoutToken reads the form, from the body alone.
func (a *Authenticator) logoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	const otherFields = 4 << 10
	r.Body = http.MaxBytesReader(w, r.Body, int64(a.maxTokenBytes)+otherFields)
	if err := r.ParseForm(); err != nil {
		return "", refusal.Because(refusal.Logout, ErrMalformedRequest, err)
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 {
		return "", refusal.New(refusal.Logout, ErrMalformedRequest, fmt.Sprintf("%d logout tokens", len(tokens)), "one in a form's body")
	}
	return tokens[0], nil
}

// refuseLogout answers that a logout did not take place.
func (a *Authenticator) refuseLogout(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusal.Find(err)
	if answer.Status < http.StatusInternalServerError {
		answer.Status, answer.Code = http.StatusBadRequest, "invalid_request"
	}
	a.logger.LogAttrs(r.Context(), slog.LevelWarn, "logout refused",
		slog.Int("status", answer.Status), slog.String("reason", err.Error()))
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if answer.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(err))
	}
	w.WriteHeader(answer.Status)
	json.NewEncoder(w).Encode(map[string]string{"error": answer.Name(), "error_description": answer.Description})
}

// A logout is what a verified logout token says.
type logout struct {
	trust     *trust
	issuer    string
	tokenID   string
	sessionID string
	subject   string
	issuedAt  time.Time
}

// logOut verifies a logout token and does what it says. To revoke comes first:
// it can be repeated when the rest fails, and changes nothing the second time.
func (a *Authenticator) logOut(ctx context.Context, token string) error {
	l, err := a.verifyLogout(ctx, token)
	if err != nil {
		return err
	}
	live := a.liveUnder(l)
	if err := a.revokeLogin(ctx, l); err != nil {
		return err
	}
	if err := a.useLogout(ctx, l); err != nil {
		return err
	}
	a.logLogout(ctx, l, live)
	return nil
}

// A logoutToken is a logout token on its way through the checks.
type logoutToken struct {
	verify.Evaluation
	auth *Authenticator
}

// verifyLogout runs all checks of section 2.6. The form is checked by the rules
// for all tokens first, then the claims by their exact names. What takes time for
// each claim comes after the signature.
func (a *Authenticator) verifyLogout(ctx context.Context, token string) (*logout, error) {
	e := &logoutToken{auth: a}
	e.Begin(a.env, token, a.now())
	for _, check := range []func(context.Context) error{
		e.CheckForm, e.checkIssuer, e.CheckAlgorithm, e.CheckKey, e.CheckSignature,
		e.checkSpelling, e.checkType, e.checkExpiry, e.CheckIssuedAt, e.checkAge, e.checkAudience, e.checkEvents,
	} {
		if err := check(ctx); err != nil {
			return nil, err
		}
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
				return refusal.New(refusal.Logout, ErrClaim, refusal.Quote(m.Name), refusal.Quote(name))
			}
		}
	}
	return nil
}

// checkIssuer accepts issuers that are known by name alone.
func (e *logoutToken) checkIssuer(ctx context.Context) error {
	if err := e.CheckIssuer(ctx); err != nil {
		return err
	}
	if !slices.Contains(e.auth.order, e.Trust.Owner.(*trust)) {
		return refusal.New(refusal.Issuer, ErrUnknownIssuer, refusal.Quote(e.Trust.URL), "a configured one")
	}
	return nil
}

// checkType accepts the type of logout tokens, and of tokens whose issuer does
// not tell its tokens apart (section 2.4).
func (e *logoutToken) checkType(context.Context) error {
	if typ := policy.MediaType(e.Token.Type); e.Token.HasType && typ != "logout+jwt" && typ != policy.TypeJWT {
		return refusal.New(refusal.Type, ErrTokenType, refusal.Quote(e.Token.Type), refusal.OneOf([]string{"logout+jwt", policy.TypeJWT}))
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
		return refusal.New(refusal.IssuedAt, ErrClaim, `no "iat"`, "a time of issue")
	}
	if oldest := e.Now.Add(-maxLogoutAge - e.Trust.Leeway); issued.Before(oldest) {
		return refusal.New(refusal.IssuedAt, ErrExpired, "a logout token of "+refusal.Time(issued), "not before "+refusal.Time(oldest))
	}
	return nil
}

func (e *logoutToken) checkAudience(context.Context) error {
	if err := e.ReadAudience(); err != nil {
		return err
	}
	if len(e.Trust.Logout) == 0 && e.Record.Audiences > 0 || slices.ContainsFunc(e.Trust.Logout, e.Record.HasAudience) {
		return nil
	}
	return refusal.New(refusal.Audience, ErrAudience, refusal.QuoteAll(e.Record.AudienceList()), refusal.OneOf(e.Trust.Logout))
}

// checkEvents tells a logout token from every other: by the event that it has,
// and by the nonce that it does not have (section 2.4).
func (e *logoutToken) checkEvents(context.Context) error {
	event, found, err := jws.Lookup(e.Record.Payload, "events", logoutEvent)
	if err != nil || !found || event.Kind != jws.Object {
		return refusal.New(refusal.Type, ErrTokenType, "no logout event", "an object at "+refusal.Quote(logoutEvent)+` in "events"`)
	}
	if e.Has("nonce") {
		return refusal.New(refusal.Type, ErrTokenType, `a "nonce"`, "a logout token, which has none")
	}
	return nil
}

func (e *logoutToken) read() (*logout, error) {
	l := &logout{trust: e.Trust.Owner.(*trust), issuer: e.Record.Issuer, issuedAt: e.Record.IssuedAt.Time()}
	for _, claim := range []struct {
		name string
		to   *string
	}{{"jti", &l.tokenID}, {"sid", &l.sessionID}, {"sub", &l.subject}} {
		text, err := e.Text(refusal.Logout, claim.name)
		if err != nil {
			return nil, err
		}
		if len(text) > maxLogoutName {
			return nil, refusal.New(refusal.Logout, ErrClaim, fmt.Sprintf("%q of %d bytes", claim.name, len(text)), fmt.Sprintf("at most %d", maxLogoutName))
		}
		*claim.to = text
	}
	if l.tokenID == "" {
		return nil, refusal.New(refusal.Logout, ErrClaim, `no "jti"`, "the token's ID")
	}
	if l.sessionID == "" && l.subject == "" {
		return nil, refusal.New(refusal.Logout, ErrClaim, `neither "sid" nor "sub"`, "one of them")
	}
	return l, nil
}
