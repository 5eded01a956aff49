package oidcauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

// logoutBySession is the value of [Issuer.LogoutBy] for one login session.
const logoutBySession = "sid"

func (i *Issuer) checkLogoutBy() error {
	if i.LogoutBy == "" || i.LogoutBy == logoutBySession {
		return nil
	}
	return fmt.Errorf("oidcauth: issuer %q: LogoutBy: got %s, want %q or none", i.URL, refusal.Quote(i.LogoutBy), logoutBySession)
}

// bySubject reports whether the logout is of all that the subject has.
func (l *logout) bySubject() bool {
	return l.subject != "" && (l.sessionID == "" || !l.trust.LogoutBySID)
}

// revocations returns what the logout revokes, all but how long. The times of
// issue that a subject's are compared with are the issuer's, and so is its own:
// the clocks need not agree. Most issuers write whole seconds, so that the second
// of the logout counts as before it.
func (l *logout) revocations() []revoked.Revocation {
	var all []revoked.Revocation
	if l.sessionID != "" {
		all = append(all, revoked.Revocation{Issuer: l.issuer, SessionID: l.sessionID})
	}
	if l.bySubject() {
		all = append(all, revoked.Revocation{
			Issuer: l.issuer, Subject: l.subject,
			IssuedBefore: l.issuedAt.Truncate(time.Second).Add(time.Second),
		})
	}
	return all
}

// revokeLogin makes all that the logout revokes hold here and then everywhere. If
// one of the revocations cannot be shared, the others hold here all the same.
func (a *Authenticator) revokeLogin(ctx context.Context, l *logout) error {
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
func (a *Authenticator) shareLogout(ctx context.Context, l *logout, r revoked.Revocation) error {
	r.Until = a.lastExpiry(l.issuedAt.Add(maxLogoutAge))
	if r.IssuedBefore.IsZero() {
		r.EndedAt = l.issuedAt
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
func (a *Authenticator) useLogout(ctx context.Context, l *logout) error {
	// No server's configuration is part of the mark, so that it is the same on all.
	id, until := revoked.UseID(revoked.UseLogoutToken, l.issuer, l.tokenID), l.issuedAt.Add(maxLogoutAge+2*maxLeeway)
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
		return refusal.New(refusal.Logout, ErrMalformedRequest, "logout token "+refusal.Quote(l.tokenID)+" again", "one that was not used before")
	}
	return nil
}

// liveUnder returns the live sessions that the logout is about to end.
func (a *Authenticator) liveUnder(l *logout) map[*Session]bool {
	live := make(map[*Session]bool)
	for _, r := range l.revocations() {
		for _, s := range a.sessions.candidates(&r) {
			if s.ctx.Err() == nil && revokes(&r, s.claims.Load(), s.key.Load()) {
				live[s] = true
			}
		}
	}
	return live
}

// logLogout writes what a logout has done to the sessions that were live before,
// and if that is nothing, why.
func (a *Authenticator) logLogout(ctx context.Context, l *logout, live map[*Session]bool) {
	ended := 0
	for s := range live {
		if errors.Is(context.Cause(s.ctx), ErrRevoked) {
			ended++
		}
	}
	var names []string
	for _, r := range l.revocations() {
		names = append(names, r.Describe())
	}
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("revocation", strings.Join(names, "; ")), slog.Int("ended", ended)}
	if ended == 0 {
		reason := "no live session matches: matching tokens are refused from now on"
		if !l.bySubject() && l.trust.sessionIDs.none() {
			level, reason = slog.LevelWarn, l.noSessionIDs()
		}
		attrs = append(attrs, slog.String("reason", reason))
	}
	a.logger.LogAttrs(ctx, level, "logout", attrs...)
}

// noSessionIDs words what to do where a logout by session ID can end nothing.
func (l *logout) noSessionIDs() string {
	text := `no token of this issuer has carried "sid", by which the logout was: have the issuer put it into the tokens that are sent here`
	if l.subject != "" {
		text += ", or leave LogoutBy empty"
	}
	return text
}

// A sessionIDs knows whether an issuer's tokens carry session IDs. It is safe for
// concurrent use.
type sessionIDs struct{ with, without atomic.Bool }

// note takes account of a token that was accepted.
func (s *sessionIDs) note(c *Claims) {
	seen := &s.with
	if c.record.SessionID == "" {
		seen = &s.without
	}
	if !seen.Load() {
		seen.Store(true)
	}
}

// none reports whether there were tokens, and none of them with a session ID.
func (s *sessionIDs) none() bool { return s.without.Load() && !s.with.Load() }
