package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/identity"
)

// The tests in this file hold the library to what a real provider issues.

// trust returns an authenticator for the provider's tokens of the given types.
func trust(t *testing.T, p *provider.Provider, types ...string) *oidcauth.Authenticator {
	t.Helper()
	return tracing(t, p, nil, types...)
}

// tracing is [trust] with hooks.
func tracing(t *testing.T, p *provider.Provider, trace *authtrace.Hooks, types ...string) *oidcauth.Authenticator {
	t.Helper()
	auth, err := oidcauth.New(oidcauth.Config{
		Trace: trace,
		Issuers: []oidcauth.Issuer{{
			URL: p.Issuer(), Audiences: []string{audience}, TokenTypes: types, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
		}},
		Leeway: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// guarded serves a handler behind the authenticator.
func guarded(t *testing.T, auth *oidcauth.Authenticator) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(auth.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	t.Cleanup(server.Close)
	return server
}

func get(ctx context.Context, server *httptest.Server, token string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := server.Client().Do(r)
	if err != nil {
		return nil, err
	}
	return response, response.Body.Close()
}

func mustToken(t *testing.T) func(token string, err error) string {
	return func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

func TestAuthenticate_RealTokens(t *testing.T) {
	t.Parallel()
	p := start(t)
	must := mustToken(t)
	person := signIn(t, p, "email", "offline_access")
	refreshed, err := refresh(t.Context(), person.Config, person.OAuth.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	service := must(serviceToken(t.Context(), p, "service", "service-secret"))
	rfc9068 := must(serviceToken(t.Context(), p, "rfc9068", "service-secret"))
	elsewhere := must(serviceToken(t.Context(), p, "elsewhere", "service-secret"))

	plain, typed, both := trust(t, p), trust(t, p, "at+jwt"), trust(t, p, "JWT", "at+jwt")
	for _, row := range []struct {
		name    string
		auth    *oidcauth.Authenticator
		token   string
		subject string
		want    error
	}{
		{"ID token", plain, person.IDToken, "alice", nil},
		{"access token of type JWT", plain, person.OAuth.AccessToken, "alice", nil},
		{"access token from a refresh", plain, refreshed.AccessToken, "alice", nil},
		{"access token of a service", plain, service, "service", nil},
		{"access token of type at+jwt, by default", plain, rfc9068, "", oidcauth.ErrTokenType},
		{"access token of type at+jwt, where configured", typed, rfc9068, "rfc9068", nil},
		{"ID token where only access tokens are", typed, person.IDToken, "", oidcauth.ErrTokenType},
		{"ID token where both are", both, person.IDToken, "alice", nil},
		{"access token of type at+jwt where both are", both, rfc9068, "rfc9068", nil},
		{"access token for somebody else", plain, elsewhere, "", oidcauth.ErrAudience},
	} {
		t.Run(row.name, func(t *testing.T) {
			claims, err := row.auth.Authenticate(t.Context(), row.token)
			if !errors.Is(err, row.want) {
				t.Fatalf("Authenticate() error = %v, want %v", err, row.want)
			}
			if err != nil {
				return
			}
			if want := identity.New(p.Issuer(), row.subject); claims.Identity() != want {
				t.Errorf("identity = %v, want %v", claims.Identity(), want)
			}
		})
	}
}

func TestAuthenticate_RealClaims(t *testing.T) {
	t.Parallel()
	p := start(t)
	person := signIn(t, p, "email")
	claims, err := trust(t, p).Authenticate(t.Context(), person.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	if !claims.HasRole("writer") || claims.HasRole("admin") {
		t.Errorf("roles = %q, want [writer]", slices.Collect(claims.Roles()))
	}
	if claims.SessionID() == "" {
		t.Error("no session ID")
	}
	var own struct {
		Email string `json:"email"`
	}
	if err := claims.Decode(&own); err != nil || own.Email != "alice@example.com" {
		t.Errorf("Decode() = %+v, %v, want alice@example.com", own, err)
	}
}

func TestAuthenticate_RealRSAKeys(t *testing.T) {
	t.Parallel()
	p, err := provider.Start(t.Context(), provider.Config{
		Algorithm: jose.RS256,
		Clients:   []provider.Client{{ID: "service", Secret: "service-secret", Audiences: []string{audience}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	token := mustToken(t)(serviceToken(t.Context(), p, "service", "service-secret"))
	if _, err := trust(t, p).Authenticate(t.Context(), token); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
}

// TestRotation_RefusesNobody changes the provider's key while clients fetch
// tokens and use them, new ones and old ones.
func TestRotation_RefusesNobody(t *testing.T) {
	t.Parallel()
	const clients, callsAround = 4, 50
	p := start(t)
	var fetches atomic.Int64
	server := guarded(t, tracing(t, p, &authtrace.Hooks{KeysFetched: func(authtrace.KeyFetch) { fetches.Add(1) }}))
	first := mustToken(t)(p.AccessToken(t.Context(), "app", "alice"))
	if response, err := get(t.Context(), server, first); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("before the rotation: %v, %v", response, err)
	}

	var before, after atomic.Int64
	var rotated atomic.Bool
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for after.Load() < callsAround && ctx.Err() == nil {
				wasRotated := rotated.Load()
				fresh, err := p.AccessToken(ctx, "app", "alice")
				if err != nil {
					t.Error(err)
					return
				}
				for _, token := range []string{fresh, first} {
					response, err := get(ctx, server, token)
					if err != nil || response.StatusCode != http.StatusOK {
						t.Errorf("after the rotation: %t: got %v, %v, want status 200", wasRotated, response, err)
						return
					}
				}
				if wasRotated {
					after.Add(1)
				} else {
					before.Add(1)
				}
			}
		})
	}
	for before.Load() < callsAround && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Rotate(); err != nil {
		t.Error(err)
	}
	rotated.Store(true)
	group.Wait()
	if before.Load() < callsAround || after.Load() < callsAround {
		t.Errorf("calls before and after the rotation: got %d and %d, want %d each", before.Load(), after.Load(), callsAround)
	}
	if n := fetches.Load(); n != 2 {
		t.Errorf("key set fetched %d times, want 2: once at first and once for the new key", n)
	}
}

func TestWithdrawnKey(t *testing.T) {
	t.Parallel()
	p := start(t)
	auth := trust(t, p)
	must := mustToken(t)
	leaked := must(p.AccessToken(t.Context(), "service", ""))
	if _, err := auth.Authenticate(t.Context(), leaked); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Rotate(); err != nil {
		t.Fatal(err)
	}
	p.Withdraw()
	fresh := must(p.AccessToken(t.Context(), "service", ""))
	if _, err := auth.Authenticate(t.Context(), fresh); err != nil {
		t.Errorf("token of the new key: %v", err)
	}
	if _, err := auth.Authenticate(t.Context(), leaked); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the withdrawn key: error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
}

// TestProviderDownAtStart does what a client is told: it waits as long as the
// answer says and tries again.
func TestProviderDownAtStart(t *testing.T) {
	t.Parallel()
	p := start(t)
	token := mustToken(t)(p.AccessToken(t.Context(), "service", ""))
	p.Stop()
	auth := trust(t, p)
	server := guarded(t, auth)

	response, err := get(t.Context(), server, token)
	if err != nil {
		t.Fatal(err)
	}
	wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if response.StatusCode != http.StatusServiceUnavailable || err != nil {
		t.Fatalf("provider down: status %d, Retry-After %q, want 503 and a number", response.StatusCode, response.Header.Get("Retry-After"))
	}
	if err := auth.Ready(t.Context()); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		t.Errorf("provider down: Ready() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	for tries := 1; ; tries++ {
		time.Sleep(time.Duration(wait) * time.Second)
		if response, err = get(t.Context(), server, token); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusOK {
			break
		}
		if tries == 5 {
			t.Fatalf("provider up again: status %d after %d tries, want 200", response.StatusCode, tries)
		}
	}
	if err := auth.Ready(t.Context()); err != nil {
		t.Errorf("provider up again: Ready() error = %v", err)
	}
}

func TestProviderDownLater(t *testing.T) {
	t.Parallel()
	p := start(t)
	auth := trust(t, p)
	must := mustToken(t)
	known, unknown := must(p.AccessToken(t.Context(), "service", "")), must(p.AccessToken(t.Context(), "app", "alice"))
	if _, err := auth.Authenticate(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	for name, token := range map[string]string{"seen before": known, "never seen": unknown} {
		if _, err := auth.Authenticate(t.Context(), token); err != nil {
			t.Errorf("token %s: error = %v, want none: its key is in hand", name, err)
		}
	}
}

// TestExpiry_RealToken shows a token in its life and after it. If the machine
// is too busy to show it within its life, the next lives for twice as long.
func TestExpiry_RealToken(t *testing.T) {
	t.Parallel()
	const ready, longest = "ready", 6
	cfg := provider.Config{Clients: []provider.Client{{ID: ready, Secret: "service-secret", Audiences: []string{audience}}}}
	life := func(n int) time.Duration { return 2 * time.Second << n }
	for n := range longest {
		cfg.Clients = append(cfg.Clients, provider.Client{
			ID: life(n).String(), Secret: "service-secret", Audiences: []string{audience}, TokenLifetime: life(n),
		})
	}
	p, err := provider.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	auth := trust(t, p)
	must := mustToken(t)
	if _, err := auth.Authenticate(t.Context(), must(serviceToken(t.Context(), p, ready, "service-secret"))); err != nil {
		t.Fatal(err)
	}
	var claims *oidcauth.Claims
	var token string
	for n := range longest {
		began := time.Now()
		token = must(serviceToken(t.Context(), p, life(n).String(), "service-secret"))
		claims, err = auth.Authenticate(t.Context(), token)
		if err == nil || time.Since(began) < life(n)-time.Second {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(claims.Expiry()))
	if _, err := auth.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrExpired) {
		t.Errorf("at its expiry: error = %v, want %v", err, oidcauth.ErrExpired)
	}
}
