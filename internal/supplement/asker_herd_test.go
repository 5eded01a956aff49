package supplement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/supplement"
)

// Many who ask at once wait for each other, all clients that a restarted server had for
// instance, and those for whom there is no turn in time are no sign that whoever is asked
// fails: a question that is asked next is put at once. One who takes all of the time is.
func TestAsker_Herd(t *testing.T) {
	for takes, want := range map[time.Duration]error{
		50 * time.Millisecond:  nil,
		900 * time.Millisecond: nil,
		2 * time.Second:        nil, // the third in each place would have one second
		3 * time.Second:        nil, // and the second two
		time.Hour:              supplement.ErrPaused,
	} {
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
				var herd sync.WaitGroup
				var answered, unheard atomic.Int32
				for n := range 4000 {
					herd.Go(func() {
						switch _, err := a.Ask(t.Context(), fmt.Sprint(n), put); {
						case err == nil:
							answered.Add(1)
						case errors.Is(err, supplement.ErrUnheard):
							unheard.Add(1)
						case !errors.Is(err, supplement.ErrTimeout):
							t.Errorf("Ask() error = %v", err)
						}
					})
				}
				time.Sleep(supplement.Timeout/2 + time.Millisecond) // nobody waits for a turn any more
				for n := range 2 {
					herd.Go(func() {
						if _, err := a.Ask(t.Context(), fmt.Sprint("who comes behind ", n), put); errors.Is(err, supplement.ErrPaused) {
							t.Errorf("who comes behind: Ask() error = %v", err)
						}
					})
				}
				herd.Wait()
				if answered.Load() < 32 && want == nil || unheard.Load() < 100 {
					t.Errorf("%d are answered, %d waited for their turn only", answered.Load(), unheard.Load())
				}
				herd.Go(func() { _, _ = a.Ask(t.Context(), "the one in a tenth of a second", put) })
				synctest.Wait()
				if _, err := a.Ask(t.Context(), "the next", put); !errors.Is(err, want) {
					t.Errorf("the next: Ask() error = %v, want %v", err, want)
				}
				herd.Wait()
			})
		})
	}
}
