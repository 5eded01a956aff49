package keyset_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestUnknownKeyID_Rotation(t *testing.T) {
	t.Parallel()
	bubble(t, "in peace the first token is accepted at once", func(t *testing.T) {
		i, s := inHand(t)
		i.publish(key("a", 0), key("b", 1))
		began := time.Now()
		mustKeys(t, s, "b")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v, want 0", waited)
		}
		wantCount(t, i, 2)
	})
	bubble(t, "two rotations within seconds", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.config(t))
		for n := range 5 {
			id := fmt.Sprint("k", n)
			i.publish(key(id, n))
			mustKeys(t, s, id)
			time.Sleep(time.Second)
		}
	})
	bubble(t, "while a refresh that began before is under way", func(t *testing.T) {
		i, s := inHand(t)
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
}

func TestUnknownKeyID_FailureIsNotCharged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, s := inHand(t)
		i.set(func(i *issuer) { i.broken = true })
		_, err := s.Keys(t.Context(), jws.Named("b"))
		retry := unavailable(t, err).RetryAfter
		if retry <= 0 || retry > 1250*time.Millisecond {
			t.Fatalf("RetryAfter = %v, want about 1s", retry)
		}
		i.set(func(i *issuer) { i.broken, i.body = false, jwks(key("b", 1)) })
		_, err = s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err) // the back-off still runs
		wantCount(t, i, 2)
		time.Sleep(retry)
		mustKeys(t, s, "b")
		wantCount(t, i, 3)
	})
}

func TestUnknownKeyID_RefusedInCoolDown(t *testing.T) {
	t.Parallel()
	bubble(t, "a key ID that was looked for plans no fetch", func(t *testing.T) {
		i, s := inHand(t)
		for range 9 {
			refused(t, s, "b", keyset.ErrUnknownKey)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		wantCount(t, i, 2)
	})
	bubble(t, "another key ID plans one, after which it is known", func(t *testing.T) {
		i, s := inHand(t)
		refused(t, s, "b", keyset.ErrUnknownKey)
		i.publish(key("a", 0), key("c", 2))
		time.Sleep(3 * time.Second)
		postponed(t, s, "c", keyset.CoolDownTime-3*time.Second)
		refused(t, s, "b", keyset.ErrUnknownKey) // known to be unknown
		time.Sleep(keyset.CoolDownTime)
		synctest.Wait()
		wantCount(t, i, 3)
		mustKeys(t, s, "c")
		wantCount(t, i, 3)
	})
	bubble(t, "more key IDs than are remembered", func(t *testing.T) {
		i, s := inHand(t)
		refused(t, s, "random", keyset.ErrUnknownKey)
		for n := range 5000 {
			postponed(t, s, fmt.Sprint("random-", n), keyset.CoolDownTime)
		}
		time.Sleep(keyset.CoolDownTime)
		synctest.Wait()
		refused(t, s, "random-1023", keyset.ErrUnknownKey) // the last that is remembered
		wantCount(t, i, 3)
		postponed(t, s, "random-1024", keyset.CoolDownTime)
		time.Sleep(time.Minute)
		wantCount(t, i, 4)
	})
	t.Run("nothing is asked when keys are fixed", func(t *testing.T) {
		s := start(t, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("a", 0)))})
		refused(t, s, "b", keyset.ErrUnknownKey)
		mustKeys(t, s, "a")
	})
}

// postponed asserts that keyID is not known to be unknown, and will be asked for
// after wait.
func postponed(t testing.TB, s *keyset.Set, keyID string, wait time.Duration) {
	t.Helper()
	keys, err := s.Keys(t.Context(), jws.Named(keyID))
	if len(keys) != 0 || !errors.Is(err, keyset.ErrPostponed) || errors.Is(err, keyset.ErrUnknownKey) {
		t.Fatalf("Keys(%q) = %d keys, error %v, want error %v", keyID, len(keys), err, keyset.ErrPostponed)
	}
	if got := unavailable(t, err).RetryAfter; got != wait {
		t.Fatalf("RetryAfter = %v, want %v", got, wait)
	}
}

func TestUnknownKeyID_AsksPastCaches(t *testing.T) {
	t.Parallel()
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
