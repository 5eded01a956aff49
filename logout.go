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

	"github.com/oidcauth/oidcauth/internal/forwarded"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/reply"
	"github.com/oidcauth/oidcauth/internal/revoked"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// LogoutHandler returns a handler for the address that is registered at the
// issuers as back-channel logout URI (OpenID Connect Back-Channel Logout 1.0).
// A logout token of a configured issuer, or of one that [Config.FindIssuer] finds,
// withdraws the tokens of the login session that it names ("sid"), and all tokens so far of
// the subject that it names ("sub"), in the manner of [Authenticator.Revoke]: they are
// refused, and live sessions under them end. A later login of the same subject is not
// affected, unless its tokens do not say when they were issued ("iat"). [Issuer.LogoutBy]
// restricts a logout that names both to the login session.
//
// Refresh tokens that the program keeps are not the handler's: they would get tokens of
// a later time, which count. A program that signs people in puts a handler around this
// one that ends its own logins where the answer is 200; the request's PostForm has
// "logout_token" then.
//
// The logout token's "aud", which is the client ID that the user signed in
// with, must be among [Issuer.LogoutAudiences]. It must have been issued in the
// last ten minutes and have an ID ("jti"), which is good once at this process and,
// with [Config.Revocations], in the cluster, as far as that can be asked; an expiry is
// checked if there is one, and not demanded, because the specification did not do so
// until December 2023. A logout by "sid" alone finds tokens that carry that claim
// themselves, which the access tokens of many issuers do not.
//
// Each logout writes one line to [Config.Logger] with the number of this server's live
// sessions that it ended and, if there were none, the reason.
//
// Of each issuer 65,536 logouts are kept, in some 50 MB, until no token of their
// time can be left: for [Config.MaxTokenLifetime], or for a year without. When more
// come, the oldest are replaced by one rule that refuses what they refused and more:
// every token of the issuer that was issued before the last of them ended. Where so
// many people log out within the life of a token, others' older tokens are refused
// too. So it is beyond 524,288 of all issuers together, with those of the issuer that has
// most, where these are 8,192 or more, and else of each that has 16; where hardly any has,
// 15 of each are kept, however many issuers there are. A [Config.RevocationDir] that is
// full makes it sooner. Set MaxTokenLifetime to what the issuer's tokens live.
//
// The answer is 200 once the logout holds here and is in [Config.Revocations] or,
// so that a restart does not lose it, in [Config.RevocationDir]; where neither is set, once
// it holds in this process, which is the last to know of it. It is 400 with a
// JSON body (section 2.8) for a logout token that is not accepted or was used
// before, and 503 when the issuer's keys cannot be had or the logout is in neither
// of those that are set, so that the issuer tries again.
//
// It panics where [New] did not make the Authenticator.
func (a *Authenticator) LogoutHandler() http.Handler {
	a.mustBeMade()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST is required", http.StatusMethodNotAllowed)
			return
		}
		token, err := a.logoutToken(w, r)
		if err == nil {
			err = a.logOut(a.CallerContext(r), token)
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
		return "", refusal.New(refusal.Logout, ErrMalformedRequest, fmt.Sprintf("%d logout tokens in a body of type %s", len(tokens), refusal.Quote(r.Header.Get("Content-Type"))),
			"one in a form (application/x-www-form-urlencoded)")
	}
	return tokens[0], nil
}

// refuseLogout answers that a logout did not take place.
func (a *Authenticator) refuseLogout(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusal.Find(err)
	if answer.Status < http.StatusInternalServerError {
		answer.Status, answer.Code = http.StatusBadRequest, "invalid_request"
	}
	a.logger.LogAttrs(r.Context(), slog.LevelWarn, "logout refused", append([]slog.Attr{
		slog.Int("status", answer.Status), slog.String("reason", err.Error()),
	}, reply.Attrs(r, forwarded.Caller(r, a.proxies))...)...)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	if answer.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(err))
	}
	w.WriteHeader(answer.Status)
	json.NewEncoder(w).Encode(map[string]string{"error": answer.Name(), "error_description": answer.Description})
}

// A logout is what a verified logout token says, and what has to be done about it.
type logout struct{ *verify.Logout }

// logOut verifies a logout token and does what it says. To revoke comes first:
// it can be repeated when the rest fails, and changes nothing the second time.
func (a *Authenticator) logOut(ctx context.Context, token string) error {
	if err := a.usable(ctx); err != nil {
		return err
	}
	l, err := a.readLogout(ctx, token)
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

// readLogout verifies a logout token, anew where the issuers have changed meanwhile:
// most issuers say it once.
func (a *Authenticator) readLogout(ctx context.Context, token string) (l logout, err error) {
	err = a.anew(func() (err error) {
		l.Logout, err = verify.CheckLogout(ctx, a.env, token, a.now())
		return err
	})
	return l, err
}

// bySubject reports whether the logout is of all that the subject has, by one of the
// issuer's descriptions.
func (l logout) bySubject(t *verify.Trust) bool {
	return l.Subject != "" && (l.SessionID == "" || !t.LogoutBySID)
}

// scope names whose callers the logout is of, by one of the issuer's descriptions.
func (l logout) scope(t *verify.Trust) string { return t.Owner.(*trust).scope(l.Issuer) }

// revocations returns what the logout revokes, all but how long. The times of
// issue that a subject's are compared with are the issuer's, and so is its own:
// the clocks need not agree. Most issuers write whole seconds, so that the second
// of the logout counts as before it.
func (l logout) revocations() []revoked.Revocation {
	var all []revoked.Revocation
	add := func(r revoked.Revocation) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	for _, t := range l.All {
		if l.SessionID != "" {
			add(revoked.Revocation{Issuer: l.scope(t), SessionID: l.SessionID})
		}
		if l.bySubject(t) {
			add(revoked.Revocation{
				Issuer: l.scope(t), Subject: t.Shape.Prefix + l.Subject,
				IssuedBefore: l.IssuedAt.Truncate(time.Second).Add(time.Second),
			})
		}
	}
	return all
}

// revokeLogin makes all that the logout revokes hold here and then everywhere. If
// one of the revocations cannot be shared, the others hold here all the same.
func (a *Authenticator) revokeLogin(ctx context.Context, l logout) error {
	var failed error
	for _, r := range l.revocations() {
		if err := a.shareLogout(ctx, l, r); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// shareLogout shares one of the revocations that a logout is. It returns nil also
// if that is done later, but certainly.
func (a *Authenticator) shareLogout(ctx context.Context, l logout, r revoked.Revocation) error {
	r.Until = a.lastExpiry(l.IssuedAt.Add(verify.MaxLogoutAge))
	if r.IssuedBefore.IsZero() {
		r.EndedAt = l.IssuedAt
	}
	durable, err := a.share(ctx, r.Normal())
	if durable {
		return nil
	}
	return err
}

// useLogout refuses a logout token that was used before. That is what the
// specification wants, and no more than that: the logout itself can be repeated.
// So a mark that cannot be stored refuses nothing.
func (a *Authenticator) useLogout(ctx context.Context, l logout) error {
	// Nothing that may differ from server to server is part of the mark, so that it is
	// the same on all.
	id, until := revoked.UseID(revoked.UseLogoutToken, l.scope(l.Trust), l.TokenID), l.IssuedAt.Add(verify.MaxLogoutAge+2*maxLeeway)
	first := a.logouts.First(id, until, a.now())
	if first {
		var err error
		first, err = a.follower.FirstUse(ctx, id, until)
		if err != nil {
			a.logger.LogAttrs(ctx, slog.LevelWarn, "logout token not marked as used", slog.String("error", err.Error()))
			return nil
		}
	}
	if !first {
		return refusal.New(refusal.Logout, ErrMalformedRequest, "logout token "+refusal.Quote(l.TokenID)+" again", "one that was not used before")
	}
	return nil
}

// liveUnder counts the live sessions that the logout is of.
func (a *Authenticator) liveUnder(l logout) int {
	live := 0
	counted := make(map[*grant]bool)
	for _, r := range l.revocations() {
		for g := range a.candidates(&r) {
			if revokes(&r, g.claims, g.key.Load()) && !counted[g] {
				counted[g] = true
				live += a.sessions.count(g)
			}
		}
	}
	return live
}

// logLogout writes how many sessions a logout has ended, and if that is none, why.
func (a *Authenticator) logLogout(ctx context.Context, l logout, ended int) {
	var names []string
	for _, r := range l.revocations() {
		names = append(names, r.Describe())
	}
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("revocation", strings.Join(names, "; ")), slog.Int("ended", ended)}
	if ended == 0 {
		reason := "no live session of this server matches: matching tokens are refused from now on"
		if !l.bySubject(l.Trust) && l.Trust.Owner.(*trust).sessionIDs.none() {
			level, reason = slog.LevelWarn, l.noSessionIDs()
		}
		attrs = append(attrs, slog.String("reason", reason))
	}
	a.logger.LogAttrs(ctx, level, "logout", attrs...)
}

// noSessionIDs returns what to do where a logout by session ID can end nothing.
func (l logout) noSessionIDs() string {
	text := `no token of this issuer that this server accepted has carried "sid", by which the logout was: have the issuer put it into the tokens that are sent here`
	if l.Subject != "" {
		text += ", or leave LogoutBy empty"
	}
	return text
}
