package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/alarm"
	"github.com/oidcauth/oidcauth/internal/bound"
	"github.com/oidcauth/oidcauth/internal/call"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/verify"
)

// A Session is the authority of a connection that outlives a request, a
// WebSocket for instance. It lives exactly as long as
// [Authenticator.Authenticate] would accept its token, and a token presented
// meanwhile prolongs it. It is safe for concurrent use.
//
// A session ends when its token expires (leeway included), when a revocation
// matches, or revocations are not known that [Config.RequireRevocations] demands, when
// the issuer withdraws the key that signed the token, when the issuer's keys cannot be
// confirmed any longer, when [Authenticator.SetIssuers] or [Config.FindIssuer] describes
// the issuer so that the token would be refused, and when the [Authenticator] or the
// session is closed. That of an opaque token ends when its issuer stands by it no more, or
// has not answered for long: see [Issuer.Introspect]. A session that has ended never lives
// again. One that NewSession did not make, the zero value or nil, has ended with
// [ErrClosed], and has nil claims.
//
// Rules of [Issuer.Rules] are asked at each [Session.CallContext] and
// [Session.Renew], and one that is broken, or panics, ends the session. What
// [Issuer.Supplement] gave is asked for again there once [Issuer.AnswerAge] is over, so
// that calls see no older answer, and an idle session asks nobody, unless its token is
// opaque: whenever that is asked about, so is what it has supplied. A clock that was set is
// noticed there too, and otherwise within ten seconds.
type Session struct {
	// What it takes to end very many comes first, close together in memory.
	grant  atomic.Pointer[grant] // what it lives by, or did at last
	ctx    context.Context       // of nobody; ends with the session
	cancel context.CancelCauseFunc
	place  int32 // among those that live by the grant; its shard's lock guards it

	mu       sync.Mutex // guards the end, each change of grant, and what follows
	warnings *warning   // the last one first

	auth *Authenticator  // this and base never change
	base context.Context // of the values, which never ends
}

// A sessionBase is a session as the context that its own comes from. It has the values
// of the one that the session began in, acts for nobody and never ends.
type sessionBase Session

// Value returns the session for renewableKey, nobody for callerKey, and no session that a
// call is made on.
func (b *sessionBase) Value(key any) any {
	switch key.(type) {
	case renewableKey:
		return (*Session)(b)
	case callerKey:
		return nobody
	case call.SessionKey:
		return nil
	}
	return b.base.Value(key)
}

// Deadline implements [context.Context].
func (*sessionBase) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements [context.Context].
func (*sessionBase) Done() <-chan struct{} { return nil }

// Err implements [context.Context].
func (*sessionBase) Err() error { return nil }

// A startedContext says when a session began that somebody observes: no other has to
// bear the memory.
type startedContext struct {
	context.Context
	at time.Time
}

// observed returns when the session began if anybody observes it.
func (s *Session) observed() (started time.Time, is bool) {
	if c, ok := s.base.(*startedContext); ok {
		return c.at, true
	}
	return time.Time{}, false
}

// A warning is one call of [Session.OnExpiring].
type warning struct {
	session *Session
	before  time.Duration
	due     time.Time // the zero Time is never; the session's lock guards it
	call    func()
	alarm   alarm.Alarm[*warning]
	next    *warning
}

// NewSession starts a session for the bearer of a verified token: claims that
// this Authenticator's [Authenticator.Authenticate] or Middleware gave. Any
// other claims give a session that has already ended, and so does a token that
// would no longer be accepted. Close the session when its connection ends:
// until then, or until its token is good no longer, it is kept.
//
// Not only connections that outlive their request want one: so does an answer that goes
// on for long, such as server-sent events, since Middleware judges a token once.
//
// The session keeps the values of ctx and not its end, because the context of
// an HTTP request ends when its handler returns, even if the handler has taken
// over the connection. Where the token came neither through Middleware nor through
// AuthenticateRequest, in a first message or as a ticket, give it the context of
// [Authenticator.CallerContext], on whose account renewals are then. NewSession waits only
// where the claims are so old that [Config.FindIssuer] has to be asked again, and then no
// longer than ctx permits.
func (a *Authenticator) NewSession(ctx context.Context, claims *Claims) *Session {
	if err := a.misused(ctx); err != nil {
		return endedSession(claims, err)
	}
	s := &Session{auth: a, base: context.WithoutCancel(withoutCaller(ctx))}
	if a.watch.Sessions() {
		s.base = &startedContext{s.base, time.Now()}
	}
	s.ctx, s.cancel = context.WithCancelCause((*sessionBase)(s))
	err := a.checkOwn(claims)
	if err == nil {
		err = claims.answered.refused() // also later, but then somebody might be asked first
	}
	if err == nil {
		_, err = s.liveBy(ctx, claims, nil)
	}
	if err != nil {
		s.grant.Store(&grant{claims: claims})
		s.cancel(err)
	}
	return s
}

// endedSession returns a session that never lived.
func endedSession(claims *Claims, cause error) *Session {
	s := &Session{ctx: endedContext(context.Background(), cause)}
	s.grant.Store(&grant{claims: claims})
	return s
}

// isMade reports whether NewSession made the session.
func (s *Session) isMade() bool { return s != nil && s.ctx != nil }

// neverLived is the cause of the end of a session that NewSession did not make.
func neverLived() error {
	return refusal.New(refusal.Session, ErrClosed, "a Session that was not made by NewSession", "one of NewSession")
}

// checkOwn refuses claims that Authenticate has not verified.
func (a *Authenticator) checkOwn(c *Claims) error {
	switch {
	case c == nil:
		return refusal.New(refusal.Signature, ErrNoToken, "no claims", "those that FromContext gives behind Middleware, or Authenticate's")
	case c.key == nil && c.answered == nil || c.trust.of != a.trusted:
		return refusal.New(refusal.Signature, ErrSignature, "claims that this Authenticator has not verified", "those of its Authenticate")
	case c.record.Confirmation != nil && c.proved() == nil:
		return refusal.New(refusal.Possession, ErrProof, "claims of a bound token without proof", "those of its Authenticate")
	}
	return nil
}

// Context returns a context that ends with the session; [context.Cause] then
// tells why: the [*Refusal] that Authenticate would give. It acts for nobody, so
// that work done with it needs a caller of its own: see [Session.CallContext].
//
// Do not read from or write to a connection with it whose library breaks the
// connection off when a context ends: the client would not be told why. Close the
// connection when it ends, with [CloseCode], and reading ends with that.
func (s *Session) Context() context.Context {
	if !s.isMade() {
		return endedContext(context.Background(), neverLived())
	}
	return s.ctx
}

// Claims returns the claims of the current token, or of the last one if the
// session has ended. Take them once for each call: the next may give others.
func (s *Session) Claims() *Claims {
	if !s.isMade() {
		return nil
	}
	return s.grant.Load().claims
}

// CallContext returns a context for one call on the connection. It acts for the
// bearer of the token that is current at this moment, and goes on doing so, with the
// roles of that token, if the session is renewed while the call runs. So a subscription
// that pushes for long takes another for each push. It ends with the session, and then
// [Require] refuses the call that runs; so it does when the token of the call is
// revoked, though the session lives by another one now. Of a session that has ended, or
// ought to have by now, it is a context that has ended and acts for nobody.
//
// Where [Issuer.Introspect] or [Issuer.Supplement] has to be asked again it waits, for 5
// seconds at most for each. If there is no answer, this one call's context has ended, with
// [ErrAnswerUnavailable], and the session goes on: the next call asks again.
func (s *Session) CallContext() context.Context {
	if !s.isMade() {
		return s.Context()
	}
	c, err := s.newest(s.recheck())
	if err != nil {
		return endedContext(s.ctx, err)
	}
	if c == nil {
		return s.ctx
	}
	return onSession(s.ctx, c)
}

// checkCall implements [renewable].
func (s *Session) checkCall(c *Claims) error {
	if s.grant.Load().claims == c {
		return nil
	}
	now := s.auth.now()
	if why := c.answered.refused(); errors.Is(why, ErrRevoked) && (c.record.NeverExpires || now.Before(endOf(c))) {
		return why // says its issuer, and not because it has expired
	}
	return s.auth.checkRevoked(c, c.currentKey(), now)
}

// recheck ends the session if its token would not be accepted now. It returns
// the claims that were found good, or nil if the session has ended.
func (s *Session) recheck() *Claims {
	for s.ctx.Err() == nil {
		g := s.grant.Load()
		cause := s.auth.judge(g)
		switch {
		case cause == nil:
			return g.claims
		case !s.auth.current(g.claims.trust):
			s.moveTrust(g)
		case cause == error(errChanged):
			// It counts again, as it did before.
		default:
			s.end(cause, g)
		}
	}
	return nil
}

// newest returns the claims of the session's current token by an answer that is
// young enough. Without one it returns nil: with the reason while the session goes
// on, and with none once it has ended.
func (s *Session) newest(c *Claims) (*Claims, error) {
	for c != nil && !c.current(time.Now()) {
		g := s.grant.Load()
		if g.claims == c {
			next, err := s.auth.resupply(s.ctx, c)
			if err == nil {
				_, err = s.liveBy(atOnce, next, g)
			}
			switch {
			case err == nil:
				return s.recheck(), nil // by this answer, however long it took
			case s.ctx.Err() == nil && errors.Is(err, ErrAnswerUnavailable):
				return nil, err
			}
			if err != error(errChanged) {
				s.end(err, g)
			}
		}
		c = s.recheck() // of a token that the session was renewed with, if it lives
	}
	return c, nil
}

// resupply asks again about the token of claims, unless another use of it did so
// already, and judges it as anew.
func (a *Authenticator) resupply(ctx context.Context, c *Claims) (*Claims, error) {
	if kept := a.newerAnswer(c); kept != nil {
		return kept, nil
	}
	if c.answered != nil {
		return a.reask(ctx, c)
	}
	next, err := c.trust.supplement(ctx, c, c.supplied.token.Get())
	if err == nil {
		err = c.trust.checkSupplied(next)
	}
	if err == nil {
		err = a.verdictNow(next)
	}
	if err != nil {
		return nil, err
	}
	if next.seller == nil {
		a.remember(next.supplied.token.Get(), next.having(nil))
	}
	return next, nil
}

// newerAnswer returns the claims that the cache has of the same token, if they are
// by an answer that is young enough, or nil. Claims from a ticket stay such.
func (a *Authenticator) newerAnswer(c *Claims) *Claims {
	if c.seller != nil {
		return nil
	}
	if c.answered != nil {
		return a.newerIntrospection(c)
	}
	if kept := a.remembered(c.supplied.token.Get(), a.now()); kept != nil && kept.trust == c.trust {
		return kept.having(c.proved())
	}
	return nil
}

// newerIntrospection returns the claims that the cache has of an opaque token, if they
// are by a later answer, or nil.
func (a *Authenticator) newerIntrospection(c *Claims) *Claims {
	kept := a.remembered(c.answered.token.Get(), a.now())
	if kept == nil || kept.trust != c.trust || kept.answered == nil || !kept.answered.asked.After(c.answered.asked) {
		return nil
	}
	if kept.record.Identity != c.record.Identity || !kept.record.Confirmation.Equal(c.record.Confirmation) {
		return nil // the next answer says which it is
	}
	return kept.having(c.proved())
}

// reask asks again about the opaque token of claims, and judges the answer as anew. Where
// there is none, the last that was known counts, which may have refused the token.
func (a *Authenticator) reask(ctx context.Context, c *Claims) (*Claims, error) {
	next, err := a.askKnown(ctx, c.answered.token.Get(), c)
	if err != nil && !a.current(c.trust) {
		return nil, errChanged // it may have failed only because the issuer was let go of
	}
	if err != nil {
		return nil, c.askedInVain(err)
	}
	other := next.isCallerOf(c)
	if other == nil {
		next.answered.follows(c.answered)
	}
	if c.seller == nil || a.goodBefore(c.answered.token.Get()) {
		a.remember(c.answered.token.Get(), next) // also if it is another caller's now
	}
	if other != nil {
		c.answered.learn(other)
		return nil, other
	}
	if next, err = a.soldBy(next, c.seller); err != nil {
		return nil, err
	}
	return next.having(c.proved()), nil
}

// askedInVain returns why claims are refused of an opaque token that was asked about again,
// and notes it. Where nobody knows, the last that was known is why.
func (c *Claims) askedInVain(err error) error {
	if why := c.answered.refused(); why != nil && errors.Is(err, ErrAnswerUnavailable) {
		return why
	}
	c.answered.learn(err)
	return err
}

// askKnown evaluates an opaque token that was found good before, here or elsewhere, and
// was a caller's then.
func (a *Authenticator) askKnown(ctx context.Context, token string, was *Claims) (*Claims, error) {
	e := &verify.Evaluation{Known: true}
	e.Begin(a.env, token, a.now())
	if err := e.RunAll(ctx); err != nil {
		a.noLongerGood(e, err)
		return nil, was.toldBy(e, err)
	}
	return e.Whole.(*Claims), nil
}

// askSoon has the issuer asked again about the opaque token that sessions live by, and
// does not wait. Where many are asked about, and answered slowly, that may not come to
// pass before the last moment: then they end.
func (a *Authenticator) askSoon(g *grant) {
	c, end := g.claims, g.again.end()
	if time.Now().Before(end) {
		a.sessions.askLater(g, end) // unless there is an answer
		c.trust.questions.again.Add(func() { a.askAgain(g) })
		return
	}
	err := c.answered.refused()
	if err == nil {
		err = refusal.New(refusal.Introspection, ErrAnswerUnavailable, "an answer of "+refusal.Time(c.answered.asked), "one of the last "+(graceAges*c.answered.age()).String())
	}
	a.sessions.end(g, err)
}

// askAgain asks again about the opaque token that sessions live by.
func (a *Authenticator) askAgain(g *grant) {
	if a.sessions.count(g) == 0 {
		return
	}
	c := g.claims
	next, err := a.resupply(context.Background(), c)
	now, last := time.Now(), g.again.last
	switch {
	case err == error(errChanged), errors.Is(err, ErrAnswerUnavailable) && now.Before(last):
		a.sessions.askLater(g, c.retryAt(now, last))
	case err != nil:
		a.sessions.end(g, err)
	case next.answered.asked.After(c.answered.asked):
		for _, s := range a.sessions.shut(g) {
			s.exchange(g, next)
		}
	default: // by the question of before, whose outcome stands for a moment
		a.sessions.askLater(g, c.retryAt(now, last))
	}
}

// endedContext returns a context of nobody that has ended with the cause.
func endedContext(ctx context.Context, cause error) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	return ctx
}

// judge returns nil if the claims of a grant would be accepted now, and otherwise
// the refusal. It follows a key whose description changed.
func (a *Authenticator) judge(g *grant) error {
	for {
		k := g.key.Load()
		cause := a.verdict(g.claims, k, a.now())
		if cause == nil || !a.sessions.follow(g, k) {
			return cause
		}
	}
}

// liveBy puts the session under claims, unless they would not be accepted now, or
// it lives by another grant than the given one meanwhile. Nil is any. It returns the
// claims as the issuers of now have them. If their issuer has to be looked up again, it
// waits for that until ctx ends.
func (s *Session) liveBy(ctx context.Context, c *Claims, only *grant) (*Claims, error) {
	for {
		done, err := s.tryToLiveBy(c, only)
		if err == error(errChanged) {
			c, err = s.auth.sameCaller(ctx, c, c.currentKey())
		}
		if done || err != nil {
			return c, err
		}
	}
}

// tryToLiveBy is liveBy, and may find that the grant has ended meanwhile. Whatever
// ends grants finds this one before its claims are judged, and the session does
// not enter it once that has happened: so none lives for a moment by claims that
// were revoked.
func (s *Session) tryToLiveBy(c *Claims, only *grant) (done bool, err error) {
	x := s.auth.sessions
	g, err := x.pin(c, s.grant.Load())
	if err != nil {
		return false, err
	}
	defer x.unpin(g)
	if err := s.auth.judge(g); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false, context.Cause(s.ctx)
	}
	was := s.grant.Load()
	if only != nil && was != only {
		return true, nil
	}
	if was == nil { // it begins, and what others were answered since counts
		err = c.answered.refused()
	} else { // it may be another than when the token was judged
		err = bound.CheckContinues(was.claims.record.Confirmation, c.record.Confirmation)
	}
	if err != nil {
		return false, err
	}
	if !x.enter(s, g) {
		return false, nil
	}
	if started, is := s.observed(); is && was == nil {
		s.auth.watch.SessionStarted(c.trust.configuredAs(), started)
	}
	if only == nil || !endsAlike(c, was.claims) {
		now := s.auth.now().Round(0)
		for w := s.warnings; w != nil; w = w.next {
			due := w.dueAgain(c, now)
			if only != nil {
				due = w.dueMeanwhile(c, was.claims, now)
			}
			x.setWarning(w, due)
		}
	}
	return true, nil
}

// endsAlike reports whether two claims are accepted for equally long.
func endsAlike(a, b *Claims) bool {
	return a.record.NeverExpires == b.record.NeverExpires && endOf(a).Equal(endOf(b))
}

// end ends the session, unless it has ended or lives by another grant than the
// given one meanwhile. With nil it ends whatever it lives by. When it returns and
// the session has ended, the context says so.
func (s *Session) end(cause error, only *grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.grant.Load(); s.ctx.Err() == nil && (only == nil || g == only) {
		s.finish(cause)
		s.auth.sessions.leave(s, g)
	}
}

// endUnder ends the session if it lives by a grant, and leaves it among those that
// do. It reports whether that is the grant that it lived by at last.
func (s *Session) endUnder(g *grant, cause error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant.Load() != g {
		return false
	}
	if s.ctx.Err() == nil {
		s.finish(cause)
	}
	return true
}

// finish ends the context and takes back the warnings. The lock must be held. It
// never waits: what a context calls when it ends has a goroutine of its own.
func (s *Session) finish(cause error) {
	if s.auth.dpop != nil {
		s.auth.nonces.Drop(s)
	}
	s.cancel(cause)
	if started, is := s.observed(); is {
		s.auth.watch.SessionEnded(s.Claims().trust.configuredAs(), started, cause)
	}
	for w := s.warnings; w != nil; w = w.next {
		s.auth.sessions.warnings.Unset(&w.alarm)
	}
	s.warnings = nil
}

// Renew authenticates another token of the same identity and puts the session
// under it: from now on it lives as long as that token would be accepted. The
// claims of both tokens never mix. If the token is refused, or is another
// identity's ([ErrIdentityMismatch]), the session goes on as it was. A session
// that has ended stays ended, and the error is its cause.
//
// A session of a token that is bound to a key or a certificate goes on under tokens
// alone that are bound to the same ([ErrProof]). The certificate is that of the
// connection, which was proved when the session began. Possession of the key is
// proved anew, over the nonce of [Session.Nonce], with a proof that ctx has by
// possession.NewContext. That is made for Method and URL of possession.Proof, and
// where both are empty for those that it was proved for last: at first of the request
// that the session began with.
//
// What the token costs ([AnyIssuer]) is on the account of the address that ctx has, and
// where it has none on that of the address that the context of NewSession had.
func (s *Session) Renew(ctx context.Context, token string) (*Claims, error) {
	if !s.isMade() {
		return nil, neverLived()
	}
	if s.recheck() == nil {
		return nil, context.Cause(s.ctx)
	}
	if err := s.auth.misused(ctx); err != nil {
		return nil, err
	}
	ctx = onAccountOf(ctx, s.base)
	decide := func() (*Claims, bool, error) { return s.decide(ctx, token) }
	var c *Claims
	var err error
	if s.auth.watch.Decides() {
		c, err = s.auth.decideWatched(ctx, false, decide)
	} else {
		c, _, err = decide()
	}
	switch {
	case s.ctx.Err() != nil: // meanwhile, with its nonce, for instance
		return nil, context.Cause(s.ctx)
	case err != nil:
		return nil, err
	}
	if c, err = s.liveBy(atOnce, c, nil); err != nil {
		return nil, err
	}
	s.tellRenewed(c)
	return c, nil
}

// tellRenewed tells whoever observes of a token that the session lives by now, if it
// lives.
func (s *Session) tellRenewed(c *Claims) {
	started, is := s.observed()
	if !is {
		return
	}
	s.mu.Lock() // so that its end is told later
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.auth.watch.SessionRenewed(c.trust.configuredAs(), started)
	}
}

// decide authenticates a token for the session, which has to be the same caller's.
func (s *Session) decide(ctx context.Context, token string) (c *Claims, remembered bool, err error) {
	was := s.Claims()
	if c, remembered, err = s.auth.judged(ctx, token); err == nil {
		c, err = s.confirm(ctx, c, was, token)
	}
	if err == nil && c.record.Identity != was.record.Identity {
		err = refusal.New(refusal.Subject, ErrIdentityMismatch, refusal.Quote(c.record.Identity.String()), refusal.Quote(was.record.Identity.String()))
	}
	return c, remembered, err
}

// confirm returns the claims of a token that takes the place of another, once what it
// is bound to is proved: over a nonce of this session, by the key of the other, and
// with the certificate of the connection.
func (s *Session) confirm(ctx context.Context, c, was *Claims, token string) (*Claims, error) {
	if !s.auth.env.Proves.Any() {
		return c, nil
	}
	nonce := s.auth.nonces.Of(s)
	p, err := bound.Renewal(was.record.Confirmation, c.record.Confirmation, presentedIn(ctx, token), nonce)
	if err != nil {
		return nil, err
	}
	next, err := s.auth.confirm(ctx, c, p)
	if err == nil && p.Nonce != "" && !s.auth.nonces.Use(s, nonce) {
		err = refusal.New(refusal.Possession, dpop.ErrUseNonce, "a nonce that was used meanwhile", "the next")
	}
	return next, err
}

// Nonce returns the nonce over which a client proves, once, that it still has the key
// that its token is bound to (RFC 9449, section 9): in the proof that comes with the
// token of the next [Session.Renew]. Send it to the client when it is time to renew,
// and give its proof to Renew with possession.NewContext. It stays the same until a
// proof was good, and is worth nothing elsewhere. A session that has ended has none, and
// none has where [Config.DPoP] is nil.
func (s *Session) Nonce() string {
	if !s.isMade() {
		return ""
	}
	s.mu.Lock() // so that none is given once those of the session are dropped
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || s.auth.dpop == nil {
		return ""
	}
	return s.auth.nonces.Give(s)
}

// OnExpiring has f called, in its own goroutine, when the session has no longer
// than before to live unless it is renewed: at once if that is so already, and
// again for each renewal. It is the moment to ask a client for a new token. A
// renewal after which the session still has no longer than before to live, by the
// same token for instance, or by one that lives for less, has f called when half of
// what is left has passed, and never within a second: a client that gets the same
// token from its cache is asked again in time. f is not called once the session has
// ended, whatever ended it. A nil f is an error of the program's: it panics at once.
// That f itself panics is a line in [Config.Logger], since nobody else would catch it.
func (s *Session) OnExpiring(before time.Duration, f func()) {
	if f == nil {
		panic("oidcauth: OnExpiring: the function is nil")
	}
	if !s.isMade() {
		return
	}
	w := &warning{session: s, before: before}
	w.alarm.For = w
	w.call = func() {
		if s.ctx.Err() == nil {
			s.auth.tellExpiring(f)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return
	}
	w.next, s.warnings = s.warnings, w
	s.auth.sessions.setWarning(w, w.dueUnder(s.Claims()))
}

// tellExpiring calls the program's function. It does so in a goroutine that is not the
// program's, where a panic would end the process: whatever the client did to bring it about.
func (a *Authenticator) tellExpiring(f func()) {
	var err error
	defer func() {
		if err != nil {
			a.logger.LogAttrs(context.Background(), slog.LevelError, "a function of Session.OnExpiring panicked", slog.String("error", err.Error()))
		}
	}()
	defer panics.Catch(&err)
	f()
}

// setWarning sets the alarm of a warning to when it is due. The lock of its session
// must be held.
func (x *sessionIndex) setWarning(w *warning, due time.Time) {
	w.due = due
	if due.IsZero() {
		x.warnings.Unset(&w.alarm)
		return
	}
	x.warnings.Set(&w.alarm, due)
}

// dueUnder returns when a warning is due under claims.
func (w *warning) dueUnder(c *Claims) time.Time {
	if c.record.NeverExpires {
		return time.Time{}
	}
	return endOf(c).Add(-w.before)
}

// dueAgain returns when a warning is due under claims that the session is renewed with.
// Where that is past, or in a moment, it is some time from now, or client and server would
// go on without pause.
func (w *warning) dueAgain(c *Claims, now time.Time) time.Time {
	const pause = time.Second
	due := w.dueUnder(c)
	switch {
	case due.IsZero(), due.After(now.Add(pause)):
		return due
	case due.After(now):
		return now.Add(pause)
	}
	return now.Add(max(endOf(c).Sub(now)/2, pause))
}

// dueMeanwhile returns when a warning is due under claims that took the place of others
// without a renewal: by a newer answer, or another description.
func (w *warning) dueMeanwhile(c, was *Claims, now time.Time) time.Time {
	due, pending := w.dueUnder(c), w.due.After(now)
	switch {
	case w.due.IsZero(), pending && w.due.Equal(w.dueUnder(was)): // nobody was warned
		return due
	case pending && !due.IsZero() && !due.After(now): // some time after a renewal
		return w.due
	}
	return w.dueAgain(c, now)
}

// warn gives a warning that is due. The session may have been renewed since the
// alarm was set.
func (w *warning) warn(now time.Time) {
	s := w.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil && !w.due.IsZero() && !now.Before(w.due) {
		go w.call()
	}
}

// Close ends the session; the cause is [ErrClosed] unless it had ended before.
// It may be called more than once.
func (s *Session) Close() {
	if !s.isMade() {
		return
	}
	s.end(refusal.New(refusal.Session, ErrClosed, "a session that was closed", ""), nil)
}
