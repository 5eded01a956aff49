package keyset_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

const noKeys = `{"keys":[]}`

// yetToSign returns an issuer that has no key to publish yet, and a set that knows.
func yetToSign(t testing.TB, body string) (*issuer, *keyset.Set, *journal) {
	t.Helper()
	i, j := newIssuer(), &journal{}
	i.body = body
	s := start(t, j.config(t, i))
	err := s.Ready(t.Context())
	if retry := unavailable(t, err).RetryAfter; !errors.Is(err, keyset.ErrNoUsableKey) || retry != keyset.CoolDownTime {
		t.Fatalf("Ready() error = %v, retry after %v, want %v", err, retry, keyset.ErrNoUsableKey)
	}
	return i, s, j
}

// An issuer that publishes no key yet is not down: its first key's first token is
// accepted at once, however long that took and whoever asked for readiness.
func TestEmptySet(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no key at all":        noKeys,
		"a key for encryption": `{"keys":[` + with(key("e", 9), `{"use":"enc"}`) + `]}`,
	} {
		for _, probes := range []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second, time.Minute} {
			bubble(t, name+", probes every "+probes.String(), func(t *testing.T) {
				i, s, j := yetToSign(t, body)
				for began := time.Now(); probes > 0 && time.Since(began) < time.Hour; time.Sleep(probes) {
					if err := s.Ready(t.Context()); !errors.Is(err, keyset.ErrNoUsableKey) {
						t.Fatalf("Ready() error = %v, want %v", err, keyset.ErrNoUsableKey)
					}
				}
				if most := 1 + int(time.Hour/keyset.CoolDownTime); i.count() > most {
					t.Errorf("%d fetches, want at most %d", i.count(), most)
				}
				i.publish(key("a", 0))
				began := time.Now()
				mustKeys(t, s, "a")
				if waited := time.Since(began); waited != 0 {
					t.Errorf("waited %v, want 0", waited)
				}
				synctest.Wait()
				j.wantStates(t, "none-fresh false")
				if len(j.told().none) != 1 || !errors.Is(j.told().none[0], keyset.ErrNoUsableKey) {
					t.Errorf("NoneUsable was told %v, want it once", j.told().none)
				}
			})
		}
	}
}

func TestEmptySet_Floods(t *testing.T) {
	t.Parallel()
	bubble(t, "cost one fetch in a cool-down, and what nobody can know is no refusal", func(t *testing.T) {
		i, s, _ := yetToSign(t, noKeys)
		time.Sleep(time.Minute)
		before := i.count()
		for n := range 600 { // a minute
			err := askRandom(t.Context(), s, n)
			if retry := unavailable(t, err).RetryAfter; retry > keyset.CoolDownTime {
				t.Fatalf("RetryAfter = %v, want a cool-down at most", retry)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got, most := i.count()-before, 2+int(time.Minute/keyset.CoolDownTime); got > most {
			t.Errorf("%d fetches in a minute, want at most %d", got, most)
		}
		i.publish(key("a", 0))
		_, err := s.Keys(t.Context(), jws.Named("a"))
		if err != nil {
			time.Sleep(unavailable(t, err).RetryAfter)
			mustKeys(t, s, "a")
		}
	})
	bubble(t, "of tokens without key ID", func(t *testing.T) {
		i, s, _ := yetToSign(t, noKeys)
		for range 100 {
			if _, err := s.Keys(t.Context(), jws.KeyID{}); !errors.Is(err, keyset.ErrNoUsableKey) && !errors.Is(err, keyset.ErrPostponed) {
				t.Fatalf("Keys() error = %v, want %v", err, keyset.ErrNoUsableKey)
			}
		}
		wantCount(t, i, 2)
		time.Sleep(keyset.CoolDownTime)
		i.publish(key("", 0))
		if keys, err := s.Keys(t.Context(), jws.KeyID{}); err != nil || len(keys) != 1 {
			t.Errorf("Keys() = %d keys, error %v, want the first key", len(keys), err)
		}
	})
}

func TestEmptySet_States(t *testing.T) {
	t.Parallel()
	bubble(t, "is fresh for half a minute, of which four fifths pass", func(t *testing.T) {
		i := newIssuer()
		i.body = noKeys
		s := start(t, keyset.WithRandom(i.config(t), func() float64 { return 0.5 }))
		unavailable(t, s.Ready(t.Context()))
		if got := time.Until(s.Report().NextRefresh); got != 24*time.Second {
			t.Errorf("NextRefresh in %v, want 24s", got)
		}
	})
	bubble(t, "is asked again in the background while in use", func(t *testing.T) {
		i, s, j := yetToSign(t, noKeys)
		s.Hold()
		defer s.Release()
		time.Sleep(10 * time.Minute)
		if got := i.count(); got < 20 || got > 30 {
			t.Errorf("%d fetches in ten minutes, want about one in half a minute", got)
		}
		i.publish(key("a", 0))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		j.wantStates(t, "none-fresh false")
		if err := s.Ready(t.Context()); err != nil {
			t.Errorf("Ready() = %v", err)
		}
	})
	bubble(t, "an outage is one all the same", func(t *testing.T) {
		i, s, j := yetToSign(t, noKeys)
		s.Hold()
		defer s.Release()
		i.set(func(i *issuer) { i.broken = true })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		j.wantStates(t, "none-gone true")
		i.set(func(i *issuer) { i.broken = false })
		time.Sleep(time.Minute)
		synctest.Wait()
		j.wantStates(t, "none-gone true", "gone-none true")
	})
	bubble(t, "keys that an issuer had are missed", func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		s := startHeld(t, j.config(t, i))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.body = noKeys })
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		j.wantStates(t, "none-fresh false", "fresh-stale true", "stale-gone true")
		i.publish(key("a", 0))
		mustKeys(t, s, "a")
	})
	bubble(t, "says what is published and of no use", func(t *testing.T) {
		_, s, _ := yetToSign(t, `{"keys":[`+with(key("e", 9), `{"use":"enc"}`)+`]}`)
		r := s.Report()
		if len(r.Keys) != 0 || len(r.Skipped) != 1 || r.Skipped[0].Reason != keyset.OtherUse || !errors.Is(r.LastError, keyset.ErrNoUsableKey) {
			t.Errorf("Report() = %+v, want the skipped key and why", r)
		}
		if k, found := s.SkippedKey("e"); !found || k.Reason != keyset.OtherUse {
			t.Errorf("SkippedKey() = %+v, %v", k, found)
		}
		if _, found := s.SkippedKey("f"); found {
			t.Error("SkippedKey() = true for a key ID that nobody published")
		}
	})
	bubble(t, "is not written to the store, nor does it replace what is there", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.CacheDir = t.TempDir()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		synctest.Wait()
		s.Close()
		i.set(func(i *issuer) { i.body = noKeys })
		again := start(t, cfg)
		mustKeys(t, again, "a")
		time.Sleep(time.Hour)
		mustKeys(t, again, "a")
	})
	bubble(t, "at an address that an old discovery document named", func(t *testing.T) {
		i := newIssuer()
		i.body = noKeys
		s := start(t, discovering(t, i))
		unavailable(t, s.Ready(t.Context()))
		time.Sleep(2 * time.Hour)
		i.set(func(i *issuer) { i.jwksURL, i.keepsOld = issuerURL+"/new", true })
		_, err := s.Keys(t.Context(), jws.Named("a"))
		unavailable(t, err)
		if r := s.Report(); r.JWKSURL != issuerURL+"/new" {
			t.Errorf("JWKSURL = %q, want the new one", r.JWKSURL)
		}
	})
}
