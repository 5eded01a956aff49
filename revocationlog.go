package oidcauth

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

// ErrNotStored is what a [RevocationLog] wraps in the error of an entry that is
// certainly not stored and will not be by itself: the log is full, denies the
// write or is not what it should be. It is never the error of a lost answer.
var ErrNotStored = errors.New("oidcauth: not stored in the revocation log")

// A RevocationLog shares revocations, and what may be used once, between the
// servers of a cluster. It only ever grows, except that what is past its end may
// be left out. Its methods must be safe for concurrent use. The package
// revocationtest has a suite of tests for it.
//
// Three outcomes of a write are told apart. A nil error says that the entry is
// stored: the log has acknowledged that write, or has read the entry back, and no
// fault that the log is made to survive loses it. An error that wraps
// [ErrNotStored] says that it certainly is not. Any other error says that this is
// not known: the entry may be stored all the same, now or a little later. That an
// equal entry seems to exist, while its own write is not acknowledged yet, is of
// the third kind.
type RevocationLog interface {
	// Append adds r for every follower, those that come later included, and
	// reports whether it is new: whether an equal one, with the same content, was
	// not there before. Of several servers that append equal ones at once, one at
	// most is told that it is new. After an error it may be called again with an
	// equal r, whatever became of the first.
	Append(ctx context.Context, r Revocation) (added bool, err error)

	// FirstUse records that the one-time thing id was used, and reports whether
	// this was its first use anywhere in the cluster. The record is kept until the
	// given time at least. Of several callers at once, one at most is told true, and
	// nobody is once the record is stored, also where who stored it was told an
	// error. Errors mean what those of Append do. Records have a limit of their own:
	// however many there are, Append has as much space as before.
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)

	// Follow calls apply for every revocation, from the first on and then as they
	// are appended by anybody, and caughtUp(true) when all that existed have been
	// applied. It calls caughtUp(false) when it has lost contact, so that some may
	// be missing, and caughtUp(true) again when none are; a loss that is over within
	// a short grace, which its documentation states, may go untold. It returns when
	// ctx ends or when it cannot go on, and is then called again after a while; each
	// call begins with the first revocation. It may apply one more than once, and
	// makes its calls one at a time.
	Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error
}

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

	filing sync.Mutex   // held while what waits, and its files, change together; guards ended
	dir    *revoked.Dir // nil where what waits does so in memory only
	ended  bool         // nothing is shared any more

	mu      sync.Mutex              // guards what follows
	known   chan struct{}           // closed once it is known whether current is true
	current bool                    // all revocations are applied
	again   context.CancelCauseFunc // ends the present call of Follow
}

// follow starts the goroutines that follow the log, share late what it did not
// take at once, and watch the clock, until Close.
func (a *Authenticator) follow(cfg Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{
		auth: a, log: cfg.Revocations, required: cfg.RequireRevocations, cancel: cancel,
		unshared: newUnsharedQueue(), known: make(chan struct{}),
	}
	a.follower = f
	if cfg.RevocationDir != "" {
		if err := f.openUnshared(cfg.RevocationDir); err != nil {
			return err
		}
	}
	f.wg.Go(func() { f.run(ctx) })
	f.wg.Go(func() { f.shareLate(ctx) })
	f.wg.Go(func() { f.watchClock(ctx) })
	return nil
}

// run follows again, after a while, when the log cannot go on, and at once when
// the clock went back.
func (f *follower) run(ctx context.Context) {
	delay := firstFollowDelay
	for {
		began := time.Now()
		err := f.followOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		f.report(ctx, false, err)
		if err == errClockWentBack {
			continue
		}
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

// followOnce follows the log, from the first revocation on, until it cannot go
// on or has to begin again.
func (f *follower) followOnce(ctx context.Context) error {
	ctx, again := context.WithCancelCause(ctx)
	defer again(nil)
	f.mu.Lock()
	f.again = again
	f.mu.Unlock()
	f.auth.revocations.resetDropped()
	err := f.log.Follow(ctx, func(r Revocation) { f.apply(ctx, r) }, func(current bool) { f.report(ctx, current, nil) })
	if context.Cause(ctx) == errClockWentBack {
		return errClockWentBack
	}
	return err
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
		r.Issuer = t.URL
	}
	if r.Until.IsZero() {
		r.Until = a.lastMatch(&r, a.now())
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
		f.unshared.wakeUp()
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
	cause := refusal.New(refusal.Revocation, ErrRevocationsUnavailable, "", "")
	for _, s := range a.sessions.all(func(*Session) bool { return true }) {
		a.sessions.stop(s, cause, nil)
	}
}

// ready waits until it is known whether the log is up to date, and returns an
// error if it is not or if revocations wait to be shared.
func (f *follower) ready(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.known:
	case <-ctx.Done():
		return refusal.Because(refusal.Revocation, ErrRevocationsUnavailable, keyset.Ended(ctx))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.current {
		return errors.Join(refusal.New(refusal.Revocation, ErrRevocationsUnavailable, "a log that is not up to date", ""), f.waits())
	}
	return f.waits()
}

// close ends the goroutines and waits for them. The error says how many
// revocations were not shared.
func (f *follower) close() error {
	if f == nil {
		return nil
	}
	f.cancel()
	f.wg.Wait()
	return f.endSharing()
}
