package strangers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A world is some issuers in memory, behind hosts that never answer.
type world struct {
	*strangers.Issuers
	t        *testing.T
	known    []*oidctest.Issuer
	requests atomic.Int32
}

// That is so of an issuer that has no place among the proven, too: because all are in use,
// or because it has lost its own.
func TestContact_EvictedUnproven(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		pause time.Duration // before the eighth is accepted
		want  int           // who goes
	}{{"all are in use", 0, 7}, {"it has lost its place", time.Hour, 0}} {
		bubble(t, tt.name, func(t *testing.T) {
			var told []*keyset.Set
			w := newWorld(t, 9, func(c *strangers.Config) {
				c.Rate, c.Places = 1000, 100
				c.Evicted = func(keys *keyset.Set) { told = append(told, keys) }
			})
			var keys []*keyset.Set
			for n := range 9 {
				if n == 7 {
					time.Sleep(tt.pause)
				}
				i, err := w.contact(t.Context(), n, w.known[n].URL())
				if err != nil {
					t.Fatal(err)
				}
				keys = append(keys, i.Keys())
				w.Accepted(w.known[n].URL(), i.Keys())
				time.Sleep(time.Second)
			}
			if len(told) != 1 || told[0] != keys[tt.want] || w.Find(w.known[tt.want].URL()) != nil {
				t.Errorf("told of %d keys, want those of issuer %d, which has gone", len(told), tt.want)
			}
			if keys[tt.want].InHand() || !keys[8].InHand() {
				t.Error("the keys of the issuer that has gone are in hand, or those of the last are not")
			}
		})
	}
}

func newWorld(t *testing.T, issuers int, change func(*strangers.Config)) *world {
	w := &world{t: t}
	for n := range issuers {
		w.known = append(w.known, oidctest.NewIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://known-%d.test", n)}))
	}
	inner := oidctest.Client(w.known...).Transport
	client, err := fetch.New(fetch.Config{
		PublicOnly: true, Permit: func(netip.AddrPort) bool { return false },
		HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			w.requests.Add(1)
			if r.URL.Host[:5] != "known" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return inner.RoundTrip(r)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := strangers.Config{
		Fetch: client, MaxIssuers: 8, Places: 2, Rate: 1,
		Describe:     func(name string, _ *keyset.Set) any { return "data of " + name },
		Evicted:      func(*keyset.Set) {},
		StateChanged: func(string, keyset.State, keyset.State, error) {},
		Logger:       slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	w.Issuers = strangers.New(cfg)
	t.Cleanup(w.Close)
	return w
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// contact asks for an issuer on the account of a caller.
func (w *world) contact(ctx context.Context, who int, name string) (*strangers.Issuer, error) {
	return w.Contact(ctx, caller(who), name, jws.Named("k"))
}

// fill takes all places and turns, on the account of caller 0.
func (w *world) fill(wg *sync.WaitGroup) {
	for n := range 2 {
		wg.Go(func() { _, _ = w.contact(w.t.Context(), 0, fmt.Sprintf("https://hang-%d.test", n)) })
	}
	synctest.Wait()
}

func TestContact(t *testing.T) {
	t.Parallel()
	bubble(t, "a thousand callers, one contact", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() {
				i, err := w.contact(t.Context(), n, w.known[0].URL())
				if err != nil || i.Data() != "data of https://known-0.test" || i.Keys().Report().State != keyset.Fresh {
					t.Errorf("Contact() = %v, error %v", i, err)
				}
			})
		}
		wg.Wait()
		if n := w.requests.Load(); n != 2 {
			t.Errorf("%d requests, want one for each document", n)
		}
		if w.Find(w.known[0].URL()) == nil || w.Find("https://known-1.test") != nil {
			t.Error("Find() knows other issuers than those that were contacted")
		}
	})
	bubble(t, "no more wait for one turn than may", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		w.fill(&wg)
		var accepted, putOff atomic.Int32
		for n := range 100 {
			wg.Go(func() {
				_, err := w.contact(t.Context(), n%3+1, w.known[0].URL())
				if _, ok := errors.AsType[*keyset.PostponedError](err); ok {
					putOff.Add(1)
				} else if err == nil {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		if accepted.Load() != 64 || putOff.Load() != 36 {
			t.Errorf("%d accepted, %d put off, want 64 and 36", accepted.Load(), putOff.Load())
		}
	})
	bubble(t, "who leaves the line is told that nobody was asked, and the last takes the issuer along", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		w.fill(&wg)
		before := w.requests.Load()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		for n := range 3 {
			wg.Go(func() {
				_, err := w.contact(ctx, n, w.known[0].URL())
				if _, ok := errors.AsType[*keyset.PostponedError](err); !ok {
					t.Errorf("Contact() error = %v, want a PostponedError", err)
				}
			})
		}
		time.Sleep(5 * time.Second)
		if n := w.requests.Load(); n != before {
			t.Errorf("%d requests for an issuer that nobody waits for", n-before)
		}
		wg.Wait()
		if _, err := w.contact(t.Context(), 1, w.known[0].URL()); err != nil {
			t.Errorf("Contact() error = %v afterwards", err)
		}
	})
	bubble(t, "who leaves a contact that is under way is told of the end of the context", func(t *testing.T) {
		w := newWorld(t, 0, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.contact(ctx, 1, "https://hang.test"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Contact() error = %v, want %v", err, context.DeadlineExceeded)
		}
	})
	bubble(t, "a contact that gave up its place is no failure", func(t *testing.T) {
		w := newWorld(t, 1, func(c *strangers.Config) { c.Places, c.Rate = 1, 10 })
		slow := make(chan error, 1)
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Delay: 3 * time.Second})
		go func() {
			_, err := w.contact(t.Context(), 1, w.known[0].URL())
			slow <- err
		}()
		time.Sleep(1100 * time.Millisecond)
		go func() { _, _ = w.contact(t.Context(), 2, "https://hang.test") }()
		if _, ok := errors.AsType[*keyset.PostponedError](<-slow); !ok {
			t.Error("the first contact was not put off")
		}
		w.known[0].Clear()
		time.Sleep(10 * time.Second)
		if _, err := w.contact(t.Context(), 1, w.known[0].URL()); err != nil {
			t.Errorf("Contact() error = %v after it was put off", err)
		}
	})
	bubble(t, "who leaves as the turn comes makes no failure of the issuer", func(t *testing.T) {
		w := newWorld(t, 100, func(c *strangers.Config) { c.Rate, c.Places = 1000, 100 })
		for _, i := range w.known {
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = w.contact(ctx, 1, i.URL()) })
			wg.Go(cancel)
			wg.Wait()
		}
		synctest.Wait()
		if known, _, failed := w.Count(); failed != 0 || known > 8 {
			t.Errorf("%d known, %d remembered as failed, want none failed", known, failed)
		}
	})
	bubble(t, "one that fails is left alone", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
		for range 5 {
			if _, err := w.contact(t.Context(), 1, w.known[0].URL()); !errors.Is(err, strangers.ErrUnknown) {
				t.Errorf("Contact() error = %v, want %v", err, strangers.ErrUnknown)
			}
		}
		if _, _, failed := w.Count(); w.requests.Load() != 1 || failed != 1 {
			t.Errorf("%d requests, %d remembered as failed, want 1 and 1", w.requests.Load(), failed)
		}
	})
	bubble(t, "those that failed last are remembered, four times as many as may be known", func(t *testing.T) {
		w := newWorld(t, 100, func(c *strangers.Config) { c.Rate, c.Places = 1000, 100 })
		for _, i := range w.known {
			i.Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
			if _, err := w.contact(t.Context(), 1, i.URL()); !errors.Is(err, strangers.ErrUnknown) {
				t.Errorf("Contact() error = %v, want %v", err, strangers.ErrUnknown)
			}
		}
		if _, _, failed := w.Count(); failed != 4*8 {
			t.Errorf("%d remembered as failed, want %d", failed, 4*8)
		}
	})
	bubble(t, "closing ends contacts and waits", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		for n := range 5 {
			wg.Go(func() {
				if _, err := w.contact(t.Context(), 0, fmt.Sprintf("https://hang-%d.test", n)); !errors.Is(err, strangers.ErrClosed) {
					t.Errorf("Contact() error = %v, want %v", err, strangers.ErrClosed)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		w.Close()
		wg.Wait()
		if time.Since(began) != 0 {
			t.Errorf("took %v", time.Since(began))
		}
		if _, err := w.contact(t.Context(), 0, w.known[0].URL()); !errors.Is(err, strangers.ErrClosed) {
			t.Errorf("Contact() error = %v, want %v", err, strangers.ErrClosed)
		}
	})
}

// An attacker who names an issuer before its own users do neither delays their
// turn nor endangers its place.
func TestContact_NamedByAnAttackerFirst(t *testing.T) {
	t.Parallel()
	hang := func(w *world, wg *sync.WaitGroup, who int, names ...string) {
		for _, name := range names {
			wg.Go(func() { _, _ = w.contact(w.t.Context(), who, "https://hang-"+name+".test") })
			synctest.Wait()
		}
	}
	bubble(t, "while it waits for its turn", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		issuer := w.known[0].URL()
		var wg sync.WaitGroup
		hang(w, &wg, 0, "a", "b") // all places and turns
		time.Sleep(100 * time.Millisecond)
		hang(w, &wg, 0, "c") // waits in front of the issuer
		wg.Go(func() { _, _ = w.contact(t.Context(), 0, issuer) })
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		if _, err := w.contact(t.Context(), 1, issuer); err != nil || time.Since(began) > 900*time.Millisecond {
			t.Errorf("Contact() error = %v after %v, want the next turn", err, time.Since(began))
		}
		wg.Wait()
	})
	bubble(t, "while it is being contacted", func(t *testing.T) {
		w := newWorld(t, 1, func(c *strangers.Config) { c.Rate, c.Places = 100, 2 })
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Delay: 500 * time.Millisecond})
		issuer := w.known[0].URL()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = w.contact(t.Context(), 0, issuer) })
		synctest.Wait()
		hang(w, &wg, 0, "a")
		wg.Go(func() {
			if _, err := w.contact(t.Context(), 1, issuer); err != nil {
				t.Errorf("Contact() error = %v", err)
			}
		})
		time.Sleep(100 * time.Millisecond)
		hang(w, &wg, 2, "b") // takes a place of the first caller's
		wg.Wait()
	})
}

// An attacker who asks a known issuer for made-up key IDs, on accounts that have
// no turn to come, does not keep its own users' question from being asked.
func TestContact_LookupByAnAttackerFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(c *strangers.Config) { c.Places, c.Rate = 4, 4 })
		i, err := w.contact(t.Context(), 99, w.known[0].URL())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for n := range 30 {
			wg.Go(func() {
				for k := range 1000 {
					wg.Go(func() { _, _ = w.contact(ctx, n, fmt.Sprintf("https://hang-%d-%d.test", n, k)) })
					time.Sleep(200 * time.Millisecond)
					if ctx.Err() != nil {
						return
					}
				}
			})
		}
		time.Sleep(12 * time.Second) // the contact looked for a key in vain
		for n := range 4 {
			_, _ = w.contact(ctx, n, w.known[0].URL())
		}
		wg.Go(func() { _, _ = i.Keys().Keys(ctx, jws.Named("made up")) })
		w.known[0].Rotate()
		next := w.known[0].Key().ID()
		time.Sleep(10 * time.Millisecond)
		began := time.Now()
		if _, err := w.contact(t.Context(), 99, w.known[0].URL()); err != nil {
			t.Fatal(err)
		}
		if keys, err := i.Keys().Keys(t.Context(), jws.Named(next)); err != nil || len(keys) != 1 || time.Since(began) > 500*time.Millisecond {
			t.Errorf("Keys() = %d keys, error %v after %v, want one within 0.5s", len(keys), err, time.Since(began))
		}
		stop()
		wg.Wait()
	})
}

// Callers whose issuers have their keys at one host elsewhere take turns there,
// too: one who floods it keeps no other from it.
func TestContact_ForeignHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const evil = 200
		w := newWorld(t, evil+2, func(c *strangers.Config) { c.MaxIssuers, c.Places, c.Rate = 1000, 16, 50 })
		keys := w.known[0].JWKSURL()
		for _, i := range w.known[1:] {
			i.SetDiscovery(map[string]any{"jwks_uri": keys})
		}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for n, i := range w.known[1 : evil+1] {
				wg.Go(func() { _, _ = w.contact(ctx, n%4, i.URL()) })
				time.Sleep(50 * time.Millisecond)
			}
		})
		time.Sleep(5 * time.Second)
		began := time.Now()
		if _, err := w.contact(t.Context(), 99, w.known[evil+1].URL()); err != nil || time.Since(began) > 1500*time.Millisecond {
			t.Errorf("Contact() error = %v after %v, want none within 1.5s", err, time.Since(began))
		}
		stop()
		wg.Wait()
		if got, most := w.known[0].Fetches().JWKS, 8+int(time.Since(began).Seconds()+5)+1; got > most {
			t.Errorf("%d requests to the host, want at most %d", got, most)
		}
	})
}

// An issuer that has proved itself by a good token takes the place of one among the
// proven that is no longer in use, and of none while all are. The next newcomer takes
// that of the one that lost it.
func TestContact_Proven(t *testing.T) {
	t.Parallel()
	bubble(t, "eight issuers, of which seven have a place", func(t *testing.T) {
		w := newWorld(t, 9, func(c *strangers.Config) { c.Rate, c.Places = 1000, 100 })
		accept := func(n int) {
			i, err := w.contact(t.Context(), n, w.known[n].URL())
			if err != nil {
				t.Fatal(err)
			}
			w.Accepted(w.known[n].URL(), i.Keys())
		}
		wantProven := func(when string, want int) {
			if known, proven, _ := w.Count(); known != 8 || proven != want {
				t.Errorf("%s: %d known, %d proven, want 8 and %d", when, known, proven, want)
			}
		}
		for n := range 7 {
			accept(n)
			time.Sleep(time.Second)
		}
		accept(7)
		wantProven("while all are in use", 7)
		time.Sleep(10 * time.Minute)
		accept(7)
		wantProven("afterwards", 7)
		if _, err := w.contact(t.Context(), 8, w.known[8].URL()); err != nil {
			t.Fatal(err)
		}
		for n, want := range []bool{false, true, true, true, true, true, true, true, true} {
			if found := w.Find(w.known[n].URL()) != nil; found != want {
				t.Errorf("issuer %d is known: %v, want %v", n, found, want)
			}
		}
	})
}

// Whoever keeps tokens is told of keys that go, where tokens were accepted under them:
// not for each of the many issuers that strangers name.
func TestContact_Evicted(t *testing.T) {
	t.Parallel()
	bubble(t, "one that proved itself, after one that did not", func(t *testing.T) {
		var told []*keyset.Set
		w := newWorld(t, 10, func(c *strangers.Config) {
			c.Rate, c.Places = 1000, 100
			c.Evicted = func(keys *keyset.Set) { told = append(told, keys) }
		})
		keys := func(n int) *keyset.Set {
			i, err := w.contact(t.Context(), n, w.known[n].URL())
			if err != nil {
				t.Fatal(err)
			}
			return i.Keys()
		}
		first := keys(0)
		w.Accepted(w.known[0].URL(), first)
		for n := 1; n < 7; n++ {
			w.Accepted(w.known[n].URL(), keys(n))
		}
		time.Sleep(time.Hour)
		keys(7)
		keys(8) // in the place of the one before
		if w.Find(w.known[7].URL()) != nil || len(told) != 0 {
			t.Errorf("told of %d keys when one went under which no token was accepted", len(told))
		}
		time.Sleep(time.Second)
		go func() { _, _ = w.contact(t.Context(), 9, "https://hang.test") }() // in the place of that
		synctest.Wait()
		keys(9)
		if w.Find(w.known[0].URL()) != nil || len(told) != 1 || told[0] != first {
			t.Errorf("told of %d keys when one went under which tokens were accepted, want its own", len(told))
		}
	})
}
