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
	t.Run("while a refresh that began before is under way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			s.Hold()
			defer s.Release()
			i.set(func(i *issuer) { i.delay, i.early = 9*time.Second, true })
			for i.count() < 2 {
				time.Sleep(time.Second)
			}
			i.publish(key("a", 0), key("b", 1))
			mustKeys(t, s, "b")
			wantCount(t, i, 3)
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

func TestUnknownKeyID_FailureIsNotCharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.config(t))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.broken = true })
		_, err := s.Keys(t.Context(), "b", true)
		retry := unavailable(t, err).RetryAfter
		if retry <= 0 || retry > 1250*time.Millisecond {
			t.Fatalf("RetryAfter = %v, want about 1s", retry)
		}
		i.set(func(i *issuer) { i.broken, i.body = false, jwks(key("b", 1)) })
		_, err = s.Keys(t.Context(), "b", true)
		unavailable(t, err) // the back-off still runs
		wantCount(t, i, 2)
		time.Sleep(retry)
		mustKeys(t, s, "b")
		wantCount(t, i, 3)
	})
}

func TestUnknownKeyID_RefusedInCoolDown(t *testing.T) {
	t.Run("a key ID that was looked for plans no fetch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			for range 9 {
				refused(t, s, "b", keyset.ErrUnknownKey)
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
			wantCount(t, i, 2)
		})
	})
	t.Run("another key ID plans one, after which it is known", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			refused(t, s, "b", keyset.ErrUnknownKey)
			i.publish(key("a", 0), key("c", 2))
			refused(t, s, "c", keyset.ErrUnknownKey)
			time.Sleep(keyset.CoolDownTime)
			synctest.Wait()
			wantCount(t, i, 3)
			mustKeys(t, s, "c")
			wantCount(t, i, 3)
		})
	})
	t.Run("more key IDs than are remembered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			for n := range 5000 {
				refused(t, s, fmt.Sprint("random-", n), keyset.ErrUnknownKey)
			}
			time.Sleep(time.Minute)
			wantCount(t, i, 3)
		})
	})
	t.Run("nothing is asked when keys are fixed", func(t *testing.T) {
		s := start(t, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("a", 0)))})
		refused(t, s, "b", keyset.ErrUnknownKey)
		mustKeys(t, s, "a")
	})
}

func TestUnknownKeyID_AsksPastCaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.etag = `"1"`
		s := start(t, i.config(t))
		mustKeys(t, s, "a")
		refused(t, s, "b", keyset.ErrUnknownKey)
		r := i.last()
		if got := r.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control = %q, want no-cache", got)
		}
		if got := r.Header.Get("If-None-Match"); got != "" {
			t.Errorf("If-None-Match = %q, want none", got)
		}
	})
}

func TestRefetched(t *testing.T) {
	t.Run("a changed key under the same key ID is found", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			cfg := i.config(t)
			cfg.ReusesKeyIDs = true
			s := start(t, cfg)
			old := mustKeys(t, s, "a")[0]
			i.publish(key("a", 1))
			keys, ok := s.Refetched(t.Context(), "a")
			if !ok || len(keys) != 1 || keys[0] == old {
				t.Fatalf("Refetched() = %d keys, %v, want the new one", len(keys), ok)
			}
			if old.Live(time.Now()) {
				t.Error("the replaced key is still live")
			}
		})
	})
	t.Run("a token without key ID gets all keys", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("", 0))
			cfg := i.config(t)
			cfg.ReusesKeyIDs = true
			s := start(t, cfg)
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			i.publish(key("", 1), key("", 2))
			if keys, ok := s.Refetched(t.Context(), ""); !ok || len(keys) != 2 {
				t.Fatalf("Refetched() = %d keys, %v, want 2", len(keys), ok)
			}
		})
	})
	t.Run("a thousand bad signatures cost one fetch and one at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			i.delay = time.Millisecond
			cfg := i.config(t)
			cfg.ReusesKeyIDs = true
			s := start(t, cfg)
			mustKeys(t, s, "a")
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() { s.Refetched(context.Background(), "a") })
			}
			wg.Wait()
			if _, ok := s.Refetched(t.Context(), "a"); ok {
				t.Error("Refetched() = true within the cool-down")
			}
			time.Sleep(time.Minute)
			wantCount(t, i, 3)
		})
	})
	t.Run("an issuer that does not reuse key IDs is not asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			s := start(t, i.config(t))
			mustKeys(t, s, "a")
			for range 100 {
				if _, ok := s.Refetched(t.Context(), "a"); ok {
					t.Fatal("Refetched() = true, want false")
				}
			}
			wantCount(t, i, 1)
		})
	})
	t.Run("a failure means that the signature is simply bad", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			cfg := i.config(t)
			cfg.ReusesKeyIDs = true
			s := start(t, cfg)
			mustKeys(t, s, "a")
			i.set(func(i *issuer) { i.status = 500 })
			for range 100 {
				if _, ok := s.Refetched(t.Context(), "a"); ok {
					t.Fatal("Refetched() = true, want false")
				}
			}
			wantCount(t, i, 2)
		})
	})
}
