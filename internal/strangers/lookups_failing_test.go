package strangers_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// That an issuer is gone is noticed in time, though many others cannot be asked about: they
// are asked about last.
func TestLookups_FailingComeLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down, removed atomic.Bool
		var noticed atomic.Int64
		l := strangers.NewLookups(strangers.LookupConfig{
			Max: 1000,
			Ask: func(ctx context.Context, name string, _ any) (any, error) {
				switch {
				case down.Load() && strings.HasPrefix(name, "failing"):
					<-ctx.Done()
					return nil, ctx.Err()
				case removed.Load() && name == "well":
					return nil, nil
				}
				return name, nil
			},
			Changed: func(former, now any) {
				if former == "well" && now == nil {
					noticed.CompareAndSwap(0, time.Now().UnixNano())
				}
			},
			Lapsed: func([]any) {},
			Used:   func(any) (time.Time, bool) { return time.Now(), true },
			Logger: slog.New(slog.DiscardHandler),
		})
		defer l.Close()
		names := []string{"well"}
		for i := range 80 {
			names = append(names, fmt.Sprint("failing-", i))
		}
		for _, name := range names {
			if _, err := l.Find(t.Context(), caller(1), name); err != nil {
				t.Fatal(err)
			}
		}
		down.Store(true)
		time.Sleep(10 * time.Minute)
		removed.Store(true)
		began := time.Now()
		time.Sleep(10 * time.Minute)
		if took := time.Unix(0, noticed.Load()).Sub(began); took < 0 || took > 90*time.Second {
			t.Errorf("noticed after %v, want a minute and a half at most", took)
		}
	})
}

// While the table hangs, what it said last counts for ten minutes, and nobody waits for
// what it will not say: but for the first, who finds that out.
func TestLookups_HangingTable(t *testing.T) {
	t.Parallel()
	bubble(t, "one waits in ten minutes", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.prompt.Store(true)
		r.find(t, "a", "data of a", nil)
		began := time.Now()
		r.says(func(string, any) (any, error) { time.Sleep(10 * time.Second); return nil, errTable })
		time.Sleep(65 * time.Second)
		var waited time.Duration
		for time.Since(began) < 10*time.Minute {
			asked := time.Now()
			r.find(t, "a", "data of a", nil)
			waited += time.Since(asked)
			time.Sleep(time.Second)
		}
		if waited > 10*time.Second {
			t.Errorf("tokens waited for %v, want ten seconds at most", waited)
		}
		if n := r.asked.Load(); n < 40 {
			t.Errorf("the table was asked %d times, want again and again", n)
		}
		r.find(t, "a", nil, errTable)
	})
	bubble(t, "its next answer counts at once", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.prompt.Store(true)
		r.find(t, "a", "data of a", nil)
		r.says(func(string, any) (any, error) { return nil, errTable })
		time.Sleep(65 * time.Second)
		r.find(t, "a", "data of a", nil)
		synctest.Wait()
		r.says(func(string, any) (any, error) { return nil, nil })
		time.Sleep(10 * time.Second)
		r.find(t, "a", "data of a", nil)
		synctest.Wait()
		r.find(t, "a", nil, nil)
	})
	bubble(t, "a failure of long ago is none", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.prompt.Store(true)
		r.find(t, "a", "data of a", nil)
		r.says(func(string, any) (any, error) { return nil, errTable })
		time.Sleep(3 * time.Minute)
		r.find(t, "a", "data of a", nil)
		r.says(func(string, any) (any, error) { return nil, nil })
		time.Sleep(3 * time.Minute)
		r.find(t, "a", nil, nil)
	})
}
