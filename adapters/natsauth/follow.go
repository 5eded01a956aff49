package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second

	// catchUpPulse is how often at least the leader is asked while a follower
	// catches up.
	catchUpPulse = 250 * time.Millisecond
)

var (
	errDisconnected = errors.New("not connected to NATS")
	errStalled      = errors.New("entries exist that do not arrive")
	errNoQuorum     = errors.New("the NATS server has lost the others")
	errReplaced     = errors.New("the stream was replaced, or set back to an older copy")
	errLossy        = errors.New("the stream does not keep what it is given")
	errSlow         = errors.New("no answer from NATS")
	errGap          = errors.New("entries arrive with a gap")
	errClosed       = nats.ErrConnectionClosed
)

// Follow implements [oidcauth.RevocationLog]. It returns when ctx ends or when
// the connection is closed for good; everything else it waits out and reads the
// stream from the beginning again.
func (l *Log) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(current bool)) error {
	if ctx == nil {
		return fmt.Errorf("natsauth: follow: %w", errNoContext)
	}
	conn := l.js.Conn()
	changes := conn.StatusChanged()
	defer conn.RemoveStatusListener(changes)
	f := &follower{log: l, conn: conn, changes: changes, contact: &contact{grace: l.grace, apply: apply, caughtUp: caughtUp}}
	defer f.contact.end()
	var losses revoked.Complaints
	for pause := firstPause; ; {
		f.current = false
		err := f.pass(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if conn.IsClosed() {
			f.contact.lost(errClosed)
			return fmt.Errorf("natsauth: follow: %w", errClosed)
		}
		f.contact.lost(err)
		if f.current {
			losses.Over()
			pause = firstPause
		}
		if losses.IsNew(err) {
			l.logger.LogAttrs(ctx, slog.LevelWarn, "revocations lost contact",
				slog.String("stream", l.revocations.config.Name), slog.String("error", err.Error()))
		}
		pause = nextPause(pause, f.wait(ctx, pause/2+rand.N(pause)))
	}
}

// nextPause returns how long the next wait is, more or less: long ones are for a
// connection that does not come back.
func nextPause(pause time.Duration, connected bool) time.Duration {
	if connected {
		return firstPause
	}
	return min(2*pause, maxPause)
}

// A follower is one call of Follow. Its methods run in one goroutine.
type follower struct {
	log     *Log
	conn    *nats.Conn
	changes chan nats.Status
	contact *contact
	past    past // of the stream, before the current pass

	// Of the current pass:
	stream    *handle
	compared  bool   // with the past
	current   bool   // all that existed was applied
	seen      uint64 // the sequence of the last entry that arrived
	count     uint64 // of entries that arrived
	moved     time.Time
	leader    reading
	owed      debt
	witnesses witnesses
}

// pass reads the stream over a connection that is there.
func (f *follower) pass(ctx context.Context) error {
	f.drainChanges()
	if !f.conn.IsConnected() {
		return errDisconnected
	}
	return f.readStream(ctx)
}

// readStream reads the stream from the beginning and goes on until contact is lost.
func (f *follower) readStream(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed, err := f.start(ctx)
	if err != nil {
		return err
	}
	defer feed.stop()
	defer f.remember()
	return f.read(ctx, feed)
}

// start looks at the stream anew and begins to read it.
func (f *follower) start(ctx context.Context) (*feed, error) {
	limited, cancel := context.WithTimeoutCause(ctx, f.log.timeout, errSlow)
	defer cancel()
	f.log.revocations.reopen()
	stream, err := f.log.revocations.open(limited)
	if err != nil {
		return nil, err
	}
	f.stream, f.seen, f.count, f.moved = stream, 0, 0, time.Now()
	f.leader, f.owed, f.witnesses, f.compared = reading{}, debt{}, nil, false
	feed, err := newFeed(limited, ctx, f.log, stream)
	return feed, slow(limited, err)
}

// read takes what arrives, and asks at each heartbeat whether that is all.
func (f *follower) read(ctx context.Context, feed *feed) error {
	heartbeat := time.NewTimer(0)
	answers := make(chan pulse, 1)
	for {
		select {
		case m := <-feed.messages:
			if err := f.take(ctx, m); err != nil {
				return err
			}
		case err := <-feed.errors:
			return err
		case status, ok := <-f.changes:
			if !ok || status != nats.CONNECTED {
				return errDisconnected
			}
		case <-heartbeat.C:
			q := f.question()
			go func() { answers <- f.log.ask(ctx, q) }() // both end by their timeouts
			go f.log.lookAfterUses(ctx, f.stream.created)
		case now := <-answers:
			if err := f.judge(ctx, now); err != nil {
				return err
			}
			heartbeat.Reset(f.interval())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// interval is how long it is to the next question.
func (f *follower) interval() time.Duration {
	if f.current {
		return f.log.heartbeat
	}
	return min(f.log.heartbeat, catchUpPulse)
}

// take applies one entry.
func (f *follower) take(ctx context.Context, m message) error {
	if m.number != f.count+1 || m.sequence <= f.seen {
		return errGap
	}
	f.count, f.seen, f.moved = m.number, m.sequence, time.Now()
	f.witnesses.add(m)
	f.apply(ctx, m)
	f.payOff(ctx)
	return nil
}

func (f *follower) apply(ctx context.Context, m message) {
	if m.marker || m.foreign { // an entry is over, or a stream that was ours alone is not any more
		return
	}
	r, err := decode(m.value)
	if err == nil {
		f.contact.take(r)
		return
	}
	// Entries come in their order, so that one which was logged comes not after
	// the last that was.
	if last := f.log.damaged.Load(); m.sequence > last && f.log.damaged.CompareAndSwap(last, m.sequence) {
		f.log.logger.LogAttrs(ctx, slog.LevelError, "damaged revocation skipped", slog.String("stream", f.log.revocations.config.Name),
			slog.String("subject", m.subject), slog.Uint64("sequence", m.sequence), slog.String("error", err.Error()))
	}
}

// payOff notes that all that is known to exist was applied, once it was.
func (f *follower) payOff(ctx context.Context) {
	if !f.owed.known || f.seen < f.owed.sequence {
		return
	}
	f.owed.since = time.Time{}
	if f.current {
		return
	}
	f.current = true
	f.log.logger.LogAttrs(ctx, slog.LevelInfo, "revocations caught up",
		slog.String("stream", f.log.revocations.config.Name), slog.Uint64("sequence", f.seen))
	f.contact.back()
}

// wait returns after a while, or at once when the connection is back, and
// reports whether it is.
func (f *follower) wait(ctx context.Context, pause time.Duration) (connected bool) {
	over := time.After(pause)
	for {
		select {
		case status, ok := <-f.changes:
			if !ok || status == nats.CONNECTED || status == nats.CLOSED {
				return true
			}
		case <-over:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// drainChanges drops changes of the connection that are over.
func (f *follower) drainChanges() {
	for {
		select {
		case _, ok := <-f.changes:
			if !ok {
				return
			}
		default:
			return
		}
	}
}
