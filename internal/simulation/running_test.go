package simulation_test

import (
	"context"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A runningCall is a call on a session that goes on, also where its end is kept from it.
type runningCall struct {
	ctx, detached context.Context
	t             *token
}

// run keeps a call running.
func (s *liveSession) run(ctx context.Context) {
	const kept = 3
	s.calls = append(s.calls, runningCall{ctx, context.WithoutCancel(ctx), s.t})
	s.calls = s.calls[max(0, len(s.calls)-kept):]
}

// checkCalls expects that the calls that run may go on for as long as their session lives,
// whatever it is renewed with, and their own token is not revoked, and no longer. Where an
// issuer said that the token is good no longer, and again that it is good, or said so to
// somebody else, the calls of before may end although the session goes on.
func (w *world) checkCalls(s *liveSession) {
	cause := context.Cause(s.Context())
	for _, c := range s.calls {
		if (c.ctx.Err() == nil) != (cause == nil) {
			w.fail(s.t, "%s: the context of a call: %v, its session: %v", s.n.name, context.Cause(c.ctx), cause)
		}
		d := only(cause)
		if cause == nil && c.t != s.t {
			d = s.n.dueRevocation(s.n.as(c.t))
		}
		if cause == nil && s.n.toldOfEnd(c.t) {
			d = d.or(only(oidcauth.ErrRevoked))
		}
		for _, ctx := range []context.Context{c.ctx, c.detached} {
			err := oidcauth.Require(ctx)
			if !d.allows(err) {
				w.fail(c.t, "%s: a call that runs: %v, due is %v, its session: %v", s.n.name, err, d, cause)
			}
			if cause == nil && err != nil {
				w.tally["calls refused by their token"]++
			}
		}
		w.tally["looks at running calls"]++
		if cause != nil {
			w.tally["calls refused while they run"]++
		}
	}
}

// A notice is what [oidcauth.Session.OnExpiring] was asked for, and how it was given.
type notice struct {
	before time.Duration
	mu     sync.Mutex // guards what follows
	due    time.Time
	given  int           // how often, since the session was renewed
	early  time.Duration // by how much, at most
}

// expectNotice has the session say when it is about to expire.
func (s *liveSession) expectNotice(before time.Duration) {
	x := &notice{before: before, due: s.ends().Add(-before)}
	s.notice = x
	s.OnExpiring(before, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.given++
		x.early = max(x.early, x.due.Sub(s.n.now()))
	})
}

// ends returns when the session ends by the clock of its server.
func (s *liveSession) ends() time.Time { return s.t.expires.Add(s.n.leeway()) }

// expectAgain expects another notice of a session that was renewed just now, but not at
// once.
func (w *world) expectAgain(s *liveSession) {
	x, now := s.notice, s.n.now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.given, x.due = 0, s.ends().Add(-x.before)
	switch {
	case x.due.After(now.Add(time.Second)):
	case x.due.After(now):
		x.due = now.Add(time.Second)
	default:
		x.due = now.Add(max(s.ends().Sub(now)/2, time.Second))
		w.tally["renewed shortly before the end"]++
	}
}

// checkNotice expects that it is given once for each token, in time and no sooner.
func (w *world) checkNotice(s *liveSession) {
	x := s.notice
	x.mu.Lock()
	defer x.mu.Unlock()
	due := !s.n.now().Before(x.due)
	switch {
	case x.given > 1:
		w.fail(s.t, "%s: a session was told %d times that it expires", s.n.name, x.given)
	case x.early > 0:
		w.fail(s.t, "%s: a session was told %v too early that it expires", s.n.name, x.early)
	case due && x.given == 0 && time.Since(s.n.clockSet) > clockNoticed && time.Since(s.looked) < clockNoticed:
		w.fail(s.t, "%s: nobody told a session that it expires within %v", s.n.name, x.before)
	case x.given == 1:
		w.tally["told that it expires"]++
	}
}
