package strangers_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// While the table hangs, what it said last counts for ten minutes, however many issuers
// there are and though none of their tokens makes anybody look.
func TestLookups_StaleThoughNobodyLooks(t *testing.T) {
	t.Parallel()
	for _, issuers := range []int{4, 1000} {
		bubble(t, fmt.Sprint(issuers), func(t *testing.T) {
			var down atomic.Bool
			var gone atomic.Int32
			l := strangers.NewLookups(strangers.LookupConfig{
				Max: 1000,
				Ask: func(ctx context.Context, name string, _ any) (any, error) {
					if down.Load() {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					return name, nil
				},
				Changed: func(former, now any) {
					if former != nil && now == nil {
						gone.Add(1)
					}
				},
				Lapsed: func([]any) {},
				Used:   func(any) (time.Time, bool) { return time.Now(), true },
				Logger: slog.New(slog.DiscardHandler),
			})
			defer l.Close()
			for n := range issuers {
				if _, err := l.Find(t.Context(), caller(n), fmt.Sprint(n)); err != nil {
					t.Fatal(err)
				}
			}
			down.Store(true)
			time.Sleep(9 * time.Minute)
			if n := gone.Load(); n != 0 {
				t.Errorf("of %d issuers %d are gone after 9 minutes, want none", issuers, n)
			}
			time.Sleep(2 * time.Minute)
			held := 0
			for n := range issuers {
				if l.Holds(fmt.Sprint(n), func(any) bool { return true }) {
					held++
				}
			}
			if held != 0 || gone.Load() != int32(issuers) {
				t.Errorf("of %d issuers %d count after 11 minutes, and %d are gone", issuers, held, gone.Load())
			}
		})
	}
}

// What is asked about for longer, by a function that does not return when it is told to, is
// not to be relied on meanwhile.
func TestLookups_StaleWhileAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var lapsed atomic.Int32
		l := strangers.NewLookups(strangers.LookupConfig{
			Max: 1,
			Ask: func(_ context.Context, name string, _ any) (any, error) {
				if slow.CompareAndSwap(true, false) { // for one question
					time.Sleep(20 * time.Minute)
				}
				return name, nil
			},
			Changed: func(any, any) {},
			Lapsed: func(data []any) {
				if lapsed.Add(1); !slices.Equal(data, []any{"a"}) {
					t.Errorf("told that %v is not to be relied on", data)
				}
			},
			Used:   func(any) (time.Time, bool) { return time.Now(), true },
			Logger: slog.New(slog.DiscardHandler),
		})
		defer l.Close()
		if _, err := l.Find(t.Context(), caller(1), "a"); err != nil {
			t.Fatal(err)
		}
		slow.Store(true)
		began := time.Now()
		for _, tt := range []struct {
			after time.Duration
			want  bool
		}{{9 * time.Minute, true}, {11 * time.Minute, false}, {19 * time.Minute, false}, {21 * time.Minute, true}} {
			time.Sleep(tt.after - time.Since(began))
			if got := l.Holds("a", func(data any) bool { return data == "a" }); got != tt.want {
				t.Errorf("after %v: Holds() = %t, want %t", tt.after, got, tt.want)
			}
		}
		if n := lapsed.Load(); n != 1 {
			t.Errorf("told %d times that something is not to be relied on, want once", n)
		}
	})
}

// What is let go of does not stay in line, also while all who ask wait for a function that
// does not return.
func TestLookups_LineOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const issuers = 20
		var hung atomic.Int32
		ended := make(chan struct{})
		l := strangers.NewLookups(strangers.LookupConfig{
			Max: issuers,
			Ask: func(_ context.Context, name string, former any) (any, error) {
				if former != nil && hung.Add(1) <= 4 {
					<-ended
				}
				return name, nil
			},
			Changed: func(any, any) {}, Lapsed: func([]any) {},
			Used:   func(any) (time.Time, bool) { return time.Now(), true },
			Logger: slog.New(slog.DiscardHandler),
		})
		defer l.Close()
		defer close(ended)
		for range 20 { // times that all are let go of, and found again
			for n := range issuers {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, _ = l.Find(ctx, caller(n), fmt.Sprint(n))
				cancel()
			}
			time.Sleep(11 * time.Minute)
		}
		if n := l.Due(); hung.Load() != 4 || n > 2*issuers {
			t.Errorf("%d stand in line, %d hang, want %d at most, and 4", n, hung.Load(), 2*issuers)
		}
	})
}

// After a pause of the process everything is old, and what is in use is asked about first.
func TestLookups_StaleAfterAPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		inLine bool
		age    time.Duration
		want   bool
	}{{true, 10*time.Minute - 1, false}, {true, 10 * time.Minute, true}, {false, time.Hour, false}} {
		if got := strangers.Overdue(tt.inLine, tt.age); got != tt.want {
			t.Errorf("of an age of %v, in line %t: overdue %t, want %t", tt.age, tt.inLine, got, tt.want)
		}
	}
}

// What the table said before the machine slept is asked for again. The clocks are the
// system's: those of bubbles have no monotonic part.
func TestLookups_Sleep(t *testing.T) {
	t.Parallel()
	r := newRegistry(t, 10)
	defer r.Close()
	r.prompt.Store(true)
	for _, tt := range []struct {
		slept time.Duration
		asked int32
	}{{0, 1}, {30 * time.Second, 1}, {-time.Hour, 1}, {time.Hour, 2}} {
		r.find(t, "a", "data of a", nil)
		r.Sleep("a", tt.slept)
		r.find(t, "a", "data of a", nil)
		if got := r.asked.Load(); got != tt.asked {
			t.Errorf("after a sleep of %v: asked %d times, want %d", tt.slept, got, tt.asked)
		}
		if tt.asked == 1 {
			r.Sleep("a", -tt.slept)
		}
	}
	r.says(func(string, any) (any, error) { return nil, errTable })
	r.Sleep("a", time.Hour)
	r.find(t, "a", nil, errTable)
}
