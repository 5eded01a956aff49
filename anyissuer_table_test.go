package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAnyIssuer_Eviction fills a small table. What is in use stays, what never
// verified a token goes first, and an evicted issuer is simply contacted again.
func TestAnyIssuer_Eviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 40)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 8, FirstContactsPerSecond: 1000}))
		used, idle, others := issuers[0], issuers[1], issuers[2:]
		wants(t, a, used.Token(nil), nil)
		old := idle.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		c := wants(t, a, old, nil)
		for n, i := range others {
			// Some strangers only answer with keys, some verify a token, too.
			if n%2 == 0 {
				wants(t, a, i.NewKey(oidctest.KeyConfig{ID: i.Key().ID()}).Token(nil), oidcauth.ErrSignature)
			} else {
				wants(t, a, i.Token(nil), nil)
			}
			time.Sleep(time.Minute)
			wants(t, a, used.Token(nil), nil)
			if known, proven, _ := oidcauth.OpenIssuers(a); known > 8 || proven > 7 {
				t.Fatalf("%d issuers known, %d of them proven, want at most 8 and 7", known, proven)
			}
		}
		if n := used.Fetches().Discovery; n != 1 {
			t.Errorf("an issuer in use was contacted %d times, want once", n)
		}
		if oidcauth.Live(a, c) {
			t.Error("the key of an evicted issuer is live")
		}
		before := idle.Fetches().Discovery
		wants(t, a, old, nil)
		if n := idle.Fetches().Discovery; n != before+1 {
			t.Errorf("an evicted issuer was contacted %d times more, want once", n-before)
		}
	})
}

// With as many issuers as there is a number for, those that failed are remembered, too.
func TestAnyIssuer_NoBoundOfIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 2)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: math.MaxInt}))
		good, bad := issuers[0], issuers[1]
		bad.Fail(oidctest.Discovery, oidctest.Fault{Status: 503})
		for range 5 {
			wants(t, a, good.Token(nil), nil)
			if _, err := a.Authenticate(t.Context(), bad.Token(nil)); err == nil {
				t.Error("a token by an issuer that does not answer is accepted")
			}
			time.Sleep(2 * time.Second)
		}
		if g, b := good.Fetches().Discovery, bad.Fetches().Discovery; g != 1 || b != 1 {
			t.Errorf("the issuers were contacted %d and %d times, want once each", g, b)
		}
	})
}

// TestAnyIssuer_UseThroughTheCache shows that an issuer all of whose tokens are
// in the cache counts as used, and that one whose sessions live is never evicted.
func TestAnyIssuer_UseThroughTheCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 60)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 8, FirstContactsPerSecond: 1000}))
		lives := map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}
		cached, held, idle := issuers[0], issuers[1], issuers[2]
		token := cached.Token(lives)
		first := wants(t, a, token, nil)
		c := wants(t, a, held.Token(lives), nil)
		session := a.NewSession(t.Context(), c)
		wants(t, a, idle.Token(lives), nil)
		for _, i := range issuers[3:] {
			wants(t, a, i.Token(lives), nil)
			time.Sleep(2 * time.Minute)
			if wants(t, a, token, nil) != first {
				t.Fatal("a token of an issuer in use was verified anew")
			}
		}
		if n := oidcauth.CacheLen(a); n > 8 {
			t.Errorf("%d tokens are remembered, want those of the 8 issuers that are", n)
		}
		for _, i := range []*oidctest.Issuer{cached, held} {
			if n := i.Fetches().Discovery; n != 1 {
				t.Errorf("%s was contacted %d times, want once", i.URL(), n)
			}
		}
		if !oidcauth.Live(a, c) {
			t.Error("the key behind a live session is live no more")
		}
		if err := context.Cause(session.Context()); err != nil {
			t.Errorf("the session ended: %v", err)
		}
		session.Close()
		for _, i := range issuers[3:] {
			wants(t, a, i.Token(lives), nil)
			time.Sleep(2 * time.Minute)
		}
		if oidcauth.Live(a, c) {
			t.Error("an issuer without sessions and tokens was not evicted")
		}
	})
}

// An issuer whose tokens are all in the cache is found where it belongs, also
// when it was used longer ago than what counts as use.
func TestAnyIssuer_LeastRecentlyUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 5)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 2}))
		bad := func(i *oidctest.Issuer) {
			wants(t, a, i.NewKey(oidctest.KeyConfig{ID: i.Key().ID()}).Token(nil), oidcauth.ErrSignature)
		}
		// Of two strangers that verified nothing, the one used last stays.
		bad(issuers[0])
		bad(issuers[1])
		bad(issuers[0])
		bad(issuers[2])
		bad(issuers[0])
		if n := issuers[0].Fetches().Discovery; n != 1 {
			t.Errorf("the one used last was contacted %d times, want once", n)
		}
		bad(issuers[1])
		if n := issuers[1].Fetches().Discovery; n != 2 {
			t.Errorf("the other one was contacted %d times, want twice", n)
		}
	})
}

// A flood of issuers that answer with keys and never verify a token takes no
// place from those that do.
func TestAnyIssuer_FloodCannotEvict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 110)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 12, FirstContactsPerSecond: 1000}))
		good, bad := issuers[:10], issuers[10:]
		for _, i := range good {
			wants(t, a, i.Token(nil), nil)
		}
		for range 5 {
			for _, i := range bad {
				wants(t, a, i.NewKey(oidctest.KeyConfig{ID: i.Key().ID()}).Token(nil), oidcauth.ErrSignature)
				time.Sleep(time.Second) // what the budget wants
			}
		}
		for _, i := range good {
			wants(t, a, i.Token(nil), nil)
			if n := i.Fetches().Discovery; n != 1 {
				t.Errorf("%s was contacted %d times, want once", i.URL(), n)
			}
		}
	})
}

// TestAnyIssuer_MadeUp has strangers name many issuers that nobody runs, as fast
// as the budget permits. OIDCAUTH_MADE_UP sets their number.
func TestAnyIssuer_MadeUp(t *testing.T) {
	number := 6_000
	if s := os.Getenv("OIDCAUTH_MADE_UP"); s != "" {
		var err error
		if number, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int64
		client := &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			requests.Add(1)
			return nil, errors.New("nobody there")
		})}
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		goroutines, before := bubbleGoroutines(t), heap()
		start := time.Now()
		for n := range number {
			token := madeUp(fmt.Sprintf("https://made-up-%d.test/%0100d", n, 0))
			for {
				_, err := a.Authenticate(t.Context(), token)
				refusal, _ := errors.AsType[*oidcauth.Refusal](err)
				if errors.Is(err, oidcauth.ErrUnknownIssuer) {
					break
				}
				if !errors.Is(err, oidcauth.ErrKeysUnavailable) || refusal.RetryAfter() <= 0 {
					t.Fatalf("Authenticate() error = %v", err)
				}
				time.Sleep(refusal.RetryAfter())
			}
		}
		synctest.Wait()
		took := time.Since(start)
		grown := heap() - before
		known, _, failed := oidcauth.OpenIssuers(a)
		t.Logf("%d made-up issuers in %v: %d requests, %d bytes of heap, %d known, %d remembered as failed",
			number, took.Round(time.Second), requests.Load(), grown, known, failed)
		if known != 0 || failed > 4000 || grown > 8<<20 {
			t.Errorf("%d known, %d failed, %d bytes, want none, at most 4000, and 8 MiB", known, failed, grown)
		}
		if n := bubbleGoroutines(t); n > goroutines {
			t.Errorf("%d goroutines, want %d", n, goroutines)
		}
		if most := int64(16 + 10*took.Seconds() + 1); requests.Load() > most {
			t.Errorf("%d requests in %v, want at most %d", requests.Load(), took, most)
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A local issuer that changes its key each half hour, with tokens of a day, is known to
// other servers by the key that signs: it keeps more keys than are read of a stranger.
func TestAnyIssuer_ManyRetiredKeys(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	l := newLocal(t, localissuer.Config{URL: "https://local.test", MaxLifetime: 24 * time.Hour, Now: now})
	for range 2*48 + 10 {
		ahead.Add(int64(30 * time.Minute))
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.Keys()); n <= 64 {
		t.Fatalf("%d keys, want more than the 64 that are read of a stranger", n)
	}
	h := l.Handler()
	client := &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	})}
	cfg := open(client, oidcauth.AnyIssuer{})
	cfg.Now = now
	wants(t, newAuthenticator(t, cfg), issue(t, l, localissuer.Request{}), nil)
}
