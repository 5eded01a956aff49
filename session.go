package oidcauth

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/alarm"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Session is the authority of a connection that outlives a request, a
// WebSocket for instance. It lives exactly as long as
// [Authenticator.Authenticate] would accept its token, and a token presented
// meanwhile prolongs it. It is safe for concurrent use.
//
// A session ends when its token expires (leeway included), when a revocation
// matches, when the issuer withdraws the key that signed the token, when the
// issuer's keys cannot be confirmed any longer, and when the [Authenticator] or
// the session is closed. A session that has ended never lives again.
//
// Rules of [Issuer.Rules] are asked at each [Session.CallContext] and
// [Session.Renew], and a broken one ends the session. A clock that was set is
// noticed there too, and otherwise within ten seconds.
type Session struct {
	auth   *Authenticator
	ctx    context.Context // of nobody; ends with the session
	cancel context.CancelCauseFunc

	// What the current token says and the key it is under, which is another than
	// the claims' once that key's description has changed. They are stored under
	// the lock that guards what follows: that of auth.sessions.
	claims   atomic.Pointer[Claims]
	key      atomic.Pointer[keyset.Key]
	live     bool
	cause    error // once it has ended: why
	links    [dimensions]link
	end      alarm.Alarm[due]
	warnings []*warning
}

// A warning is one call of [Session.OnExpiring].
type warning struct {
	before time.Duration
	call   func()
	alarm  alarm.Alarm[due]
}

// NewSession starts a session for the bearer of a verified token: claims that
// this Authenticator's [Authenticator.Authenticate] or Middleware gave. Any
// other claims give a session that has already ended, and so does a token that
// would no longer be accepted. Close the session when its connection ends.
//
// The session keeps the values of ctx and not its end, because the context of
// an HTTP request ends when its handler returns, even if the handler has taken
// over the connection.
func (a *Authenticator) NewSession(ctx context.Context, claims *Claims) *Session {
	s := &Session{auth: a}
	s.ctx, s.cancel = context.WithCancelCause(NewContext(context.WithoutCancel(ctx), nil))
	s.end.For.session = s
	s.claims.Store(claims)
	if err := a.checkOwn(claims); err != nil {
		s.cause = err
		s.cancel(err)
		return s
	}
	s.key.Store(claims.currentKey())
	a.sessions.add(s, claims)
	// Whatever happened before the session could be found is seen here.
	s.recheck()
	return s
}

// checkOwn refuses claims that Authenticate has not verified.
func (a *Authenticator) checkOwn(c *Claims) error {
	switch {
	case c == nil:
		return refusal.New(refusal.Signature, ErrNoToken, "no claims", "")
	case c.key == nil || !a.owns(c.trust):
		return refusal.New(refusal.Signature, ErrSignature, "claims that this Authenticator has not verified", "those of its Authenticate")
	}
	return nil
}

// owns reports whether a trust is this Authenticator's.
func (a *Authenticator) owns(t *trust) bool {
	if t.strangers != nil {
		return a.anyone != nil && a.anyone.issuers == t.strangers
	}
	return a.trusts[t.URL] == t
}

// Context returns a context that ends with the session; [context.Cause] then
// tells why: the [*Refusal] that Authenticate would give. It acts for nobody, so
// that work done with it needs a caller of its own: see [Session.CallContext].
//
// Do not read from or write to a connection with it whose library breaks the
// connection off when a context ends: the client would not be told why. Close the
// connection when it ends, with [CloseCode], and reading ends with that.
func (s *Session) Context() context.Context { return s.ctx }

// Claims returns the claims of the current token, or of the last one if the
// session has ended. Take them once for each call: the next may give others.
func (s *Session) Claims() *Claims { return s.claims.Load() }

// CallContext returns a context for one call on the connection. It acts for the
// bearer of the token that is current at this moment, and goes on doing so if
// the session is renewed while the call runs. It ends with the session. Of a
// session that has ended, or ought to have by now, it is a context that has
// ended and acts for nobody.
func (s *Session) CallContext() context.Context {
	c := s.recheck()
	if c == nil {
		return s.ctx
	}
	return NewContext(s.ctx, c)
}

// recheck ends the session if its token would not be accepted now. It returns
// the claims that were found good, or nil if the session has ended.
func (s *Session) recheck() *Claims {
	for s.ctx.Err() == nil {
		c, k := s.claims.Load(), s.key.Load()
		cause := s.auth.verdict(c, k, s.auth.now())
		if cause == nil {
			return c
		}
		if s.moveKey(c, k) {
			continue
		}
		s.auth.sessions.stop(s, cause, func(now *Claims, key *keyset.Key) bool { return now == c && key == k })
	}
	return nil
}

// moveKey follows a key whose description changed. It reports whether it did.
func (s *Session) moveKey(c *Claims, from *keyset.Key) bool {
	to := c.nextKey(from)
	if to == nil || to == from {
		return false
	}
	s.auth.sessions.rekey(s, from, to)
	return true
}

// Renew authenticates another token of the same identity and puts the session
// under it: from now on it lives as long as that token would be accepted. The
// claims of both tokens never mix. If the token is refused, or is another
// identity's ([ErrIdentityMismatch]), the session goes on as it was. A session
// that has ended stays ended, and the error is its cause.
func (s *Session) Renew(ctx context.Context, token string) (*Claims, error) {
	if s.recheck() == nil {
		return nil, context.Cause(s.ctx)
	}
	c, err := s.auth.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if was := s.claims.Load(); c.record.Identity != was.record.Identity {
		return nil, refusal.New(refusal.Subject, ErrIdentityMismatch, refusal.Quote(c.record.Identity.String()), refusal.Quote(was.record.Identity.String()))
	}
	if err := s.auth.sessions.replace(s, c, c.currentKey()); err != nil {
		return nil, err
	}
	// What happened between the two is seen here.
	if s.recheck() == nil {
		return nil, context.Cause(s.ctx)
	}
	return c, nil
}

// OnExpiring has f called, in its own goroutine, when the session has no longer
// than before to live unless it is renewed: at once if that is so already, and
// again for each renewal. It is the moment to ask a client for a new token. With
// tokens that live for less than before, a client that renews when asked is asked
// again at once, without end. f is not called once the session has ended,
// whatever ended it.
func (s *Session) OnExpiring(before time.Duration, f func()) {
	w := &warning{before: before}
	w.alarm.For = due{session: s, warning: w}
	w.call = func() {
		if s.ctx.Err() == nil {
			f()
		}
	}
	x := s.auth.sessions
	x.mu.Lock()
	defer x.mu.Unlock()
	if !s.live {
		return
	}
	s.warnings = append(s.warnings, w)
	if c := s.claims.Load(); !c.record.NeverExpires {
		x.alarms.Set(&w.alarm, x.end(c).Add(-before))
	}
}

// Close ends the session; the cause is [ErrClosed] unless it had ended before.
// It may be called more than once.
func (s *Session) Close() {
	s.auth.sessions.stop(s, refusal.New(refusal.Session, ErrClosed, "a session that was closed", ""), nil)
}

// CloseCode returns the status code and the reason with which to close a
// WebSocket (RFC 6455, section 7.4) whose session ended with cause, or whose
// token was refused with it: 3000 (unauthorized), 3003 (forbidden), 1001 (going
// away), 1013 (try again later), and 1011 (internal error) for an error that is
// none of this package's. The reason is a fixed short text without anything of
// the token.
func CloseCode(cause error) (code int, reason string) {
	answer := refusal.Find(cause)
	switch {
	case errors.Is(cause, ErrClosed):
		code = 1001
	case answer.Status == http.StatusServiceUnavailable:
		code = 1013
	case answer.Status == http.StatusForbidden:
		code = 3003
	case answer.Status == http.StatusInternalServerError:
		code = 1011
	default:
		code = 3000
	}
	return code, answer.Description
}
