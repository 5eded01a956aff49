package strangers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// mustContact contacts a known issuer, by its number.
func (w *world) mustContact(who, n int) *strangers.Issuer {
	w.t.Helper()
	i, err := w.contact(w.t.Context(), who, w.known[n].URL())
	if err != nil {
		w.t.Fatalf("Contact() error = %v", err)
	}
	return i
}

func TestContact_Refused(t *testing.T) {
	t.Parallel()
	bubble(t, "a name that is no address", func(t *testing.T) {
		w := newWorld(t, 0, nil)
		if i, err := w.contact(t.Context(), 1, "no address"); i != nil || !errors.Is(err, strangers.ErrUnknown) || w.requests.Load() != 0 {
			t.Errorf("Contact() = %v, error %v, want %v", i, err, strangers.ErrUnknown)
		}
	})
	bubble(t, "one more than are contacted at a time, which is said in the log", func(t *testing.T) {
		var log authtest.Log
		w := newWorld(t, 1, func(c *strangers.Config) {
			c.Rate, c.Places, c.Logger = 1000, 100, slog.New(slog.NewTextHandler(&log, nil))
		})
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() { _, _ = w.contact(t.Context(), n, fmt.Sprintf("https://hang-%d.test", n)) })
		}
		synctest.Wait()
		i, err := w.contact(t.Context(), 9, w.known[0].URL())
		if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed || i != nil {
			t.Errorf("Contact() = %v, error %v, want a PostponedError", i, err)
		}
		if n := strings.Count(log.String(), "more unknown issuers than may be contacted"); n != 1 {
			t.Errorf("%d lines in the log, want one: %s", n, log.String())
		}
		wg.Wait()
		w.mustContact(9, 0)
	})
	bubble(t, "any when no key set can be made", func(t *testing.T) {
		w := strangers.New(strangers.Config{MaxIssuers: 8, Places: 2, Rate: 1}) // without a client
		if i, err := w.Contact(t.Context(), caller(1), "https://known-0.test", jws.Named("k")); i != nil || !errors.Is(err, strangers.ErrUnknown) {
			t.Errorf("Contact() = %v, error %v, want %v", i, err, strangers.ErrUnknown)
		}
	})
	bubble(t, "all by Close, which is no flood", func(t *testing.T) {
		var log authtest.Log
		w := newWorld(t, 0, func(c *strangers.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		w.Close()
		if _, err := w.contact(t.Context(), 1, "https://hang.test"); !errors.Is(err, strangers.ErrClosed) || log.String() != "" {
			t.Errorf("Contact() error = %v, log %q, want %v and nothing", err, log.String(), strangers.ErrClosed)
		}
	})
}

// Whoever leaves the line leaves the next turn to others.
func TestContact_LeftTurn(t *testing.T) {
	t.Parallel()
	bubble(t, "the last who waited", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		var wg sync.WaitGroup
		w.fill(&wg)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		wg.Go(func() { _, _ = w.contact(ctx, 1, "https://hang.test") })
		synctest.Wait()
		began := time.Now()
		if w.mustContact(2, 0); time.Since(began) > time.Second {
			t.Errorf("the turn came after %v, want a second", time.Since(began))
		}
		wg.Wait()
	})
}

// An issuer that answers is one as any other: its failures of before do not count.
func TestContact_FailuresEnd(t *testing.T) {
	t.Parallel()
	bubble(t, "one that fails, answers, and fails", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		fails := func(requests int32) {
			t.Helper()
			before := w.requests.Load()
			_, err := w.contact(t.Context(), 1, w.known[0].URL())
			if _, _, failed := w.Count(); !errors.Is(err, strangers.ErrUnknown) || failed != 1 || w.requests.Load()-before != requests {
				t.Errorf("Contact() error = %v after %d requests, %d remembered as failed, want %v, %d and 1",
					err, w.requests.Load()-before, failed, strangers.ErrUnknown, requests)
			}
		}
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
		fails(1)
		fails(0)
		time.Sleep(15 * time.Second)
		w.known[0].Clear()
		w.mustContact(1, 0)
		if _, _, failed := w.Count(); failed != 0 {
			t.Errorf("%d remembered as failed, want none", failed)
		}
		w.Drop(func(string) bool { return true })
		w.known[0].Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
		fails(1)
		time.Sleep(15 * time.Second)
		fails(1)
	})
	bubble(t, "the one that failed last is remembered, whenever it did first", func(t *testing.T) {
		w := newWorld(t, 33, func(c *strangers.Config) { c.Rate, c.Places = 1000, 100 })
		for _, i := range w.known {
			i.Fail(oidctest.Discovery, oidctest.Fault{Status: 404})
		}
		fails := func(n int, requests int32) {
			t.Helper()
			before := w.requests.Load()
			if _, err := w.contact(t.Context(), 1, w.known[n].URL()); !errors.Is(err, strangers.ErrUnknown) || w.requests.Load()-before != requests {
				t.Errorf("Contact(%d) error = %v after %d requests, want %v after %d", n, err, w.requests.Load()-before, strangers.ErrUnknown, requests)
			}
		}
		for n := range 32 {
			fails(n, 1)
		}
		time.Sleep(15 * time.Second)
		fails(0, 1)
		fails(32, 1)
		fails(0, 0)
	})
}

// Only the keys under which a token was accepted prove an issuer.
func TestIssuers_Accepted(t *testing.T) {
	t.Parallel()
	bubble(t, "others, and one that is not known", func(t *testing.T) {
		w := newWorld(t, 2, nil)
		one, other := w.mustContact(1, 0), w.mustContact(1, 1)
		for _, tt := range []struct {
			name string
			keys *keyset.Set
			want int
		}{
			{w.known[0].URL(), other.Keys(), 0},
			{"https://unknown.test", one.Keys(), 0},
			{"https://unknown.test", nil, 0},
			{w.known[0].URL(), one.Keys(), 1},
		} {
			w.Accepted(tt.name, tt.keys)
			if _, proven, _ := w.Count(); proven != tt.want {
				t.Errorf("%d are proven by %s, want %d", proven, tt.name, tt.want)
			}
		}
	})
	bubble(t, "all but an eighth may be proven", func(t *testing.T) {
		w := newWorld(t, 16, func(c *strangers.Config) { c.Rate, c.Places, c.MaxIssuers = 1000, 100, 16 })
		for n := range 16 {
			w.Accepted(w.known[n].URL(), w.mustContact(1, n).Keys())
		}
		if _, proven, _ := w.Count(); proven != 14 {
			t.Errorf("%d of 16 are proven, want 14", proven)
		}
	})
}

// Those whose names match are let go of and their keys closed, but for those that are
// held and those that were not contacted yet.
func TestIssuers_Drop(t *testing.T) {
	t.Parallel()
	bubble(t, "some of them", func(t *testing.T) {
		w := newWorld(t, 3, func(c *strangers.Config) { c.Rate, c.Places = 1000, 100 })
		dropped, held := w.mustContact(1, 0), w.mustContact(1, 1)
		w.mustContact(1, 2)
		held.Keys().Hold()
		defer held.Keys().Release()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = w.contact(t.Context(), 1, "https://hang.test") })
		synctest.Wait()
		w.Drop(func(name string) bool { return name != w.known[2].URL() })
		for name, want := range map[string]bool{w.known[0].URL(): false, w.known[1].URL(): true, w.known[2].URL(): true, "https://hang.test": true} {
			if got := w.Find(name) != nil; got != want {
				t.Errorf("%s is known: %v, want %v", name, got, want)
			}
		}
		if keys, err := dropped.Keys().Keys(t.Context(), jws.Named(w.known[0].Key().ID())); err == nil {
			t.Errorf("Keys() = %d keys of one that was dropped", len(keys))
		}
		if _, err := held.Keys().Keys(t.Context(), jws.Named(w.known[1].Key().ID())); err != nil {
			t.Errorf("Keys() error = %v for one that is held", err)
		}
		wg.Wait()
	})
}

func TestIssuers_Close(t *testing.T) {
	t.Parallel()
	bubble(t, "nothing is known, and no key left", func(t *testing.T) {
		w := newWorld(t, 1, nil)
		keys := w.mustContact(1, 0).Keys()
		w.Close()
		if w.Find(w.known[0].URL()) != nil {
			t.Error("an issuer is known")
		}
		if keys, err := keys.Keys(t.Context(), jws.Named(w.known[0].Key().ID())); err == nil {
			t.Errorf("Keys() = %d keys", len(keys))
		}
	})
	bubble(t, "just before a first contact begins, whose turn has come", func(t *testing.T) {
		w := newWorld(t, 0, nil)
		w.Close()
		if err := w.Begin("https://hang.test"); !errors.Is(err, strangers.ErrClosed) {
			t.Errorf("it begins, error = %v, want %v", err, strangers.ErrClosed)
		}
		if known, _, _ := w.Count(); known != 0 {
			t.Error("an issuer is known")
		}
	})
	bubble(t, "nobody is told of keys later", func(t *testing.T) {
		var telling atomic.Bool
		w := newWorld(t, 3, func(c *strangers.Config) {
			c.Rate, c.Places, c.MaxIssuers = 1000, 100, 3
			c.Evicted = func(*keyset.Set) {
				telling.Store(true)
				time.Sleep(time.Second)
				telling.Store(false)
			}
		})
		for n := range 2 {
			w.Accepted(w.known[n].URL(), w.mustContact(1, n).Keys())
		}
		time.Sleep(time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = w.contact(t.Context(), 1, "https://hang.test") })
		synctest.Wait()
		wg.Go(func() { _, _ = w.contact(t.Context(), 1, w.known[2].URL()) })
		synctest.Wait()
		if !telling.Load() {
			t.Fatal("nobody is told of the one that was let go of")
		}
		if w.Close(); telling.Load() {
			t.Error("Close() returned while somebody was told of keys")
		}
		wg.Wait()
	})
}

// Connections to strangers are closed.
func TestIssuers_CloseConnections(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	}))
	closed := make(chan struct{}, 10)
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	srv.StartTLS()
	defer srv.Close()
	client, err := fetch.New(fetch.Config{
		HTTP: srv.Client(), PublicOnly: true, Timeout: time.Hour, Permit: func(netip.AddrPort) bool { return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, 0, func(c *strangers.Config) { c.Fetch = client })
	if _, err := w.contact(t.Context(), 1, srv.URL); !errors.Is(err, strangers.ErrUnknown) {
		t.Fatalf("Contact() error = %v, want %v", err, strangers.ErrUnknown)
	}
	select {
	case <-closed:
		t.Fatal("the connection is not kept open for the next request")
	default:
	}
	w.Close()
	select {
	case <-closed:
	case <-time.After(15 * time.Second):
		t.Error("the connection stays open")
	}
}

// Who has to know is told by name how an issuer's keys are.
func TestContact_StateChanged(t *testing.T) {
	t.Parallel()
	bubble(t, "by the first contact", func(t *testing.T) {
		told := make(chan string, 9)
		w := newWorld(t, 1, func(c *strangers.Config) {
			c.StateChanged = func(name string, from, to keyset.State, _ error) { told <- fmt.Sprint(name, " ", from, " ", to) }
		})
		w.mustContact(1, 0)
		synctest.Wait()
		if want := fmt.Sprint(w.known[0].URL(), " ", keyset.None, " ", keyset.Fresh); len(told) != 1 || <-told != want {
			t.Errorf("not told that %s", want)
		}
	})
}

// Whoever asks for a known issuer has a share in the lookup of a key there that an
// attacker has caused, whose turn would not come.
func TestContact_LookupShared(t *testing.T) {
	t.Parallel()
	bubble(t, "a newcomer", func(t *testing.T) {
		w := newWorld(t, 1, func(c *strangers.Config) { c.Places, c.Rate = 6, 1 })
		i := w.mustContact(99, 0)
		time.Sleep(20 * time.Second)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		hang := func(who int, name string) {
			wg.Go(func() { _, _ = w.contact(ctx, who, "https://hang-"+name+".test") })
			synctest.Wait()
		}
		for n := range 6 { // all turns that there are
			hang(n%4, fmt.Sprint(n))
		}
		for n := range 4 {
			w.mustContact(n, 0)
		}
		hang(0, "in front")
		w.known[0].Rotate()
		next := jws.Named(w.known[0].Key().ID())
		wg.Go(func() { _, _ = i.Keys().Keys(ctx, next) })
		synctest.Wait()
		began := time.Now()
		w.mustContact(98, 0)
		if keys, err := i.Keys().Keys(t.Context(), next); err != nil || len(keys) != 1 || time.Since(began) > time.Second {
			t.Errorf("Keys() = %d keys, error %v after %v, want one with the next turn", len(keys), err, time.Since(began))
		}
		stop()
		wg.Wait()
	})
}
