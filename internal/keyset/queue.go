package keyset

import (
	"context"
	"time"
)

// A Queue bounds how many fetches that nobody is in a hurry for are under way at a time,
// over all sets that share it: a program with thousands of issuers has as many to make when
// it starts, and needs its sockets for its clients. It is safe for concurrent use. Nil
// has room for any number.
type Queue chan struct{}

// NewQueue makes a Queue with room for so many fetches.
func NewQueue(room int) Queue { return make(Queue, room) }

// enter waits for room, until somebody is in a hurry or ctx ends. Call leave afterwards.
func (q Queue) enter(ctx context.Context, hurry <-chan struct{}) (leave func()) {
	if q == nil {
		return func() {}
	}
	select {
	case q <- struct{}{}:
		return func() { <-q }
	case <-hurry:
	case <-ctx.Done():
	}
	return func() {}
}

// patient reports whether a fetch that is due may wait in the queue: nobody asked for
// these keys yet, or there are none, and whoever asks for them then hurries it. s.mu must
// be held.
func (s *Set) patient() bool {
	return !s.snap.Load().usable() || s.lastUsed.Load() == neverUsed
}

// waitTurn has a fetch wait in the queue if it may, and begins it then.
func (s *Set) waitTurn(f *flight) (leave func()) {
	if f.hurry == nil {
		return func() {}
	}
	leave = s.cfg.Queue.enter(s.ctx, f.hurry)
	s.mu.Lock()
	defer s.mu.Unlock()
	f.begun = time.Now()
	return leave
}

// hasBegun reports whether the fetch has left the queue. s.mu must be held.
func (f *flight) hasBegun() bool { return !f.begun.IsZero() }

// hurryUp has a fetch wait no longer. s.mu must be held.
func (f *flight) hurryUp() {
	if f.hurry != nil && !f.hurried {
		f.hurried = true
		close(f.hurry)
	}
}
