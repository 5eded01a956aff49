package keyset

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	// storeLockTime is how long a write waits for those of other processes.
	storeLockTime = 5 * time.Second

	// writesAtClose is how many write of those who stand in line at [Writers.Hurry].
	writesAtClose = 64
)

// Writers have the sets that share them write their files in one directory one after the
// other: a program with thousands of issuers has as many to write when it starts. If each
// waited for the directory's lock by itself it would have a file open for that, of which the
// server has no more than it needs for its clients, and most would wait in vain. They are
// safe for concurrent use. Nil has nobody wait for others.
type Writers struct {
	turn    chan struct{}
	hurry   chan struct{} // closed by Hurry
	hurries sync.Once
	left    atomic.Int64 // how many write of those who wait then

	mu   sync.Mutex // guards what follows
	free time.Time  // when the directory was last found not to be held by others
}

// NewWriters returns Writers among whom nobody writes.
func NewWriters() *Writers {
	w := &Writers{turn: make(chan struct{}, 1), hurry: make(chan struct{})}
	w.left.Store(writesAtClose)
	return w
}

// Hurry has some of those write that wait for their turn, now and later, and the others give
// up: whoever closes a program that has just started does not wait for thousands of files,
// with keys that can be fetched again. It may be called more than once, and on nil.
func (w *Writers) Hurry() {
	if w != nil {
		w.hurries.Do(func() { close(w.hurry) })
	}
}

// enter waits for a turn. Call leave with what came of it. It reports false where others
// write and nobody waits for them: also if the set's ctx ends, whose issuer the program has
// let go of.
func (w *Writers) enter(ctx context.Context) (leave func(error), entered bool) {
	if w == nil {
		return func(error) {}, true
	}
	select {
	case w.turn <- struct{}{}:
		return w.leave, true
	default:
	}
	select {
	case w.turn <- struct{}{}:
		return w.leave, true
	case <-w.hurry:
	case <-ctx.Done():
	}
	if !w.inHurry() || w.left.Add(-1) < 0 {
		return nil, false
	}
	w.turn <- struct{}{}
	return w.leave, true
}

func (w *Writers) inHurry() bool {
	select {
	case <-w.hurry:
		return true
	default:
		return false
	}
}

// leave ends a turn, and notes whether others held the directory all the time.
func (w *Writers) leave(err error) {
	if !errors.Is(err, dirlock.ErrHeld) {
		w.mu.Lock()
		w.free = time.Now()
		w.mu.Unlock()
	}
	<-w.turn
}

// until returns how long a write that came at some time waits for the directory's lock.
// Those who stood in line while others held it have waited as long as whose turn it was:
// else each would wait anew.
func (w *Writers) until(came time.Time) time.Time {
	if w == nil {
		return came.Add(storeLockTime)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return later(came, w.free).Add(storeLockTime)
}
