package keyset

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

const (
	// storeLockTime is how long a write waits for those of other processes.
	storeLockTime = 5 * time.Second

	// hurryTime is how long those go on to write who stand in line at [Writers.Hurry].
	hurryTime = 5 * time.Second
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
	over    time.Time // when those who wait then give up; valid once hurry is closed

	mu   sync.Mutex // guards what follows
	free time.Time  // when the directory was last found not to be held by others
}

// NewWriters returns Writers among whom nobody writes.
func NewWriters() *Writers {
	return &Writers{turn: make(chan struct{}, 1), hurry: make(chan struct{})}
}

// Hurry has those that wait for their turn, now and later, give up after a few seconds:
// whoever closes a program that has just started does not wait for thousands of files on a
// slow disk, with keys that can be fetched again, nor for longer than is left before it is
// killed. It may be called more than once, and on nil.
func (w *Writers) Hurry() {
	if w != nil {
		w.hurries.Do(func() {
			w.over = time.Now().Add(hurryTime)
			close(w.hurry)
		})
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
	if !w.inHurry() {
		return nil, false
	}
	patience := time.NewTimer(time.Until(w.over))
	defer patience.Stop()
	select {
	case w.turn <- struct{}{}:
		return w.leave, true
	case <-patience.C:
		return nil, false
	}
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
