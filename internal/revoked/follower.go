package revoked

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/disk"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Log is the public RevocationLog, whose documentation says what its methods
// do, with the Revocation of this package.
type Log interface {
	Append(ctx context.Context, r Revocation) (added bool, err error)
	FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error)
	Follow(ctx context.Context, apply func(Revocation), caughtUp func(current bool)) error
}

const (
	firstFollowDelay = time.Second
	maxFollowDelay   = time.Minute
	// A log that is not known to be complete or lost after so long is told of.
	lateFollow = 10 * time.Second
)

// A FollowerConfig is what a [Follower] needs beside a list.
type FollowerConfig struct {
	// Log is the cluster's. Nil means that the server shares with no other, and that
	// Dir, which must not be empty then, keeps all revocations.
	Log Log

	// Dir keeps the revocations that wait to be shared. Empty means that they wait
	// in memory only.
	Dir string
	tap disk.Tap // nil but in tests

	// Complete fills in what a revocation of the log leaves open: its end, and the
	// canonical name of the issuer.
	Complete func(r *Revocation)
}

// A Follower keeps a [List] up to date with a log, and shares with the log what
// is revoked here. It is safe for concurrent use. Where there is no log it is nil,
// and all methods may be called.
type Follower struct {
	list     *List
	cfg      FollowerConfig
	logger   *slog.Logger
	now      func() time.Time
	unshared *queue
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	losses   Complaints // of the log
	refusals Complaints // of what waits

	filing sync.Mutex // held while what waits, and its files, change together; guards ended
	dir    *Dir       // nil where what waits does so in memory only
	kept   *keptLog   // that is followed, where there is no other; else nil
	ended  bool       // nothing is shared any more

	mu      sync.Mutex              // guards what follows
	known   chan struct{}           // closed once it is known whether current is true
	current bool                    // all revocations are applied
	again   context.CancelCauseFunc // ends the present call of Follow
}

// Follow starts the goroutines that follow the log, share late what it did not
// take at once, and watch the clock, until Close. What waits in the directory
// holds when it returns. An error is one of the directory.
func (l *List) Follow(cfg FollowerConfig) (*Follower, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &Follower{
		list: l, cfg: cfg, logger: l.cfg.Logger, now: l.cfg.Now, cancel: cancel,
		unshared: newQueue(), known: make(chan struct{}),
	}
	if err := f.openDir(); err != nil {
		f.Close()
		return nil, err
	}
	f.wg.Go(func() { f.run(ctx) })
	f.wg.Go(func() { f.tellLate(ctx) })
	f.wg.Go(func() { f.shareLate(ctx) })
	f.wg.Go(func() { f.watchClock(ctx) })
	return f, nil
}

// openDir takes the directory, if there is one.
func (f *Follower) openDir() (err error) {
	switch {
	case f.cfg.Dir == "":
		return nil
	case f.cfg.Log != nil:
		return f.openUnshared(f.cfg.Dir)
	}
	if f.kept, err = f.list.openKept(f.cfg.Dir, f.cfg.tap); err == nil {
		f.cfg.Log = f.kept
	}
	return err
}

// run follows again, after a while, when the log cannot go on, and at once when
// the clock went back.
func (f *Follower) run(ctx context.Context) {
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

// tellLate writes a line about a log that neither catches up nor fails after the start:
// tokens that others revoked may pass meanwhile, and nothing else would tell.
func (f *Follower) tellLate(ctx context.Context) {
	late := time.NewTimer(lateFollow)
	defer late.Stop()
	select {
	case <-late.C:
		f.logger.LogAttrs(ctx, slog.LevelWarn, "revocation log not read completely yet", slog.Duration("after", lateFollow))
	case <-f.known:
	case <-ctx.Done():
	}
}

// followOnce follows the log, from the first revocation on, until it cannot go
// on or has to begin again. The log may end the goroutine that it is called in: else
// nobody would follow any more, and nobody would know.
func (f *Follower) followOnce(ctx context.Context) error {
	ctx, again := context.WithCancelCause(ctx)
	defer again(nil)
	f.mu.Lock()
	f.again = again
	f.mu.Unlock()
	f.list.resetDropped()
	err := panics.Run(func() error {
		return f.cfg.Log.Follow(ctx, func(r Revocation) { f.apply(ctx, r) }, func(current bool) { f.report(ctx, current, nil) })
	})
	if context.Cause(ctx) == errClockWentBack {
		return errClockWentBack
	}
	return err
}

// apply makes a revocation of the log hold here. One that says nothing, from a
// server of another version perhaps, must not revoke everything.
func (f *Follower) apply(ctx context.Context, r Revocation) {
	if ctx.Err() != nil {
		return
	}
	if r.IsEmpty() {
		f.logger.LogAttrs(ctx, slog.LevelWarn, "empty revocation in the log ignored")
		return
	}
	f.cfg.Complete(&r)
	f.list.Add(r.Normal())
}

// report notes whether all revocations are applied, and writes one line for each change,
// and for each other reason why the log cannot be followed.
func (f *Follower) report(ctx context.Context, current bool, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	first := !f.isKnown()
	if current {
		f.losses.Over()
	}
	reason := cause != nil && f.losses.IsNew(cause)
	changed := first || f.current != current
	if first {
		close(f.known)
	}
	f.current = current
	if changed && f.list.cfg.Incomplete {
		f.list.setIncomplete(!current)
	}
	if !changed && !reason {
		return
	}
	level, message := slog.LevelInfo, "revocation log caught up"
	var attrs []slog.Attr
	if current {
		f.unshared.wakeUp()
		if f.kept != nil {
			return // which is no news of a directory
		}
	} else {
		level, message = slog.LevelWarn, "revocation log lost"
		if cause != nil {
			attrs = append(attrs, slog.String("error", cause.Error()))
		}
	}
	f.logger.LogAttrs(ctx, level, message, attrs...)
}

func (f *Follower) isKnown() bool {
	select {
	case <-f.known:
		return true
	default:
		return false
	}
}

// Ready waits until it is known whether the log is up to date, and returns an
// error if it is not or if revocations wait to be shared.
func (f *Follower) Ready(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.known:
	case <-ctx.Done():
		return refusal.Because(refusal.Revocation, refusal.ErrRevocationsUnavailable, refusal.Ended(ctx))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.current {
		return errors.Join(refusal.New(refusal.Revocation, refusal.ErrRevocationsUnavailable, "a log that is not up to date", ""), f.waits())
	}
	return f.waits()
}

// FirstUse reports whether a thing was used for the first time anywhere, as far as
// that is known: without a log it is.
func (f *Follower) FirstUse(ctx context.Context, id [32]byte, until time.Time) (bool, error) {
	if f == nil {
		return true, nil
	}
	return f.cfg.Log.FirstUse(ctx, id, until)
}

// Close ends the goroutines and waits for them. The error says how many
// revocations were not shared.
func (f *Follower) Close() error {
	if f == nil {
		return nil
	}
	f.cancel()
	f.wg.Wait()
	return errors.Join(f.endSharing(), f.kept.close())
}
