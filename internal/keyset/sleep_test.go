package keyset_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A machine that sleeps stops the monotonic clock, and the timers with it. The
// keys have aged all the same when it wakes.
func TestSleep(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name  string
		slept time.Duration
		live  bool
	}{
		{"not at all", 0, true},
		{"until shortly before the limit", 24*time.Hour - time.Second, true},
		{"until the limit", 24 * time.Hour, false},
		{"for a year", 365 * 24 * time.Hour, false},
		{"while the clock was set back", -48 * time.Hour, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i, j := newIssuer(key("a", 0)), &journal{}
				cfg := i.config(t)
				cfg.Hooks = j.hooks()
				s := start(t, cfg)
				k := mustKeys(t, s, "a")[0]
				i.set(func(i *issuer) { i.broken = true })
				keyset.Sleep(s, row.slept)

				if got := k.Live(time.Now()); got != row.live {
					t.Errorf("Live() = %v, want %v", got, row.live)
				}
				_, keysErr := s.Keys(t.Context(), jws.Named("a"))
				if readyErr := s.Ready(t.Context()); (keysErr == nil) != row.live || (readyErr == nil) != row.live {
					t.Errorf("Keys() error = %v, Ready() error = %v, want errors %v", keysErr, readyErr, !row.live)
				}
				if !row.live {
					unavailable(t, keysErr)
				}
			})
		})
	}
}

// An answer that arrives after the machine has slept confirms no key that is too old.
func TestSleep_DuringFetch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		slept time.Duration
		live  bool
	}{{23 * time.Hour, true}, {25 * time.Hour, false}} {
		t.Run(row.slept.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i, j := newIssuer(key("a", 0)), &journal{}
				s := start(t, j.config(t, i))
				k := mustKeys(t, s, "a")[0]
				keyset.Sleep(s, row.slept)
				keyset.Confirm(s)
				if s.InHand() != row.live || k.Live(time.Now()) != row.live {
					t.Errorf("in hand %t, live %t, want %t", s.InHand(), k.Live(time.Now()), row.live)
				}
				if err := s.Report().LastError; (err == nil) != row.live || err != nil && err.Error() != "key set: answer is 304, but the keys were dropped meanwhile" {
					t.Errorf("LastError = %v, want one: %t", err, !row.live)
				}
			})
		})
	}
}

// By the monotonic clock the keys age too, whatever is done to the other.
func TestSleep_ClockSetBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		s := start(t, i.config(t))
		k := mustKeys(t, s, "a")[0]
		keyset.Sleep(s, -48*time.Hour)
		if time.Sleep(24*time.Hour - time.Second); !k.Live(time.Now()) {
			t.Error("the key is dead before the limit")
		}
		i.set(func(i *issuer) { i.broken = true })
		if time.Sleep(time.Second); k.Live(time.Now()) {
			t.Error("the key is live 24 hours after it was confirmed")
		}
	})
}

// Nobody need ask for the keys for their age to be noticed: within a minute of
// waking they are dropped, or refreshed if they are not that old yet.
func TestSleep_NoticedByItself(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		slept   time.Duration
		gone    int
		fetches int
	}{{0, 0, 1}, {2 * time.Hour, 0, 2}, {25 * time.Hour, 1, 1}} {
		t.Run(row.slept.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i, j := newIssuer(key("a", 0)), &journal{}
				cfg := i.config(t)
				cfg.Hooks = j.hooks()
				s := start(t, cfg)
				s.Hold()
				defer s.Release()
				mustKeys(t, s, "a")
				keyset.Sleep(s, row.slept)
				time.Sleep(time.Minute)
				synctest.Wait()
				if len(j.told().gone) != row.gone {
					t.Errorf("KeysGone was told %v, want %d keys", ids(j.told().gone), row.gone)
				}
				wantCount(t, i, row.fetches)
			})
		})
	}
}
