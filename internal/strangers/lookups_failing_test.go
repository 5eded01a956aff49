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
			Lapsed: func() {},
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
