package revoked

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// clockInterval is how soon a clock that was set, or a machine that slept, is
// noticed: the runtime's timers follow neither.
const clockInterval = 10 * time.Second

// errClockWentBack begins to follow the log again.
var errClockWentBack = errors.New("the clock went back: revocations that it had ended may hold again")

// watchClock has the log followed from the beginning when the clock has gone
// back, until Close: what seemed over while it was ahead, and was dropped here or
// left out by the log, may hold again. It notices within clockInterval; what is
// still kept here holds again at once.
func (f *Follower) watchClock(ctx context.Context) {
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	last := f.list.clock.offset(f.now())
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		offset := f.list.clock.offset(f.now())
		back := max(last, f.list.droppedBy()) - offset
		last = offset
		if back > clockSlack {
			f.clockWentBack(ctx, back)
		}
	}
}

// clockWentBack ends what began while a revocation of its token seemed over, and
// has the log followed again.
func (f *Follower) clockWentBack(ctx context.Context, back time.Duration) {
	f.logger.LogAttrs(ctx, slog.LevelWarn, "the clock went back", slog.Duration("by", back))
	f.list.announce(f.list.InForce())
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.again != nil {
		f.again(errClockWentBack)
	}
}
