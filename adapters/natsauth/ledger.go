package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// doubtTime is how long at least after the stream of uses was made anew things
	// may be presented that were used before.
	doubtTime = 15 * time.Minute

	// twinTime is how much later than the stream of revocations that of uses is
	// created when both are new.
	twinTime = time.Minute
)

var errUsesReplaced = errors.New("the stream of uses was made anew, or set back to an older copy: not known whether it was used before")

// A ledger knows whether the stream of uses is still the one that it was, so that
// nothing is used twice when somebody has deleted it, or it has lost the last ones.
type ledger struct {
	mu      sync.Mutex    // guards what follows
	created time.Time     // of the stream; zero until known
	last    uint64        // the greatest sequence that is known to have been stored
	heard   survey        // of the stream, last
	longest time.Duration // that a use was to be kept for
	doubt   time.Time     // what ends before it may have been used before; zero means nothing
}

// begin notes for how long a use is to be kept. It returns what judge wants.
func (g *ledger) begin(kept time.Duration) (last uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.longest = max(g.longest, kept)
	return g.last
}

// look compares the stream with the one that it was, and with that of the
// revocations, which is made at the same time. Its age is by the clock of NATS.
func (g *ledger) look(now, created, revocations time.Time, age time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.created.Equal(created):
		return
	case !g.created.IsZero():
		g.replaced(now)
	case created.Sub(revocations) > twinTime:
		g.replaced(now.Add(-age))
	}
	g.created = created
}

// judge returns an error if a use that was stored as the first may have been one
// before in a stream that is gone: when its sequence is not beyond what had been
// acknowledged before it was sent.
func (g *ledger) judge(now, until time.Time, before, sequence uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if sequence <= before {
		g.last = sequence
		g.replaced(now)
	}
	g.last = max(g.last, sequence)
	if until.Before(g.doubt) {
		return errUsesReplaced
	}
	return nil
}

// replaced must be called with g.mu held.
func (g *ledger) replaced(at time.Time) {
	if end := at.Add(max(doubtTime, g.longest)); g.doubt.Before(end) {
		g.doubt = end
	}
}

// forgotten returns an error if a use that had to be kept until a time may have left the
// stream, by the clock of NATS: ours, by which the thing can be used still, is behind then.
func (l *Log) forgotten(until time.Time) error {
	theirs := l.natsNow()
	if until.IsZero() || theirs.Before(until.Add(l.lateness)) {
		return nil
	}
	return fmt.Errorf("not known whether it was used before: it ended at %v, and for NATS it is %v: set the clocks of this machine and of the NATS servers", until, theirs)
}

// openUses opens the stream of uses. One that was not open is compared.
func (l *Log) openUses(ctx context.Context) (*handle, error) {
	if h := l.uses.opened.Load(); h != nil {
		return h, nil
	}
	revocations, err := l.revocations.open(ctx)
	if err != nil {
		return nil, err
	}
	uses, err := l.uses.open(ctx)
	if err != nil {
		return nil, err
	}
	l.noteUses(uses.created, revocations.created)
	return uses, nil
}

func (l *Log) noteUses(created, revocations time.Time) {
	now := l.now()
	l.ledger.look(now, created, revocations, l.earlier(now).Sub(created))
}

// lookAfterUses looks whether the stream of uses is still the one that it was,
// and still keeps what it is given. It writes one line for each reason why that cannot be
// told, or is not so, until it is.
func (l *Log) lookAfterUses(ctx context.Context, revocations time.Time) {
	if !l.looking.CompareAndSwap(false, true) {
		return
	}
	defer l.looking.Store(false)
	limited, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	err := l.askUses(limited, revocations)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		l.useFaults.Over()
		return
	}
	if l.useFaults.IsNew(err) {
		l.logger.LogAttrs(ctx, slog.LevelWarn, "uses cannot be recorded",
			slog.String("stream", l.uses.config.Name), slog.String("error", err.Error()))
	}
}

func (l *Log) askUses(ctx context.Context, revocations time.Time) error {
	uses, err := l.openUses(ctx)
	if err != nil {
		return err
	}
	heard := survey{before: l.ledger.begin(0), sent: time.Now()}
	info, err := uses.Info(ctx)
	if err == nil {
		err = l.uses.check(&info.Config)
	}
	if err != nil {
		l.uses.reopen()
		return err
	}
	l.noteUses(info.Created, revocations)
	heard.last, heard.received = info.State.LastSeq, time.Now()
	l.ledger.survey(l.now(), heard, info.Cluster)
	return nil
}
