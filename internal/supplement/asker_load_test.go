package supplement_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While more ask than whoever is asked can answer, as many are answered as that can: no
// turn goes to a question that has no time left for its answer.
func TestAsker_MoreThanCanBeAnswered(t *testing.T) {
	for _, takes := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond, 2 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAsker()
				defer a.Close()
				put := func(ctx context.Context) (json.RawMessage, error) {
					select {
					case <-time.After(takes):
						return nil, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				const lasts = time.Minute
				most := int32(32 * lasts / takes)
				var callers sync.WaitGroup
				var answered atomic.Int32
				for n := range 2 * most { // twice as many as can be answered
					callers.Go(func() {
						if _, err := a.Ask(t.Context(), fmt.Sprint(n), put); err == nil {
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
