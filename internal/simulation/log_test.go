package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// What can be wrong between a server and the log.
const (
	cutOff  = "cut off"      // nothing gets through
	full    = "full"         // what is appended is refused, and known to be
	answers = "answers lost" // what is appended is stored, and the server is not told
)

// A sharedLog is the log of revocations of a cluster, which loses nothing.
type sharedLog struct {
	mu      sync.Mutex // guards what follows
	entries []oidcauth.Revocation
	used    map[[32]byte]bool
	changed chan struct{} // closed and replaced at each change
}

func newSharedLog() *sharedLog {
	return &sharedLog{used: map[[32]byte]bool{}, changed: make(chan struct{})}
}

func (s *sharedLog) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// covers reports whether the log has an entry that revokes all that r does, for as
// long.
func (s *sharedLog) covers(r *revocation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.entries, func(e oidcauth.Revocation) bool {
		same := e.Issuer == r.Issuer && e.Subject == r.Subject && e.SessionID == r.SessionID && e.TokenID == r.TokenID && e.KeyID == r.KeyID
		const differs = 30 * 24 * time.Hour // by what ends of itself, and by clocks
		return same && (e.IssuedBefore.IsZero() || !r.IssuedBefore.IsZero() && !e.IssuedBefore.Before(r.IssuedBefore)) &&
			(!e.Until.Before(r.end()) || r.Until.IsZero() && !e.Until.Before(r.end().Add(-differs)))
	})
}

// A link is a server's way to the log. It implements [oidcauth.RevocationLog].
type link struct {
	log *sharedLog

	mu        sync.Mutex // guards what follows
	fault     string
	follows   time.Time // since when entries get through; zero while they do not
	appends   time.Time // since when appending works; zero while it does not
	changed   time.Time
	applied   []oidcauth.Revocation // by this process
	caughtUp  bool
	since     time.Time // caughtUp is what it is
	unsettled chan struct{}
}

func newLink(log *sharedLog) *link {
	return &link{log: log, unsettled: make(chan struct{}), follows: time.Now(), appends: time.Now()}
}

// set has something be wrong from now on, or nothing.
func (l *link) set(fault string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if fault == cutOff {
		l.follows = time.Time{}
	} else if l.follows.IsZero() {
		l.follows = now
	}
	if fault != "" {
		l.appends = time.Time{}
	} else if l.appends.IsZero() {
		l.appends = now
	}
	l.fault, l.changed = fault, now
	close(l.unsettled)
	l.unsettled = make(chan struct{})
}

// restarted forgets what the last process was told.
func (l *link) restarted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.applied, l.caughtUp, l.since = nil, false, time.Now()
}

func (l *link) state() (fault string, unsettled chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.unsettled
}

// write does something with the log, or as much of it as gets through.
func (l *link) write(ctx context.Context, do func()) error {
	fault, _ := l.state()
	select {
	case <-time.After(latency / 4):
	case <-ctx.Done():
		return ctx.Err()
	}
	switch fault {
	case cutOff:
		return errors.New("the log is out of reach")
	case full:
		return fmt.Errorf("%w: it is full", oidcauth.ErrNotStored)
	}
	l.log.mu.Lock()
	do()
	l.log.mu.Unlock()
	if fault == answers {
		return errors.New("no answer from the log")
	}
	return nil
}

// Append implements [oidcauth.RevocationLog].
func (l *link) Append(ctx context.Context, r oidcauth.Revocation) (added bool, err error) {
	err = l.write(ctx, func() {
		if !slices.Contains(l.log.entries, r) {
			added = true
			l.log.entries = append(l.log.entries, r)
			l.log.wake()
		}
	})
	return added && err == nil, err
}

// FirstUse implements [oidcauth.RevocationLog].
func (l *link) FirstUse(ctx context.Context, id [32]byte, _ time.Time) (first bool, err error) {
	err = l.write(ctx, func() {
		first = !l.log.used[id]
		l.log.used[id] = true
	})
	return first && err == nil, err
}

// Follow implements [oidcauth.RevocationLog].
func (l *link) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(bool)) error {
	defer l.report(false)
	for next := 0; ; {
		fault, unsettled := l.state()
		if fault == cutOff {
			return errors.New("the log is out of reach")
		}
		l.log.mu.Lock()
		entries, changed := slices.Clone(l.log.entries[next:]), l.log.changed
		l.log.mu.Unlock()
		for _, r := range entries {
			apply(r)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.mu.Lock()
			l.applied = append(l.applied, r)
			l.mu.Unlock()
		}
		next += len(entries)
		caughtUp(true)
		l.report(true)
		select {
		case <-changed:
		case <-unsettled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *link) report(caughtUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.caughtUp != caughtUp {
		l.caughtUp, l.since = caughtUp, time.Now()
	}
}
