// Package memorylog is a log of revocations in memory, for tests of what becomes
// of revocations that a log does not take, or that it cannot be asked about.
package memorylog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrDown is why a [Log] takes nothing, unless the test gives another reason.
var ErrDown = errors.New("log down")

// A Log keeps revocations of the type R, and every use of an ID, until the process
// ends. It can lose contact, and refuse what the test wants. It is safe for
// concurrent use.
type Log[R comparable] struct {
	mu      sync.Mutex // guards what follows
	entries []R
	used    map[[32]byte]bool
	down    bool
	refuse  func(R) bool
	failure error
	changed chan struct{} // closed and replaced at each change
	appends int
	follows int
}

// New returns a log with entries of a stranger's hand.
func New[R comparable](entries ...R) *Log[R] {
	return &Log[R]{
		entries: entries, used: map[[32]byte]bool{}, refuse: func(R) bool { return false },
		failure: ErrDown, changed: make(chan struct{}),
	}
}

// Append adds an entry unless it is there.
func (l *Log[R]) Append(_ context.Context, r R) (added bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appends++
	if l.down || l.refuse(r) {
		return false, l.failure
	}
	if slices.Contains(l.entries, r) {
		return false, nil
	}
	l.entries = append(l.entries, r)
	l.notify()
	return true, nil
}

// FirstUse reports whether the ID is new. A log that refuses the zero value takes
// no uses.
func (l *Log[R]) FirstUse(_ context.Context, id [32]byte, _ time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var use R
	if l.down || l.refuse(use) {
		return false, ErrDown
	}
	first := !l.used[id]
	l.used[id] = true
	return first, nil
}

// Follow applies each entry, in order, until ctx ends or contact is lost.
func (l *Log[R]) Follow(ctx context.Context, apply func(R), caughtUp func(bool)) error {
	l.mu.Lock()
	l.follows++
	l.mu.Unlock()
	for next := 0; ; {
		l.mu.Lock()
		down, entries, changed := l.down, slices.Clone(l.entries[next:]), l.changed
		l.mu.Unlock()
		if down {
			return ErrDown
		}
		for _, r := range entries {
			apply(r)
		}
		next += len(entries)
		caughtUp(true)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SetDown has the log lose or regain contact.
func (l *Log[R]) SetDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	l.notify()
}

// Refuse has the log refuse what refuse reports, from now on. Who follows it does
// not notice.
func (l *Log[R]) Refuse(refuse func(R) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = refuse
}

// RefuseAll and RefuseNone have the log refuse everything, or nothing.
func (l *Log[R]) RefuseAll()  { l.Refuse(func(R) bool { return true }) }
func (l *Log[R]) RefuseNone() { l.Refuse(func(R) bool { return false }) }

// FailWith sets what Append says when it refuses something.
func (l *Log[R]) FailWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failure = err
}

// Add puts entries of a stranger's hand into the log.
func (l *Log[R]) Add(entries ...R) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entries...)
	l.notify()
}

// Entries returns what the log has.
func (l *Log[R]) Entries() []R {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// Counts returns how many entries the log has, and how often Append and Follow
// were called.
func (l *Log[R]) Counts() (entries, appends, follows int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.entries), l.appends, l.follows
}

func (l *Log[R]) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}
