package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxUnshared bounds the memory of revocations that wait for the log.
	maxUnshared = 10_000

	// appendTimeout bounds one attempt to share a revocation late.
	appendTimeout = 10 * time.Second
)

var errTooManyUnshared = errors.New("too many revocations wait to be shared: this one will not be, unless it is repeated")

// An unsharedQueue holds the revocations that hold in this process and that the
// log has not taken yet.
type unsharedQueue struct {
	wake chan struct{} // filled when trying makes sense at once

	mu      sync.Mutex // guards what follows
	queue   []Revocation
	members map[Revocation]struct{} // of queue
}

func newUnsharedQueue() *unsharedQueue {
	return &unsharedQueue{wake: make(chan struct{}, 1), members: make(map[Revocation]struct{})}
}

// add puts a revocation at the end. It reports whether there is room for it, and
// whether it is the only one.
func (q *unsharedQueue) add(r Revocation) (added, alone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, waits := q.members[r]; waits {
		return true, false
	}
	if len(q.queue) >= maxUnshared {
		return false, false
	}
	q.queue = append(q.queue, r)
	q.members[r] = struct{}{}
	return true, len(q.queue) == 1
}

// first returns the first revocation that is not over at a time. It stays where
// it is until settle.
func (q *unsharedQueue) first(now time.Time) (r Revocation, found bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for ; len(q.queue) > 0; q.queue = q.queue[1:] {
		if now.Before(q.queue[0].Until) {
			return q.queue[0], true
		}
		delete(q.members, q.queue[0])
	}
	q.queue = nil
	return Revocation{}, false
}

// settle takes the first revocation out, or moves it to the end unless it was
// shared.
func (q *unsharedQueue) settle(shared bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.queue[0]
	q.queue = q.queue[1:]
	if shared {
		delete(q.members, r)
	} else {
		q.queue = append(q.queue, r)
	}
}

func (q *unsharedQueue) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue)
}

// hurry has the next attempt made at once.
func (q *unsharedQueue) hurry() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// later has a revocation shared as soon as the log takes it. The error says that
// there is no room to remember it.
func (f *follower) later(ctx context.Context, r Revocation) error {
	added, alone := f.unshared.add(r)
	if !added {
		return errTooManyUnshared
	}
	if alone {
		f.auth.logger.LogAttrs(ctx, slog.LevelWarn, "revocations wait to be shared")
		f.unshared.hurry()
	}
	return nil
}

// shareLate shares what waits, again and again, until Close.
func (f *follower) shareLate(ctx context.Context) {
	delay := firstFollowDelay
	for f.awaitUnshared(ctx, delay) {
		waited := f.unshared.count() > 0
		if !f.shareAll(ctx) {
			delay = min(2*delay, maxFollowDelay)
			continue
		}
		delay = firstFollowDelay
		if waited {
			f.auth.logger.LogAttrs(ctx, slog.LevelInfo, "no revocation waits to be shared any longer")
		}
	}
	if n := f.unshared.count(); n > 0 {
		f.auth.logger.LogAttrs(ctx, slog.LevelWarn, "closed before revocations were shared", slog.Int("revocations", n))
	}
}

// awaitUnshared returns when the next attempt is due. It reports false at Close.
func (f *follower) awaitUnshared(ctx context.Context, delay time.Duration) bool {
	var due <-chan time.Time
	if f.unshared.count() > 0 {
		timer := time.NewTimer(delay/2 + rand.N(delay))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-f.unshared.wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// shareAll shares what waits, up to the first that the log does not take. That
// one goes to the end, so that it does not hold up the others. It reports
// whether none is left.
func (f *follower) shareAll(ctx context.Context) bool {
	for {
		r, found := f.unshared.first(f.auth.now())
		if !found {
			return true
		}
		attempt, cancel := context.WithTimeout(ctx, appendTimeout)
		_, err := f.log.Append(attempt, r)
		cancel()
		f.unshared.settle(err == nil)
		if err != nil {
			return false
		}
	}
}
