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

	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestUnknownKeyID_Flood(t *testing.T) {
	ask := func(s *keyset.Set, n int) error {
		_, err := s.Keys(context.Background(), fmt.Sprintf("random-%d", n), true)
		return err
	}
	floods := []struct {
		name  string
		flood func(s *keyset.Set, check func(error))
	}{
		{"one by one", func(s *keyset.Set, check func(error)) {
			for n := range 1000 {
				check(ask(s, n))
			}
		}},
		{"by fifty workers", func(s *keyset.Set, check func(error)) {
			var next atomic.Int64
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					for n := next.Add(1); n <= 1000; n = next.Add(1) {
						check(ask(s, int(n)))
					}
				})
			}
			wg.Wait()
		}},
		{"all at once", func(s *keyset.Set, check func(error)) {
			var wg sync.WaitGroup
			for n := range 1000 {
				wg.Go(func() { check(ask(s, n)) })
			}
			wg.Wait()
		}},
		{"each leaves before the answer", func(s *keyset.Set, check func(error)) {
			for n := range 1000 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
				_, err := s.Keys(ctx, fmt.Sprintf("random-%d", n), true)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					check(err)
				}
			}
		}},
	}
	for _, flood := range floods {
		for _, warm := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, keys in hand %v", flood.name, warm), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					i := newIssuer(key("a", 0))
					i.delay = 50 * time.Millisecond
					s := start(t, i.config(t))
					before := 0
					if warm {
						mustKeys(t, s, "a")
						before = 1
					}
					flood.flood(s, func(err error) {
						if !errors.Is(err, keyset.ErrUnknownKey) {
							t.Errorf("Keys() error = %v, want %v", err, keyset.ErrUnknownKey)
						}
					})
					time.Sleep(3 * keyset.CoolDownTime)
					if got := i.count() - before; got < 1 || got > 2 {
						t.Errorf("flood cost %d fetches, want 1 or 2", got)
					}
					mustKeys(t, s, "a")
				})
			})
		}
	}
}

func TestUnknownKeyID_Rotation(t *testing.T) {
	t.Run("in peace the first token is accepted at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			i.publish(key("a", 0), key("b", 1))
			began := time.Now()
			mustKeys(t, s, "b")
			if waited := time.Since(began); waited != 0 {
				t.Errorf("waited %v, want 0", waited)
			}
			wantCount(t, i, 2)
		})
	})
	t.Run("two rotations within seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			for n := range 5 {
				id := fmt.Sprint("k", n)
				i.publish(key(id, n))
				mustKeys(t, s, id)
				time.Sleep(time.Second)
			}
		})
	})
	t.Run("in a flood within one cool-down", func(t *testing.T) {
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
						_, _ = s.Keys(ctx, fmt.Sprintf("random-%d-%d", w, n), true)
						time.Sleep(100 * time.Millisecond)
					}
				})
			}
			time.Sleep(33 * time.Second)
			i.publish(key("b", 1))
			rotated := time.Now()
			for {
				_, err := s.Keys(ctx, "b", true)
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
	})
}
