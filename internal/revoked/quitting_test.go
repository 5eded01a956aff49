package revoked

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A quittingLog ends the goroutine of the next call, as a test's Fatal does that
// somebody calls in it.
type quittingLog struct {
	*memoryLog
	append, follow atomic.Bool
	failed         error // of the next call of Follow, in place of the end
}

// Append implements [Log].
func (l *quittingLog) Append(ctx context.Context, r Revocation) (bool, error) {
	if l.append.CompareAndSwap(true, false) {
		runtime.Goexit()
	}
	return l.memoryLog.Append(ctx, r)
}

// Follow implements [Log].
func (l *quittingLog) Follow(ctx context.Context, apply func(Revocation), caughtUp func(bool)) error {
	if l.follow.CompareAndSwap(true, false) {
		caughtUp(true)
		if l.failed != nil {
			return l.failed
		}
		runtime.Goexit()
	}
	return l.memoryLog.Follow(ctx, apply, caughtUp)
}

// An ownError cannot be told where it is nil.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }

// A log that ends the goroutine that calls it is one that was lost: it is neither
// taken for one that is up to date, nor left alone. Nor does an error that panics when
// it is told end the process.
func TestFollower_Quits(t *testing.T) {
	t.Parallel()
	t.Run("ends its goroutine", func(t *testing.T) { testQuits(t, nil) })
	t.Run("returns a nil pointer as its error", func(t *testing.T) { testQuits(t, (*ownError)(nil)) })
}

func testQuits(t *testing.T, failed error) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(true), &quittingLog{memoryLog: memorylog.New(Revocation{Subject: "alice"}), failed: failed}
		log.follow.Store(true)
		f := b.follow(t, log, "")
		synctest.Wait()
		wantReady(t, f, refusal.ErrRevocationsUnavailable)
		b.wants(t, Token{Subject: "bob"}, refusal.ErrRevocationsUnavailable)
		time.Sleep(2 * time.Minute)
		wantReady(t, f, nil)
		b.wants(t, Token{Subject: "bob"}, nil)
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		f.Close()
		b.Close()
	})
}

// What waits is shared though an attempt ended its goroutine.
func TestFollower_SharesAfterQuit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), &quittingLog{memoryLog: memorylog.New[Revocation]()}
		log.RefuseAll()
		f := b.follow(t, log, "")
		synctest.Wait()
		wantShared(t, f, Revocation{Subject: "alice", Until: in(time.Hour)}, false, ErrWaits)
		log.append.Store(true)
		log.RefuseNone()
		time.Sleep(5 * time.Minute)
		wantReady(t, f, nil)
		if entries, _, _ := log.Counts(); entries != 1 || log.append.Load() {
			t.Errorf("%d are shared, want the one that waits", entries)
		}
		f.Close()
		b.Close()
	})
}
