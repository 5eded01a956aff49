package keyset_test

import (
	"context"
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

// gate is a [keyset.Config.Admit] that a test opens and shuts.
type gate struct {
	mu     sync.Mutex    // guards all below
	shut   time.Duration // for which requests are put off; zero lets them pass
	asked  []string
	under  int
	ending context.CancelCauseFunc // ends the request under way
}

func (g *gate) admit(ctx context.Context, url string) (context.Context, func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, url)
	if g.shut > 0 {
		return nil, nil, &keyset.PostponedError{RetryAfter: g.shut}
	}
	g.under++
	ctx, g.ending = context.WithCancelCause(ctx)
	return ctx, func() { g.set(func() { g.under-- }) }, nil
}

// set changes the gate under its lock.
func (g *gate) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

// put has requests put off for so long; zero opens the gate.
func (g *gate) put(off time.Duration) { g.set(func() { g.shut = off }) }

// takeBack ends the request under way after a while.
func (g *gate) takeBack(after, retry time.Duration) {
	time.AfterFunc(after, func() {
		g.set(func() { g.ending(&keyset.PostponedError{RetryAfter: retry}) })
	})
}

// left returns how many requests were not given back.
func (g *gate) left() (n int) {
	g.set(func() { n = g.under })
	return n
}

// times returns how often it was asked.
func (g *gate) times() (n int) {
	g.set(func() { n = len(g.asked) })
	return n
}

// gated returns an issuer found by discovery and a set that asks the gate.
func gated(t *testing.T) (*issuer, *gate, *journal, *keyset.Set) {
	i, g, j := newIssuer(key("a", 0)), new(gate), new(journal)
	cfg := j.config(t, i)
	cfg.JWKSURL, cfg.Admit = "", g.admit
	return i, g, j, start(t, cfg)
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	bubble(t, "each document is asked for, and given back", func(t *testing.T) {
		_, g, _, s := gated(t)
		mustKeys(t, s, "a")
		if want := []string{discoveryURL, jwksURL}; !slices.Equal(g.asked, want) || g.left() != 0 {
			t.Errorf("asked for %q, %d not given back, want %q, 0", g.asked, g.left(), want)
		}
	})
	bubble(t, "who is put off without keys is told for how long, and nothing is fetched", func(t *testing.T) {
		i, g, j, s := gated(t)
		g.put(7 * time.Second)
		for range 3 {
			_, err := s.Keys(t.Context(), jws.Named("a"))
			unavailable(t, err)
			postponed, ok := errors.AsType[*keyset.PostponedError](err)
			if !ok || postponed.RetryAfter != 7*time.Second {
				t.Errorf("error = %v, want a PostponedError behind it, with 7s", err)
			}
		}
		// Each of them may be one to let pass.
		if g.times() != 3 || i.discoveries()+i.count() != 0 {
			t.Errorf("asked %d times, %d requests, want 3 and none", g.times(), i.discoveries()+i.count())
		}
		g.put(0)
		time.Sleep(7 * time.Second)
		mustKeys(t, s, "a")
		synctest.Wait()
		j.wantStates(t, "none-fresh false") // and never gone
	})
	bubble(t, "keys that may not be asked for have not moved, whatever failed before", func(t *testing.T) {
		i, g, _, s := gated(t)
		mustKeys(t, s, "a")
		time.Sleep(2 * time.Hour)
		i.set(func(i *issuer) { i.status = 500 })
		_, err := s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err)
		before := g.times()
		g.put(time.Second)
		time.Sleep(10 * time.Second)
		_, err = s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err)
		if asked := g.asked[before:]; len(asked) == 0 || slices.Contains(asked, discoveryURL) {
			t.Errorf("asked for %q, want the keys alone", asked)
		}
	})
	bubble(t, "a lookup that is put off is no failure, and answers later", func(t *testing.T) {
		i, g, j, s := gated(t)
		mustKeys(t, s, "a")
		i.publish(key("a", 0), key("b", 1))
		g.put(time.Second)
		_, err := s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err)
		mustKeys(t, s, "a")
		g.put(0)
		mustKeys(t, s, "b") // whoever is let pass need not wait for others
		synctest.Wait()
		j.wantStates(t, "none-fresh false")
	})
	bubble(t, "a refresh that is put off is made later, and nobody calls the keys stale", func(t *testing.T) {
		i, g, j, s := gated(t)
		s.Hold()
		defer s.Release()
		mustKeys(t, s, "a")
		g.put(10 * time.Second)
		time.Sleep(3 * time.Hour)
		wantCount(t, i, 1)
		if n := g.times(); n < 2*3600/10 || n > 3*3600/10 {
			t.Errorf("asked %d times in 3 hours, want once in 10 s when a refresh is due", n)
		}
		mustKeys(t, s, "a")
		g.put(0)
		time.Sleep(10 * time.Second)
		wantCount(t, i, 2)
		synctest.Wait()
		j.wantStates(t, "none-fresh false")
	})
	bubble(t, "keys that nobody uses go without a word, whatever failed before their refresh was put off", func(t *testing.T) {
		i, g, j, s := gated(t)
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.broken = true })
		_, err := s.Keys(t.Context(), jws.Named("b"))
		unavailable(t, err)
		g.put(time.Minute)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		j.wantStates(t, "none-fresh false", "fresh-none false")
		if err := s.Report().LastError; err != nil {
			t.Errorf("LastError = %v, want none", err)
		}
	})
	bubble(t, "a request whose turn is taken away was put off", func(t *testing.T) {
		i, g, _, s := gated(t)
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.delay = time.Minute })
		g.takeBack(time.Second, 3*time.Second)
		began := time.Now()
		_, err := s.Keys(t.Context(), jws.Named("b"))
		if got := unavailable(t, err).RetryAfter; got != 3*time.Second || time.Since(began) != time.Second {
			t.Errorf("RetryAfter = %v after %v, want 3s after 1s", got, time.Since(began))
		}
		if g.left() != 0 {
			t.Error("the request was not given back")
		}
	})
	bubble(t, "an issuer that always hangs until its turn is taken away is asked once in a cool-down", func(t *testing.T) {
		i, g := newIssuer(key("a", 0)), new(gate)
		cfg := i.config(t)
		cfg.Admit, cfg.AlwaysCool = g.admit, true
		s := start(t, cfg)
		mustKeys(t, s, "a")
		i.set(func(i *issuer) { i.delay = time.Hour })
		began := time.Now()
		for n := range 100 {
			g.takeBack(900*time.Millisecond, time.Second)
			_, _ = s.Keys(within(t, time.Second), jws.Named(fmt.Sprint(n)))
			time.Sleep(time.Second)
		}
		if most := 2 + int(time.Since(began)/(10*time.Second)); i.count() > most || i.count() < 3 {
			t.Errorf("%d fetches in %v, want at most %d", i.count(), time.Since(began), most)
		}
	})
	bubble(t, "another error is the issuer's failure", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.Admit = func(context.Context, string) (context.Context, func(), error) { return nil, nil, errors.New("no") }
		s := start(t, cfg)
		_, err := s.Keys(t.Context(), jws.Named("a"))
		unavailable(t, err)
		if got := s.Report().State; got != keyset.Gone {
			t.Errorf("state = %v, want %v", got, keyset.Gone)
		}
	})
}

// An issuer that publishes just the key that is asked for, or fails, causes a
// lookup at most once in a cool-down where every lookup starts one.
func TestAlwaysCool(t *testing.T) {
	t.Parallel()
	for _, always := range []bool{false, true} {
		for name, obey := range map[string]func(i *issuer, n int){
			"the key asked for": func(i *issuer, n int) { i.publish(fastKey(fmt.Sprint("k", n), n)) },
			"now and then a failure": func(i *issuer, n int) {
				i.publish(fastKey(fmt.Sprint("k", n), n))
				i.set(func(i *issuer) { i.broken = n%2 == 0 })
			},
		} {
			bubble(t, fmt.Sprintf("%s, always %t", name, always), func(t *testing.T) {
				i := newIssuer(fastKey("a", 0))
				cfg := i.config(t)
				cfg.AlwaysCool = always
				s := start(t, cfg)
				mustKeys(t, s, "a")
				began := time.Now()
				for n := range 1000 {
					obey(i, n)
					_, _ = s.Keys(t.Context(), jws.Named(fmt.Sprint("k", n)))
					time.Sleep(100 * time.Millisecond)
				}
				if always {
					if most := 2 + int(time.Since(began)/(10*time.Second)); i.count() > most {
						t.Errorf("%d fetches in %v, want at most %d", i.count(), time.Since(began), most)
					}
				} else if i.count() < 1000 && name == "the key asked for" { // so that the twin shows something
					t.Errorf("%d fetches without, want one for each token", i.count())
				}
			})
		}
	}
	bubble(t, "what was refused long ago is not known to be so after a failure", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.AlwaysCool = true
		s := start(t, cfg)
		mustKeys(t, s, "a")
		time.Sleep(11 * time.Second)
		refused(t, s, "b", keyset.ErrUnknownKey)
		time.Sleep(time.Minute)
		i.publish(key("a", 0), key("b", 1))
		i.set(func(i *issuer) { i.broken = true })
		for range 3 {
			_, err := s.Keys(t.Context(), jws.Named("b"))
			if got := unavailable(t, err).RetryAfter; got <= 0 || got > 10*time.Second {
				t.Errorf("RetryAfter = %v, want at most 10s", got)
			}
		}
		i.set(func(i *issuer) { i.broken = false })
		time.Sleep(11 * time.Second)
		mustKeys(t, s, "b")
	})
	bubble(t, "the first token after a rotation is accepted at once", func(t *testing.T) {
		i := newIssuer(key("a", 0))
		cfg := i.config(t)
		cfg.AlwaysCool = true
		s := start(t, cfg)
		mustKeys(t, s, "a")
		i.publish(key("b", 1))
		mustKeys(t, s, "b")
		i.publish(key("c", 2))
		if _, err := s.Keys(t.Context(), jws.Named("c")); err == nil {
			t.Error("a second lookup within the cool-down")
		}
		time.Sleep(11 * time.Second) // the lookup that was put off
		mustKeys(t, s, "c")
		wantCount(t, i, 3)
	})
}
