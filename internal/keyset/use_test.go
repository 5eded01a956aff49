package keyset_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func TestIdle(t *testing.T) {
	t.Parallel()
	bubble(t, "unused keys are not refreshed, and dropped after a day without a word of failure", func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		i.header.Set("Cache-Control", "max-age=600")
		s := start(t, j.config(t, i))
		k := mustKeys(t, s, "a")[0]
		time.Sleep(23 * time.Hour)
		// The one refresh at 80 % falls within the lifetime of the last use.
		wantCount(t, i, 2)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if k.Live(time.Now()) {
			t.Error("unused key live after a day")
		}
		j.wantStates(t, "none-fresh false", "fresh-none false")
		mustKeys(t, s, "a")
		wantCount(t, i, 3)
	})
	bubble(t, "the first use after a pause is answered at once and refreshes", func(t *testing.T) {
		i, s := inHand(t)
		time.Sleep(12 * time.Hour)
		i.set(func(i *issuer) { i.delay, i.fetches = time.Second, 0 })
		began := time.Now()
		mustKeys(t, s, "a")
		if time.Since(began) != 0 {
			t.Error("a known key waited")
		}
		time.Sleep(2 * time.Second)
		wantCount(t, i, 1)
	})
	bubble(t, "a failed look-up long ago is no stale entry", func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), &journal{}
		i.header.Set("Cache-Control", "max-age=86400")
		s := start(t, j.config(t, i))
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.broken = true })
		_, err := s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err)
		time.Sleep(18 * time.Hour)
		j.wantStates(t, "none-fresh false")
	})
}

func TestInUse(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name string
		warm bool
		use  func(*keyset.Set, *keyset.Key)
		want int // fetches in ten hours, about
	}{
		{"nobody asks", false, func(*keyset.Set, *keyset.Key) {}, 2},
		{"nobody asks, but kept warm", true, func(*keyset.Set, *keyset.Key) {}, 13},
		{"keys are asked for", false, func(s *keyset.Set, _ *keyset.Key) {
			_, _ = s.Keys(t.Context(), jws.Named("a"))
		}, 13},
		{"a cached verdict asks whether its key is live", false, func(_ *keyset.Set, k *keyset.Key) {
			k.Live(time.Now())
		}, 13},
		{"readiness is asked for", false, func(s *keyset.Set, _ *keyset.Key) {
			_ = s.Ready(t.Context())
		}, 2},
	}
	for _, row := range rows {
		bubble(t, row.name, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			cfg := i.config(t)
			cfg.KeepWarm = row.warm
			s := start(t, cfg)
			k := mustKeys(t, s, "a")[0]
			for range 10 * 60 / 5 {
				time.Sleep(5 * time.Minute)
				row.use(s, k)
			}
			if got := i.count(); got < row.want-1 || got > row.want+1 {
				t.Errorf("%d fetches in ten hours, want about %d", got, row.want)
			}
		})
	}
	bubble(t, "to hold keys is to use them", func(t *testing.T) {
		i, s := inHand(t)
		time.Sleep(12 * time.Hour)
		before := i.count()
		s.Hold()
		if !s.LastUsed().Equal(time.Now()) {
			t.Errorf("LastUsed() = %v, want now", s.LastUsed())
		}
		synctest.Wait()
		wantCount(t, i, before+1) // at once
		s.Release()
	})
	bubble(t, "held by one, and released", func(t *testing.T) {
		_, s := inHand(t)
		if s.Held() {
			t.Error("a set that nobody holds is held")
		}
		s.Hold()
		if !s.Held() || s.Retire() {
			t.Error("a set that somebody holds is not held, or taken out of use")
		}
		s.Release()
		if s.Held() || !s.Retire() {
			t.Error("a set that was released is held, or stays in use")
		}
	})
	bubble(t, "held, then released", func(t *testing.T) {
		i, s := inHand(t)
		time.Sleep(5 * time.Hour)
		s.Hold()
		time.Sleep(5 * time.Hour)
		held := i.count()
		if held < 7 {
			t.Errorf("%d fetches while held, want at least 7", held)
		}
		s.Release()
		time.Sleep(5 * time.Hour)
		if got := i.count(); got > held+1 {
			t.Errorf("%d fetches after release, want at most 1", got-held)
		}
	})
}

// Keys that are kept warm are fetched once although nobody asks, within a second.
func TestWarm(t *testing.T) {
	t.Parallel()
	bubble(t, "nobody asks", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.config(t))
		s.Warm()
		s.Warm() // once more
		wantCount(t, i, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		wantCount(t, i, 1)
		time.Sleep(10 * time.Hour)
		if got := i.count(); got < 12 || got > 14 || !s.LastUsed().IsZero() {
			t.Errorf("%d fetches in ten hours, used at %v, want about 13 and no use", got, s.LastUsed())
		}
	})
	bubble(t, "the issuer is down", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		i.broken = true
		s := start(t, i.config(t))
		s.Warm()
		time.Sleep(time.Hour)
		if got := i.count(); got < 60 || got > 170 { // with the back-off without keys
			t.Errorf("%d fetches in an hour, want about 120", got)
		}
		i.set(func(i *issuer) { i.broken = false })
		time.Sleep(40 * time.Second)
		if !s.InHand() {
			t.Error("no keys in hand 40 seconds after an outage")
		}
	})
	bubble(t, "fresh keys, asked for before", func(t *testing.T) {
		i, s := inHand(t)
		s.Warm()
		time.Sleep(time.Minute)
		wantCount(t, i, 1)
	})
	bubble(t, "fixed keys, and a closed set", func(t *testing.T) {
		s := start(t, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("a", 0)))})
		s.Warm()
		i := newIssuer(key("a", 0))
		closed := start(t, i.config(t))
		closed.Close()
		closed.Warm()
		time.Sleep(48 * time.Hour)
		wantCount(t, i, 0)
		if r := s.Report(); r.State != keyset.Fresh || !r.NextRefresh.IsZero() {
			t.Errorf("State = %v, next refresh at %v of fixed keys", r.State, r.NextRefresh)
		}
	})
	bubble(t, "kept from the last run", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.CacheDir = t.TempDir()
		s := start(t, cfg)
		mustKeys(t, s, "a")
		s.Close()
		s = start(t, cfg)
		s.Warm()
		time.Sleep(time.Second)
		synctest.Wait()
		wantCount(t, i, 2)
		if r := s.Report(); r.State != keyset.Fresh {
			t.Errorf("State = %v, want confirmed", r.State)
		}
	})
	for _, warm := range []string{"by name", "by use"} {
		bubble(t, "after the machine slept for a day, "+warm, func(t *testing.T) {
			i := newIssuer(key("a", 0))
			cfg := i.config(t)
			cfg.KeepWarm = warm == "by use"
			s := start(t, cfg)
			mustKeys(t, s, "a")
			if !cfg.KeepWarm {
				s.Warm()
			}
			keyset.Sleep(s, 25*time.Hour)
			time.Sleep(time.Minute) // the timer sees it
			synctest.Wait()
			if !s.InHand() {
				t.Error("no keys in hand a minute later, although they are kept warm")
			}
		})
	}
}

// TestRetire_WhileAFetchEnds: an issuer that is dropped while its answer arrives
// and a session is begun must neither stay in use nor take the process with it.
func TestRetire_WhileAFetchEnds(t *testing.T) {
	t.Parallel()
	document := []byte(jwks(fastKey("a", 0)))
	for range 500 {
		s, err := keyset.New(keyset.Config{Fixed: document})
		if err != nil {
			t.Fatal(err)
		}
		k := mustKeys(t, s, "a")[0]
		var confirmed atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 300 {
				keyset.Confirm(s)
				confirmed.Store(true)
			}
		})
		wg.Go(func() {
			for !confirmed.Load() {
				runtime.Gosched()
			}
			s.Retire()
			s.Hold()
		})
		wg.Wait()
		if k.Live(time.Now()) {
			t.Fatal("the key is live after its set was retired and held too late")
		}
		s.Close()
	}
}
