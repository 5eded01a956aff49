package supplement_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// While more ask than whoever is asked can answer, as many are answered as that can: no
// turn goes to a question that has no time left for its answer.
func TestAsker_MoreThanCanBeAnswered(t *testing.T) {
	for _, tt := range []struct {
		takes     time.Duration
		strangers bool // ask, in line
		atOnce    int32
	}{
		{100 * time.Millisecond, false, 32}, {900 * time.Millisecond, false, 32}, {2 * time.Second, false, 32},
		{900 * time.Millisecond, true, 16}, {2 * time.Second, true, 16}, {4 * time.Second, true, 16},
	} {
		t.Run(fmt.Sprint(tt.takes, " strangers ", tt.strangers), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, line := newAsker(), strangers.NewLine()
				defer line.Close()
				defer a.Close()
				put := func(ctx context.Context) (json.RawMessage, error) {
					select {
					case <-time.After(tt.takes):
						return nil, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				const lasts = time.Minute
				most := tt.atOnce * int32(lasts/time.Millisecond) / int32(tt.takes/time.Millisecond)
				var callers sync.WaitGroup
				var answered atomic.Int32
				for n := range 2 * most { // twice as many as can be answered
					var who *supplement.Stranger
					if tt.strangers {
						who = &supplement.Stranger{Caller: netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), Line: line}
					}
					callers.Go(func() {
						if _, err := a.AskFor(t.Context(), who, fmt.Sprint(n), put); err == nil {
							answered.Add(1)
						}
					})
					time.Sleep(lasts / time.Duration(2*most))
				}
				callers.Wait()
				if got := answered.Load(); got < most*9/10 {
					t.Errorf("%d are answered, want nearly all of the %d that can be", got, most)
				}
			})
		})
	}
}
