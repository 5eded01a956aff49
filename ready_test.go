package oidcauth_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up, trusted := newIssuer(t, oidctest.Config{})
		down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://down.test"})
		down.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, {URL: down.URL(), Audiences: []string{"x"}}},
			Client:  oidctest.Client(up, down),
		})
		if n := up.Fetches().Discovery; n != 0 {
			t.Errorf("New made %d requests, want none", n)
		}
		err := a.Ready(t.Context())
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !strings.Contains(err.Error(), "down.test") || strings.Contains(err.Error(), up.URL()) {
			t.Errorf("Ready() error = %v, want %v about the issuer that is down", err, oidcauth.ErrKeysUnavailable)
		}
		if got := a.Unready(); !slices.Equal(got, []string{down.URL()}) {
			t.Errorf("Unready() = %q, want %q", got, down.URL())
		}
		if _, err := a.Authenticate(t.Context(), up.Token(nil)); err != nil {
			t.Errorf("Authenticate() with the other issuer's token: %v", err)
		}

		down.Clear()
		time.Sleep(time.Minute)
		if err := a.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v, want none once the issuer is up", err)
		}
		if got := a.Unready(); len(got) != 0 {
			t.Errorf("Unready() = %q, want none", got)
		}
	})
}

// A server starts before its issuer does, and accepts tokens as soon as the
// issuer is there.
func TestAuthenticate_IssuerComesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(nil)
		_, err := a.Authenticate(t.Context(), token)
		refusal, ok := errors.AsType[*oidcauth.Refusal](err)
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !ok || refusal.RetryAfter() <= 0 {
			t.Fatalf("Authenticate() error = %v, want %v with a time to retry after", err, oidcauth.ErrKeysUnavailable)
		}
		issuer.Clear()
		time.Sleep(refusal.RetryAfter())
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Errorf("Authenticate() error = %v once the issuer is up", err)
		}
	})
}

func TestAuthenticate_CallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := a.Authenticate(ctx, issuer.Token(nil))
		if !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Authenticate() error = %v, want %v by the caller's deadline", err, oidcauth.ErrKeysUnavailable)
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v, want 1s", waited)
		}
	})
}

// The accepted instants of a token, to the nanosecond, at its first use and
// from the cache.
func TestAuthenticate_Times(t *testing.T) {
	tests := []struct {
		name   string
		leeway time.Duration
		actual time.Duration
	}{
		{"default leeway", 0, 30 * time.Second},
		{"none", -1, 0},
		{"one minute", time.Minute, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, cacheBytes := range []int64{0, -1} {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
						Leeway: tt.leeway, CacheBytes: cacheBytes,
					})
					now := time.Now()
					token := issuer.Token(map[string]any{
						"iat": now.Unix(), "nbf": now.Add(5 * time.Minute).Unix(), "exp": now.Add(10 * time.Minute).Unix(),
					})
					starts, ends := now.Add(5*time.Minute-tt.actual), now.Add(10*time.Minute+tt.actual)
					expect := func(at time.Time, want error) {
						t.Helper()
						time.Sleep(time.Until(at))
						if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
							t.Errorf("at %v: Authenticate() error = %v, want %v", at.Sub(now), err, want)
						}
					}
					expect(starts.Add(-1), oidcauth.ErrNotYetValid)
					expect(starts, nil)
					expect(ends.Add(-1), nil)
					expect(ends, oidcauth.ErrExpired)
				})
			}
		})
	}
}

// A verdict in the cache dies with the key that signed the token.
func TestAuthenticate_KeyRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		issuer.Replace()
		if _, err := a.Authenticate(t.Context(), token); err != nil {
			t.Fatalf("Authenticate() error = %v before the library can know of the removal", err)
		}
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
			t.Fatalf("Authenticate() error = %v for the first token after a rotation", err)
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("Authenticate() error = %v, want %v under a removed key", err, oidcauth.ErrUnknownKey)
		}
	})
}

func TestAuthenticate_ReusedKeyID(t *testing.T) {
	for _, reuses := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			trusted.Keys.ReusesKeyIDs = reuses
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			issuer.ReuseKeyID()
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			if reuses && err != nil {
				t.Errorf("Authenticate() error = %v, want none with ReusesKeyIDs", err)
			}
			if !reuses && !errors.Is(err, oidcauth.ErrSignature) {
				t.Errorf("Authenticate() error = %v, want %v without ReusesKeyIDs", err, oidcauth.ErrSignature)
			}
		})
	}
}

func TestClose(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	if _, err := a.Authenticate(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	}
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Authenticate() error = %v after Close, want %v", err, oidcauth.ErrClosed)
	}
}

// A connection kept open for later requests would hold two goroutines for a
// minute and a half.
func TestClose_Connections(t *testing.T) {
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: "https://issuer.test", Keys: oidcauth.KeysFrom{JWKSURL: server.URL, InsecureHTTP: true}, Audiences: []string{testAudience},
	}}})
	if err := a.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open after Close")
	}
}

// The trace sees every fetch, the log only changes of state.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		issuer.AddJWK(map[string]any{"kty": "oct", "k": "AAAA"})
		var mu sync.Mutex // guards fetches, changes
		var fetches []authtrace.KeyFetch
		var changes []authtrace.KeyState
		var log logBuffer
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Trace: &authtrace.Hooks{
				KeysFetched: func(f authtrace.KeyFetch) { mu.Lock(); defer mu.Unlock(); fetches = append(fetches, f) },
				KeysState:   func(c authtrace.KeyState) { mu.Lock(); defer mu.Unlock(); changes = append(changes, c) },
			},
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		time.Sleep(4 * time.Hour)
		a.Close()

		if len(fetches) < 3 || fetches[0].Usable != 1 || fetches[0].Skipped != 1 || !fetches[0].Lookup || fetches[0].Issuer != issuer.URL() || fetches[0].URL != issuer.JWKSURL() {
			t.Errorf("fetches = %+v", fetches)
		}
		if last := fetches[len(fetches)-1]; last.Err == nil || last.Lookup {
			t.Errorf("last fetch = %+v, want a failed refresh", last)
		}
		if len(changes) != 2 || changes[0].To != authtrace.Fresh || changes[1].To != authtrace.Stale || changes[1].Err == nil {
			t.Errorf("changes = %+v, want fresh, then stale with its cause", changes)
		}
		if n := strings.Count(log.String(), "\n"); n != len(changes) {
			t.Errorf("%d log lines for %d changes:\n%s", n, len(changes), &log)
		}
	})
}

// An issuer whose keys arrive although its discovery fails is in trouble all the
// same, and nothing but the trace can tell.
func TestTrace_DiscoveryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var mu sync.Mutex // guards last
		var last authtrace.KeyFetch
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true,
			Trace: &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { mu.Lock(); defer mu.Unlock(); last = f }},
		})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, fails := range []bool{false, true} {
			if fails {
				issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
			}
			time.Sleep(60 * time.Hour)
			synctest.Wait()
			mu.Lock()
			if last.Err != nil || fails != (last.DiscoveryErr != nil) {
				t.Errorf("discovery fails %v: fetch = %+v", fails, last)
			}
			mu.Unlock()
		}
	})
}

func TestKeys(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Aliases = []string{"issuer.test"}
	issuer.AddJWK(map[string]any{"kty": "oct", "k": "AAAA", "kid": "secret"})
	issuer.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: 10 * time.Minute, ETag: true})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	r, err := a.Keys(t.Context(), "issuer.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Keys) != 1 || r.Keys[0].ID != issuer.Key().ID() || r.Keys[0].Type != "EC P-256" ||
		len(r.Skipped) != 1 || r.Skipped[0].ID != "secret" || r.Skipped[0].Skipped == "" {
		t.Errorf("Keys() = %+v, skipped %+v", r.Keys, r.Skipped)
	}
	if r.State != authtrace.Fresh || r.MaxAge != 10*time.Minute || r.ETag == "" || r.JWKSURL != issuer.JWKSURL() ||
		!r.NextRefresh.After(r.Fetched) || !r.FreshUntil.After(r.NextRefresh) || !r.ServeUntil.After(r.FreshUntil) {
		t.Errorf("Keys() = %+v", r)
	}
	if _, err := a.Keys(t.Context(), "https://b.test"); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Keys() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}
