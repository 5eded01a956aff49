package keyset_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// journal keeps what hooks were told.
type journal struct {
	mu     sync.Mutex // guards all below
	states []string
	gone   []*keyset.Key
	events []keyset.Event
	times  []time.Time // of events
	stores []error
	none   []error
}

// told is a copy of what the journal has so far.
func (j *journal) told() (t struct {
	gone   []*keyset.Key
	events []keyset.Event
	stores []error
	none   []error
}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t.gone, t.events, t.stores, t.none = slices.Clone(j.gone), slices.Clone(j.events), slices.Clone(j.stores), slices.Clone(j.none)
	return t
}

func (j *journal) hooks() keyset.Hooks {
	return keyset.Hooks{
		FetchDone: func(e keyset.Event) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.events, j.times = append(j.events, e), append(j.times, time.Now().Add(-e.Duration))
		},
		StateChanged: func(from, to keyset.State, err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.states = append(j.states, fmt.Sprintf("%v-%v %v", from, to, err != nil))
		},
		KeysGone: func(keys []*keyset.Key) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.gone = append(j.gone, keys...)
		},
		NoneUsable: func(err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.none = append(j.none, err)
		},
		StoreFailed: func(err error) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.stores = append(j.stores, err)
		},
	}
}

// config returns the issuer's configuration with hooks that write to the journal.
func (j *journal) config(t testing.TB, i *issuer) keyset.Config {
	t.Helper()
	cfg := i.config(t)
	cfg.Hooks = j.hooks()
	return cfg
}

// fetchTimes returns when each fetch so far began.
func (j *journal) fetchTimes() []time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.times)
}

func (j *journal) wantStates(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if fmt.Sprint(j.states) != fmt.Sprint(want) {
		t.Errorf("states reported = %q, want %q", j.states, want)
	}
}

func TestHooks_OrderAndLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		var s *keyset.Set
		called := 0
		cfg.Hooks = keyset.Hooks{
			KeysGone: func(keys []*keyset.Key) {
				called++
				if keys[0].Live(time.Now()) {
					t.Error("a key is live when KeysGone names it")
				}
				if _, err := s.Keys(t.Context(), jws.Named("a")); !errors.Is(err, keyset.ErrUnknownKey) {
					t.Errorf("Keys() in a hook: error = %v", err)
				}
			},
			FetchDone: func(keyset.Event) { s.Report() },
		}
		s = start(t, cfg)
		mustKeys(t, s, "a")
		i.publish(key("b", 1))
		mustKeys(t, s, "b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if called != 1 {
			t.Errorf("KeysGone called %d times, want 1", called)
		}
	})
}

// Who was answered by a fetch may close the set at once. Its hooks are told of the
// fetch all the same, before Close returns.
func TestHooks_Close(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(key("a", 0))
		j := new(journal)
		cfg := j.config(t, i)
		release := make(chan struct{})
		note := cfg.Hooks.FetchDone
		cfg.Hooks.FetchDone = func(e keyset.Event) { <-release; note(e) }
		s := start(t, cfg)
		mustKeys(t, s, "a")
		closed := make(chan struct{})
		go func() { defer close(closed); s.Close() }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close returned while a hook was called")
		default:
		}
		close(release)
		<-closed
		j.wantStates(t, "none-fresh false")
		if n := len(j.fetchTimes()); n != 1 {
			t.Errorf("told of %d fetches, want 1", n)
		}
	})
}

// Hooks are called one at a time and in order, whoever brings about what they are told.
func TestHooks_OneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		document := []byte(jwks(key("a", 0)))
		release := make(chan struct{})
		var mu sync.Mutex
		var states []string
		under := 0
		s := start(t, keyset.Config{Issuer: "x", Fixed: document, Hooks: keyset.Hooks{
			StateChanged: func(_, to keyset.State, _ error) {
				mu.Lock()
				states = append(states, to.String())
				if under++; under > 1 {
					t.Error("two hooks are called at once")
				}
				mu.Unlock()
				<-release
				mu.Lock()
				under--
				mu.Unlock()
			},
		}})
		lost := errors.New("lost")
		var wg sync.WaitGroup
		for _, do := range []func() error{
			func() error { return s.Withdraw(lost) },
			func() error { return s.Adopt(document) },
			func() error { return s.Withdraw(lost) },
		} {
			wg.Go(func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		close(release)
		wg.Wait()
		if want := []string{"gone", "fresh", "gone"}; !slices.Equal(states, want) {
			t.Errorf("told of %q, want %q", states, want)
		}
	})
}

// A quiet set tells of nothing until it may, and then at once of all that has happened.
func TestHooks_Quiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i, j := newIssuer(key("a", 0)), new(journal)
		cfg := j.config(t, i)
		cfg.Quiet = true
		s := start(t, cfg)
		mustKeys(t, s, "a")
		synctest.Wait()
		j.wantStates(t)
		s.Tell()
		j.wantStates(t, "none-fresh false")
		if n := len(j.fetchTimes()); n != 1 {
			t.Errorf("told of %d fetches, want 1", n)
		}
	})
}
