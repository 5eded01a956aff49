package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// floods are ways to ask a set for a thousand key IDs that nobody has. What each
// question got is given to check.
var floods = []struct {
	name  string
	flood func(s *keyset.Set, check func(error))
}{
	{"one by one", func(s *keyset.Set, check func(error)) {
		for n := range 1000 {
			check(askRandom(context.Background(), s, n))
		}
	}},
	{"by fifty workers", func(s *keyset.Set, check func(error)) {
		var next atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				for n := next.Add(1); n <= 1000; n = next.Add(1) {
					check(askRandom(context.Background(), s, int(n)))
				}
			})
		}
		wg.Wait()
	}},
	{"all at once", func(s *keyset.Set, check func(error)) {
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() { check(askRandom(context.Background(), s, n)) })
		}
		wg.Wait()
	}},
	{"each leaves before the answer", func(s *keyset.Set, check func(error)) {
		for n := range 1000 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			err := askRandom(ctx, s, n)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				check(err)
			}
		}
	}},
}

func askRandom(ctx context.Context, s *keyset.Set, n int) error {
	_, err := s.Keys(ctx, jws.Named(fmt.Sprintf("random-%d", n)))
	return err
}

func TestUnknownKeyID_Flood(t *testing.T) {
	t.Parallel()
	for _, flood := range floods {
		for _, warm := range []bool{true, false} {
			bubble(t, fmt.Sprintf("%s, keys in hand %v", flood.name, warm), func(t *testing.T) {
				i := newIssuer(key("a", 0))
				i.delay = 50 * time.Millisecond
				s := start(t, i.config(t))
				before := 0
				if warm {
					mustKeys(t, s, "a")
					before = 1
				}
				flood.flood(s, func(err error) {
					if !errors.Is(err, keyset.ErrUnknownKey) && !errors.Is(err, keyset.ErrPostponed) {
						t.Errorf("Keys() error = %v, want %v or %v", err, keyset.ErrUnknownKey, keyset.ErrPostponed)
					}
				})
				time.Sleep(3 * keyset.CoolDownTime)
				if got := i.count() - before; got < 1 || got > 2 {
					t.Errorf("flood cost %d fetches, want 1 or 2", got)
				}
				mustKeys(t, s, "a")
			})
		}
	}
}

// A new key is accepted within one cool-down, however many ask for others.
func TestUnknownKeyID_RotationInAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.delay = 20 * time.Millisecond
		s := start(t, i.config(t))
		mustKeys(t, s, "a")
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 10 {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_, _ = s.Keys(ctx, jws.Named(fmt.Sprintf("random-%d-%d", w, n)))
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		time.Sleep(33 * time.Second)
		i.publish(key("b", 1))
		rotated := time.Now()
		for {
			_, err := s.Keys(ctx, jws.Named("b"))
			if err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if took := time.Since(rotated); took > keyset.CoolDownTime+time.Second {
			t.Errorf("new key accepted after %v, want within a cool-down", took)
		}
		time.Sleep(57 * time.Second)
		stop()
		wg.Wait()
		if got, most := i.count(), 2+int(time.Since(rotated.Add(-33*time.Second))/keyset.CoolDownTime); got > most {
			t.Errorf("flood cost %d fetches, want at most %d", got, most)
		}
	})
}
