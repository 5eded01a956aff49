package strangers_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// Whoever comes again until there is an answer has one at last, however many do, and
// however long one of an issuer's endpoint or of the program's table takes: questions
// that were begun are answered, and not given up for others that will be given up, too.
func TestTurns_SlowAnswers(t *testing.T) {
	t.Parallel()
	const clients = 200
	for _, takes := range []time.Duration{900 * time.Millisecond, 1100 * time.Millisecond, 4 * time.Second} {
		for what, callers := range map[string]int{"one caller": 1, "many callers": clients} {
			bubble(t, fmt.Sprintf("opaque tokens, %s, %v", what, takes), func(t *testing.T) {
				line := strangers.NewLine()
				defer line.Close()
				wantAnswers(t, clients, takes, func(n int) error {
					place, err := line.Stand(t.Context(), caller(n%callers))
					if err != nil {
						return err
					}
					defer place.End()
					if err := place.Wait(); err != nil {
						return err
					}
					return within(place.Context(), takes)
				})
			})
			bubble(t, fmt.Sprintf("the program's table, %s, %v", what, takes), func(t *testing.T) {
				lookups := strangers.NewLookups(strangers.LookupConfig{
					Max: clients,
					Ask: func(ctx context.Context, name string, former any) (any, error) {
						return name, within(ctx, takes)
					},
					Changed: func(any, any) {}, Lapsed: func([]any) {},
					Used:     func(any) (time.Time, bool) { return time.Now(), false },
					Accepted: func(any) bool { return true },
				})
				defer lookups.Close()
				wantAnswers(t, clients, takes, func(n int) error {
					_, err := lookups.Find(t.Context(), caller(n%callers), fmt.Sprint(n))
					return err
				})
			})
		}
	}
}

// within works for so long, or until ctx ends.
func within(ctx context.Context, takes time.Duration) error {
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wantAnswers has so many clients ask, each again after a second until it has an answer,
// and fails where that takes them more than three times what sixteen at once take.
func wantAnswers(t *testing.T, clients int, takes time.Duration, ask func(n int) error) {
	t.Helper()
	begun, most := time.Now(), 3*time.Duration(clients)*takes/16
	var wg sync.WaitGroup
	waiting := make(chan struct{}, clients)
	for n := range clients {
		wg.Go(func() {
			for ask(n) != nil {
				if time.Since(begun) > most {
					waiting <- struct{}{}
					return
				}
				time.Sleep(time.Second)
			}
		})
	}
	wg.Wait()
	synctest.Wait()
	if len(waiting) > 0 {
		t.Errorf("%d of %d clients have no answer after %v", len(waiting), clients, most)
	}
}

// Who has no place yet is not kept out by those who have, for as long as an answer takes.
func TestTurns_SlowAnswersNewcomer(t *testing.T) {
	t.Parallel()
	bubble(t, "a newcomer", func(t *testing.T) {
		line := strangers.NewLine()
		defer line.Close()
		ask := func(addr netip.Addr) (waited time.Duration, err error) {
			began := time.Now()
			place, err := line.Stand(t.Context(), addr)
			if err != nil {
				return 0, err
			}
			defer place.End()
			if err := place.Wait(); err != nil {
				return 0, err
			}
			waited = time.Since(began)
			return waited, within(place.Context(), 3*time.Second)
		}
		var flood sync.WaitGroup
		defer flood.Wait()
		for range 200 {
			flood.Go(func() {
				for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
					_, _ = ask(caller(1))
				}
			})
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if waited, err := ask(caller(2)); err != nil || waited > 0 {
			t.Errorf("waited for %v, %v", waited, err)
		}
	})
}
