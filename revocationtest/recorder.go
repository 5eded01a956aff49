package revocationtest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A recorder follows a log, again and again as an Authenticator does, and keeps
// what it hears.
type recorder struct {
	cancel context.CancelFunc
	done   chan struct{}
	busy   atomic.Bool

	mu       sync.Mutex // guards what follows
	t        testing.TB // nil once stopped
	applied  map[oidcauth.Revocation]int
	current  bool
	losses   int
	changed  chan struct{} // closed and replaced at each change
	onCaught func(r *recorder)
}

// follow begins to follow a log until the test ends or stop. Whoever watches is
// called at each caughtUp(true), with what was applied by then.
func follow(t testing.TB, log oidcauth.RevocationLog, watch func(r *recorder)) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{
		cancel: cancel, done: make(chan struct{}), t: t, onCaught: watch,
		applied: make(map[oidcauth.Revocation]int), changed: make(chan struct{}),
	}
	go r.run(ctx, log)
	t.Cleanup(func() { r.stop(10 * time.Second) })
	return r
}

func (r *recorder) run(ctx context.Context, log oidcauth.RevocationLog) {
	defer close(r.done)
	for ctx.Err() == nil {
		log.Follow(ctx, r.apply, r.caughtUp)
		r.hear(func() { r.current = false })
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop reports whether Follow returned in time.
func (r *recorder) stop(limit time.Duration) bool {
	r.cancel()
	ended := true
	select {
	case <-r.done:
	case <-time.After(limit):
		ended = false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t = nil
	return ended
}

func (r *recorder) apply(revocation oidcauth.Revocation) {
	r.alone(func() { r.hear(func() { r.applied[normal(revocation)]++ }) })
}

func (r *recorder) caughtUp(current bool) {
	r.alone(func() {
		r.hear(func() {
			if !current {
				r.losses++
			}
			if r.current = current; current && r.onCaught != nil && r.t != nil {
				r.onCaught(r)
			}
		})
	})
}

// alone demands that the calls are made one at a time.
func (r *recorder) alone(do func()) {
	if r.busy.Swap(true) {
		r.hear(func() {
			if r.t != nil {
				r.t.Error("Follow makes two calls at a time")
			}
		})
	}
	do()
	r.busy.Store(false)
}

// hear changes what is guarded.
func (r *recorder) hear(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits until a condition holds, which may look at what is guarded.
func (r *recorder) until(limit time.Duration, condition func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		met, changed := condition(), r.changed
		r.mu.Unlock()
		if met {
			return true
		}
		select {
		case <-changed:
		case <-deadline.C:
			return false
		}
	}
}

// mustHave demands that the log is current and has delivered these.
func (r *recorder) mustHave(t testing.TB, s *Store, want ...oidcauth.Revocation) {
	t.Helper()
	missing := 0
	if !r.until(s.wait(), func() bool {
		missing = 0
		for _, w := range want {
			if r.applied[normal(w)] == 0 {
				missing++
			}
		}
		return r.current && missing == 0
	}) {
		r.mu.Lock()
		defer r.mu.Unlock()
		t.Errorf("a follower after %v: current %t, %d of %d revocations missing", s.wait(), r.current, missing, len(want))
	}
}

// normal makes revocations comparable whatever the log does to the location of
// their times.
func normal(r oidcauth.Revocation) oidcauth.Revocation {
	if !r.IssuedBefore.IsZero() {
		r.IssuedBefore = r.IssuedBefore.Round(0).UTC()
	}
	r.Until = r.Until.Round(0).UTC()
	return r
}
