package simulation_test

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
)

// clockNoticed is how soon a clock that was set is noticed.
const clockNoticed = 11 * time.Second

// A liveSession is a session, and the token that it lives under.
type liveSession struct {
	*oidcauth.Session
	n       *node
	process int
	t       *token
	sub     string // whose it is, for as long as it lives
	given   string // the nonce that it has given, and that nobody has used
	used    string // the one before
	last    due    // at the last look
	looked  time.Time
	calls   []runningCall
	notice  *notice
}

// begin begins a session for a token that was accepted just now.
func (w *world) begin(n *node, t *token, claims *oidcauth.Claims) {
	sub := claims.Subject()
	t = t.hold(sub)
	before := n.due(t)
	s := n.auth.NewSession(w.t.Context(), claims)
	synctest.Wait()
	d := before.or(n.due(t))
	cause := context.Cause(s.Context())
	t.note(w, "%s: a session begins: %s, due %v", n.name, kind(cause), d)
	if !d.allows(cause) {
		w.fail(t, "%s: a new session ended with %v, due is %v\n%s", n.name, cause, d, n.explain(t))
	}
	w.tally["sessions"]++
	if cause == nil {
		live := &liveSession{Session: s, n: n, process: n.process, t: t, sub: sub, looked: time.Now()}
		live.last = live.due()
		live.expectNotice([...]time.Duration{time.Second, 20 * time.Second, 5 * time.Minute, 3 * time.Hour}[w.beside.IntN(4)])
		w.sessions = append(w.sessions, live)
	}
}

// due is what a session lives by: what its token has to be answered with, as the same
// caller's.
func (s *liveSession) due() due {
	if s.t.opaque != nil {
		return s.n.dueSessionOf(s.t)
	}
	d := s.n.dueRuled(s.t, s.n.dueAlone(s.t))
	if s.n.as(s.t).sub != s.sub {
		d = d.without(nil).or(only(oidcauth.ErrIdentityMismatch))
	}
	if last, good := s.n.answers(s.t); last != good && s.t.supplied() {
		d = d.or(only(oidcauth.ErrRevoked))
	}
	return d
}

// dueCall is what a call on it has to act for.
func (s *liveSession) dueCall() due {
	if s.t.opaque != nil {
		return s.n.dueCallOf(s.t)
	}
	d := s.due()
	if s.t.supplied() {
		if _, good := s.n.answers(s.t); !s.n.young(good) {
			d = d.without(nil)
		}
		d = d.or(noAnswer)
	}
	return d
}

// checkSessions expects that each session lives as long as its token is good.
func (w *world) checkSessions() {
	synctest.Wait()
	kept := w.sessions[:0]
	for _, s := range w.sessions {
		s.n.seen()
		d := s.due()
		cause := context.Cause(s.Context())
		w.tally["looks at sessions"]++
		w.checkCalls(s)
		if sub := s.Claims().Subject(); sub != s.sub {
			w.fail(s.t, "%s: a session of %q has become one of %q", s.n.name, s.sub, sub)
		}
		switch {
		case cause == nil && !d.accepts() && !s.hesitates(d):
			w.fail(s.t, "%s: a session lives, due is %v\n%s", s.n.name, d, s.n.explain(s.t))
		case cause != nil && !s.last.or(d).allows(cause) && !s.excused(cause):
			w.fail(s.t, "%s: a session ended with %v, due is %v\n%s", s.n.name, cause, d, s.n.explain(s.t))
		case cause != nil:
			w.tally["session ended: "+kind(cause)]++
			s.t.note(w, "%s: its session ended with %s", s.n.name, kind(cause))
			continue
		}
		w.checkNotice(s)
		s.last, s.looked = d, time.Now()
		kept = append(kept, s)
	}
	w.sessions = kept
}

// hesitates reports whether the session need not have ended yet. A clock that was set
// is noticed a little later. One that was set back, to before a token begins, ends the
// session of that token at its next call: by itself it would begin again. So does a rule.
func (s *liveSession) hesitates(d due) bool {
	asleep := (d.allows(oidcauth.ErrNotYetValid) || !s.n.dueRule(s.n.as(s.t)).accepts()) && s.n.dueRevocation(s.n.as(s.t)).accepts()
	return asleep || time.Since(s.n.clockSet) < clockNoticed
}

// excused reports whether what ended a session was true at some time since it was last
// looked at: keys, the clock or the log have changed since, and perhaps back.
func (s *liveSession) excused(cause error) bool {
	s.n.mu.Lock()
	keys := s.n.viewsChanged[s.t.p]
	if s.t.p != nil && s.t.p.scoped() {
		first := s.t.p.named()
		keys = latest(s.n.viewsChanged[first], s.n.viewsChanged[first.other])
	}
	s.n.mu.Unlock()
	logged := time.Time{}
	if s.n.link != nil {
		s.n.link.mu.Lock()
		logged = latest(s.n.link.since, s.n.link.changed)
		s.n.link.mu.Unlock()
	}
	switch {
	case s.n.dueContent(s.t).allows(cause), s.n.dueRevocation(s.n.as(s.t)).allows(cause): // whatever else is true of it by now
		return true
	case errors.Is(cause, oidcauth.ErrUnknownKey), errors.Is(cause, oidcauth.ErrSignature), errors.Is(cause, oidcauth.ErrKeysUnavailable):
		// Nobody waits, when issuers change, for the table to say whose it is now.
		return !keys.Before(s.looked) || s.n.w.plan.found && !s.n.retrust.Before(s.looked)
	case errors.Is(cause, oidcauth.ErrRevocationsUnavailable):
		return s.n.w.plan.requireAll && (!logged.Before(s.looked) || !s.n.clockSet.Before(s.looked))
	case errors.Is(cause, oidcauth.ErrExpired), errors.Is(cause, oidcauth.ErrNotYetValid), errors.Is(cause, oidcauth.ErrIssuedInFuture):
		return !s.n.clockSet.Before(s.looked.Add(-clockNoticed))
	case errors.Is(cause, oidcauth.ErrIdentityMismatch):
		return !s.n.retrust.Before(s.looked) && s.t.also != ""
	case errors.Is(cause, oidcauth.ErrUnknownIssuer), errors.Is(cause, oidcauth.ErrAudience):
		return !s.n.retrust.Before(s.looked) || s.t.p.kind == found
	}
	return false
}

// useSession makes a call on a session, renews it or ends it.
func (w *world) useSession() {
	if len(w.sessions) == 0 {
		return
	}
	s := pick(w.random, w.sessions)
	if w.chance(2) {
		s = pick(w.random, w.bound())
	}
	switch w.random.IntN(6) {
	case 0:
		s.Close()
		if cause := context.Cause(s.Context()); cause == nil {
			w.fail(s.t, "a session that was closed lives")
		}
		w.checkCalls(s)
		w.forgetSession(s)
	case 1, 2, 3:
		w.renew(s)
	default:
		before := s.dueCall()
		ctx := s.CallContext()
		synctest.Wait()
		d := before.or(s.dueCall())
		c, acts := oidcauth.FromContext(ctx)
		if acts {
			s.run(ctx)
		}
		if acts && s.t.supplied() {
			w.checkSupplied(s.n, s.t, c)
		}
		if acts && !d.accepts() {
			w.fail(s.t, "%s: a call acts for a token, due is %v\n%s", s.n.name, d, s.n.explain(s.t))
		} else if !acts && d.must() && context.Cause(s.Context()) == nil {
			w.fail(s.t, "%s: a call acts for nobody: %v, due is %v\n%s", s.n.name, context.Cause(ctx), d, s.n.explain(s.t))
		}
	}
}

// bound returns the sessions that are bound to keys, or else all.
func (w *world) bound() []*liveSession {
	var list []*liveSession
	for _, s := range w.sessions {
		if s.t.prover != nil {
			list = append(list, s)
		}
	}
	if len(list) == 0 {
		return w.sessions
	}
	return list
}

func (w *world) forgetSession(s *liveSession) {
	kept := w.sessions[:0]
	for _, o := range w.sessions {
		if o != s {
			kept = append(kept, o)
		}
	}
	w.sessions = kept
}

// dropSessions forgets the sessions of a server whose process has ended, which has
// ended them.
func (w *world) dropSessions(n *node) {
	synctest.Wait()
	kept := w.sessions[:0]
	for _, s := range w.sessions {
		if s.n != n {
			kept = append(kept, s)
		} else if context.Cause(s.Context()) == nil {
			w.fail(s.t, "%s: a session outlives its process", n.name)
		} else {
			w.checkCalls(s)
		}
	}
	w.sessions = kept
}
