package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A RevocationLog shares revocations between the servers of a cluster. It only
// ever grows, except that what is past its end may be left out. Its methods must
// be safe for concurrent use.
type RevocationLog interface {
	// Append adds r for every follower, those that come later included, and
	// reports whether it is new: whether an equal one, with the same content, was
	// not there before. Of several servers that append equal ones at once, at most
	// one is told that it is new.
	//
	// A nil error means that r is stored: that the log acknowledged it. An error
	// that wraps [ErrNotStored] means that it is certainly not stored: the log is
	// full, or denies it, or is set up wrongly. After any other error it is not
	// known, and r may be stored all the same. After each error Append may be
	// called again with an equal r.
	Append(ctx context.Context, r Revocation) (added bool, err error)

	// FirstUse records that the one-time thing id was used, and reports whether
	// this was its first use anywhere in the cluster. The record is kept until the
	// given time. Errors mean what those of Append do. Exactly one of several
	// concurrent callers is told true, and nobody is once the record is stored,
	// also if that was not known to who stored it.
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)

	// Follow calls apply for every revocation, from the first on and then as they
	// are appended by anybody, and caughtUp(true) when all that existed have been
	// applied. It calls caughtUp(false) when it has lost contact, so that some may
	// be missing, and caughtUp(true) again when none are; a loss that is over within
	// a short grace, which its documentation states, may go untold. It returns when
	// ctx ends or when it cannot go on, and is then called again after a while; it
	// may apply a revocation more than once. It makes its calls one at a time.
	Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error
}

// ErrNotStored means that a [RevocationLog] certainly did not store what it was
// given.
var ErrNotStored = errors.New("oidcauth: not stored in the revocation log")

const (
	firstFollowDelay = time.Second
	maxFollowDelay   = time.Minute
)

// A follower keeps an [Authenticator] up to date with a log.
type follower struct {
	auth     *Authenticator
	log      RevocationLog
	required bool
	unshared *unsharedQueue
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex    // guards known, current
	known   chan struct{} // closed once it is known whether current is true
	current bool          // all revocations are applied
}

// follow starts the two goroutines that follow the log and share late what it
// did not take at once, until Close.
func (a *Authenticator) follow(log RevocationLog, required bool) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		auth: a, log: log, required: required, cancel: cancel,
		unshared: newUnsharedQueue(), known: make(chan struct{}),
	}
	a.follower = f
	f.wg.Go(func() { f.run(ctx) })
	f.wg.Go(func() { f.shareLate(ctx) })
}

// run follows again, after a while, when the log cannot go on.
func (f *follower) run(ctx context.Context) {
	delay := firstFollowDelay
	for {
		began := time.Now()
		err := f.log.Follow(ctx, func(r Revocation) { f.apply(ctx, r) }, func(current bool) { f.report(ctx, current, nil) })
		if ctx.Err() != nil {
			return
		}
		f.report(ctx, false, err)
		if time.Since(began) > maxFollowDelay {
			delay = firstFollowDelay
		}
		pause := time.NewTimer(delay/2 + rand.N(delay))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
		delay = min(2*delay, maxFollowDelay)
	}
}

// apply makes a revocation of the log hold here. One that says nothing, from a
// server of another version perhaps, must not revoke everything.
func (f *follower) apply(ctx context.Context, r Revocation) {
	a := f.auth
	if ctx.Err() != nil {
		return
	}
	if r.isEmpty() {
		a.logger.LogAttrs(ctx, slog.LevelWarn, "empty revocation in the log ignored")
		return
	}
	if t, known := a.trusts[r.Issuer]; known {
		r.Issuer = t.url
	}
	if r.Until.IsZero() {
		r.Until = a.lastExpiry(a.now())
	}
	a.apply(r.normal())
}

// report notes whether all revocations are applied, and writes one line for each
// change.
func (f *follower) report(ctx context.Context, current bool, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	first := !f.isKnown()
	if first {
		close(f.known)
	} else if f.current == current {
		return
	}
	f.current = current
	if f.required {
		f.auth.setIncomplete(!current)
	}
	level, message := slog.LevelInfo, "revocation log caught up"
	var attrs []slog.Attr
	if current {
		f.unshared.hurry()
	} else {
		level, message = slog.LevelWarn, "revocation log lost"
		if cause != nil {
			attrs = append(attrs, slog.String("error", cause.Error()))
		}
	}
	f.auth.logger.LogAttrs(ctx, level, message, attrs...)
}

func (f *follower) isKnown() bool {
	select {
	case <-f.known:
		return true
	default:
		return false
	}
}

// setIncomplete starts or stops refusing everything for want of revocations.
func (a *Authenticator) setIncomplete(incomplete bool) {
	a.revocations.setIncomplete(incomplete)
	if !incomplete {
		return
	}
	cause := refuse(checkRevocation, ErrRevocationsUnavailable, "", "")
	for _, s := range a.sessions.all(func(*Session) bool { return true }) {
		a.sessions.stop(s, cause, nil)
	}
}

// ready waits until it is known whether the log is up to date, and returns an
// error if it is not.
func (f *follower) ready(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.known:
	case <-ctx.Done():
		return refuseCause(checkRevocation, ErrRevocationsUnavailable, keyset.Ended(ctx))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.current {
		return refuse(checkRevocation, ErrRevocationsUnavailable, "a log that is not up to date", "")
	}
	return nil
}

// close ends the goroutines and waits for them.
func (f *follower) close() {
	if f == nil {
		return
	}
	f.cancel()
	f.wg.Wait()
}
