package revoked

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

func wantReady(t *testing.T, f *Follower, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := f.Ready(ctx); !errors.Is(err, want) {
		t.Errorf("Ready() error = %v, want %v", err, want)
	}
}

// Where there is no log, nobody waits for it.
func TestFollower_None(t *testing.T) {
	t.Parallel()
	var f *Follower
	wantReady(t, f, nil)
	if durable, err := f.Share(t.Context(), Revocation{Subject: "alice"}); !durable || err != nil {
		t.Errorf("Share() = %t, %v", durable, err)
	}
	if first, err := f.FirstUse(t.Context(), [32]byte{}, in(0)); !first || err != nil {
		t.Errorf("FirstUse() = %t, %v", first, err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("Close() error = %v", err)
	}
}

// What is in the log holds here, then what comes, until the end. What a
// revocation leaves open is filled in, and one that says nothing is ignored.
func TestFollower_Follows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(true), memorylog.New[Revocation](Revocation{Subject: "alice"}, Revocation{}, Revocation{Until: in(time.Hour)})
		b.wants(t, Token{Subject: "bob"}, refusal.ErrRevocationsUnavailable)
		f := b.follow(t, log, "")
		wantReady(t, f, nil)
		b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
		b.wants(t, Token{Subject: "bob"}, nil)
		if n := b.said("empty revocation"); n != 2 || b.Len() != 1 {
			t.Errorf("%d lines tell of empty revocations, and %d are kept, want 2 and 1", n, b.Len())
		}
		if durable, err := f.Share(t.Context(), Revocation{Subject: "bob", Until: in(time.Hour)}); !durable || err != nil {
			t.Errorf("Share() = %t, %v", durable, err)
		}
		synctest.Wait()
		b.wants(t, Token{Subject: "bob"}, refusal.ErrRevoked)
		if err := f.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
		log.Add(Revocation{Subject: "carol"})
		synctest.Wait()
		b.wants(t, Token{Subject: "carol"}, nil)
		b.Close()
	})
}

// Where revocations may be missing, everything is refused or nothing changes, as
// is wanted, until contact is back.
func TestFollower_Lost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"required": refusal.ErrRevocationsUnavailable, "not required": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, log := newLab(want != nil), memorylog.New[Revocation]()
				f := b.follow(t, log, "")
				wantReady(t, f, nil)
				b.wants(t, Token{Subject: "bob"}, nil)
				for n := range 2 {
					log.SetDown(true)
					synctest.Wait()
					b.wants(t, Token{Subject: "bob"}, want)
					wantReady(t, f, refusal.ErrRevocationsUnavailable)
					if ended := b.lost.Load() == int64(n+1); ended != (want != nil) {
						t.Errorf("everything was ended: %t", ended)
					}
					time.Sleep(time.Hour)
					log.SetDown(false)
					time.Sleep(2 * time.Minute)
					b.wants(t, Token{Subject: "bob"}, nil)
					wantReady(t, f, nil)
				}
				if lost, back := b.said("log lost"), b.said("caught up"); lost != 2 || back != 3 {
					t.Errorf("%d lines of a loss and %d of contact, want 2 and 3", lost, back)
				}
				f.Close()
				b.Close()
			})
		})
	}
}

// A log that cannot go on is tried again about once a minute.
func TestFollower_Backoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), memorylog.New[Revocation]()
		log.SetDown(true)
		f := b.follow(t, log, "")
		time.Sleep(time.Hour)
		if _, _, follows := log.Counts(); follows < 40 || follows > 140 {
			t.Errorf("%d attempts in an hour, want about one a minute", follows)
		}
		f.Close()
		b.Close()
	})
}

// A failingLog notes when somebody wants to follow it, in vain.
type failingLog struct {
	*memorylog.Log[Revocation]
	attempts []time.Time
}

func (l *failingLog) Follow(context.Context, func(Revocation), func(bool)) error {
	l.attempts = append(l.attempts, time.Now())
	return memorylog.ErrDown
}

// The pause before each attempt is half to one and a half times the delay, which is a
// second at first, is doubled each time, and is a minute at most.
func TestFollower_BackoffPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), &failingLog{Log: memorylog.New[Revocation]()}
		f := b.follow(t, log, "")
		time.Sleep(4 * time.Hour)
		f.Close()
		b.Close()
		delay := time.Second
		for n := range len(log.attempts) - 1 {
			pause := log.attempts[n+1].Sub(log.attempts[n])
			if pause < delay/2 || pause >= delay*3/2 {
				t.Errorf("pause %d of %v, want half to one and a half times %v", n+1, pause, delay)
			}
			delay = min(2*delay, time.Minute)
		}
	})
}

// Whoever waits for a log that does not say anything is told why the wait ended.
func TestFollower_NotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newLab(false)
		f := b.follow(t, silentLog{memorylog.New[Revocation]()}, "")
		wantReady(t, f, refusal.ErrRevocationsUnavailable)
		wantReady(t, f, context.DeadlineExceeded)
		f.Close()
		b.Close()
	})
}

// A silentLog never says whether it has caught up.
type silentLog struct{ *memoryLog }

// Follow implements [Log].
func (silentLog) Follow(ctx context.Context, _ func(Revocation), _ func(bool)) error {
	<-ctx.Done()
	return ctx.Err()
}

// A laggingLog has caught up after a while, and goes on.
type laggingLog struct {
	*memoryLog
	after time.Duration
}

// Follow implements [Log].
func (l laggingLog) Follow(ctx context.Context, _ func(Revocation), caughtUp func(bool)) error {
	select {
	case <-time.After(l.after):
		caughtUp(true)
		<-ctx.Done()
	case <-ctx.Done():
	}
	return ctx.Err()
}

// A log that neither catches up nor fails is told of once, some seconds after the start,
// and once more when it has caught up.
func TestFollower_Late(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		after      time.Duration
		late, back int // lines after an hour
	}{
		{"at once", 0, 0, 1},
		{"in time", 9 * time.Second, 0, 1},
		{"late", 11 * time.Second, 1, 1},
		{"never", 2 * time.Hour, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newLab(false)
				f := b.follow(t, laggingLog{after: tt.after}, "")
				time.Sleep(time.Hour)
				if late, back := b.said("not read completely yet"), b.said("caught up"); late != tt.late || back != tt.back {
					t.Errorf("%d lines tell that the log is late, and %d that it has caught up, want %d and %d", late, back, tt.late, tt.back)
				}
				f.Close()
				b.Close()
			})
		})
	}
}

// When the clock goes back by more than a little, what seemed over is announced
// again and the log is read anew: it may have left out what holds now.
func TestFollower_ClockWentBack(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		ahead  time.Duration
		follow int // how often in all
	}{
		{"by two hours", 2 * time.Hour, 2},
		{"by half a minute", 30 * time.Second, 1},
		{"not at all", 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := Revocation{Subject: "alice", Until: in(time.Hour)}
				b, log := newLab(false), memorylog.New[Revocation](r)
				f := b.follow(t, log, "")
				wantReady(t, f, nil)
				b.set(tt.ahead)
				time.Sleep(55*time.Second + 500*time.Millisecond)
				b.announced()
				b.set(0)
				b.wants(t, Token{Subject: "alice"}, refusal.ErrRevoked)
				time.Sleep(10 * time.Second)
				if _, _, follows := log.Counts(); follows != tt.follow {
					t.Errorf("the log was read %d times, want %d", follows, tt.follow)
				}
				if got := b.announced(); len(got) != tt.follow-1 || len(got) == 1 && got[0] != r {
					t.Errorf("announced %v, want %d", got, tt.follow-1)
				}
				if got := b.said(`msg="the clock went back"`); got != tt.follow-1 {
					t.Errorf("%d lines say that the clock went back, want %d", got, tt.follow-1)
				}
				f.Close()
				b.Close()
			})
		})
	}
}

// A slowLog needs a second to come to its end.
type slowLog struct {
	*memorylog.Log[Revocation]
	ended bool
}

func (l *slowLog) Follow(ctx context.Context, apply func(Revocation), current func(bool)) error {
	err := l.Log.Follow(ctx, apply, current)
	time.Sleep(time.Second)
	l.ended = true
	return err
}

// Whoever has closed a Follower can close its log.
func TestFollower_CloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(true), &slowLog{Log: memorylog.New[Revocation]()}
		f := b.follow(t, log, "")
		wantReady(t, f, nil)
		if err := f.Close(); err != nil || !log.ended {
			t.Errorf("Close() error = %v, and the log is still followed: %v", err, !log.ended)
		}
		b.Close()
	})
}

// A log that was followed for long is followed again soon, also where it was out of
// reach for long before; and the line of a loss says why.
func TestFollower_BackoffAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), memorylog.New[Revocation]()
		log.SetDown(true)
		f := b.follow(t, log, "")
		time.Sleep(time.Hour)
		log.SetDown(false)
		time.Sleep(time.Hour)
		log.SetDown(true)
		synctest.Wait()
		log.SetDown(false)
		time.Sleep(2 * firstFollowDelay)
		wantReady(t, f, nil)
		if lost, why := b.said("log lost"), b.said(memorylog.ErrDown.Error()); lost != 2 || why != 2 {
			t.Errorf("%d lines of a loss, %d of which say why, want 2 and 2", lost, why)
		}
		f.Close()
		b.Close()
	})
}

// A lateLog applies a revocation after it has given up.
type lateLog struct {
	memoryLog
	apply chan func(Revocation)
}

func (l *lateLog) Follow(_ context.Context, apply func(Revocation), _ func(bool)) error {
	select {
	case l.apply <- apply:
	default:
	}
	return memorylog.ErrDown
}

// What a log says after it has given up is not heard: it is followed anew from the
// beginning, and may say otherwise there.
func TestFollower_AfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, log := newLab(false), &lateLog{apply: make(chan func(Revocation), 1)}
		f := b.follow(t, log, "")
		synctest.Wait()
		(<-log.apply)(Revocation{Subject: "alice", Until: in(time.Hour)})
		b.wants(t, Token{Subject: "alice"}, nil)
		f.Close()
		b.Close()
	})
}

// A clock that was ahead between two looks is noticed where something was dropped by it.
func TestFollower_ClockWasAheadForAMoment(t *testing.T) {
	t.Parallel()
	for _, dropped := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b, log := newLab(false), memorylog.New[Revocation]()
			f := b.follow(t, log, "")
			synctest.Wait()
			b.set(3 * time.Hour)
			late := maxLate
			if dropped {
				late++
			}
			for n := range late {
				b.Add(Revocation{TokenID: strconv.Itoa(n), Until: in(time.Hour)})
			}
			b.set(0)
			time.Sleep(2 * clockInterval)
			if noticed := b.said("the clock went back") > 0; noticed != dropped {
				t.Errorf("noticed %t, though something was dropped: %t", noticed, dropped)
			}
			f.Close()
			b.Close()
		})
	}
}

// A changingLog cannot be followed, each time for another reason.
type changingLog struct {
	*memoryLog
	reasons []error // nil: it is current for a moment
}

// Follow implements [Log].
func (l *changingLog) Follow(ctx context.Context, _ func(Revocation), caughtUp func(bool)) error {
	if len(l.reasons) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	err := l.reasons[0]
	l.reasons = l.reasons[1:]
	if err == nil {
		caughtUp(true)
	}
	caughtUp(false)
	return err
}

// What keeps a log from being followed is told, each reason once until it is followed again.
func TestFollower_LossesTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused, denied := errors.New("connection refused"), errors.New("permission denied")
		b := newLab(true)
		f := b.follow(t, &changingLog{memorylog.New[Revocation](), []error{refused, refused, denied, refused, denied, nil, refused, refused}}, "")
		time.Sleep(time.Hour)
		for text, want := range map[string]int{
			"revocation log lost": 5, // without a reason at each loss, and then with each
			"connection refused":  2, "permission denied": 1, "revocation log caught up": 1,
		} {
			if n := b.said(text); n != want {
				t.Errorf("%d lines %q, want %d", n, text, want)
			}
		}
		if n := b.lost.Load(); n != 2 {
			t.Errorf("everything was ended %d times, want at each loss, 2", n)
		}
		f.Close()
		b.Close()
	})
}
