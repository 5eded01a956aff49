package oidcauth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestConfig_Client(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": testAudience}})
	server := issuer.StartTLS()
	issuers := []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}
	own := newAuthenticator(t, oidcauth.Config{Issuers: issuers})
	if _, err := own.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		t.Errorf("Authenticate() error = %v, want %v for a certificate nobody knows", err, oidcauth.ErrKeysUnavailable)
	}
	given := newAuthenticator(t, oidcauth.Config{Issuers: issuers, Client: server.Client()})
	if _, err := given.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v with a client that knows the certificate", err)
	}
}

// The limit on a token's size, at its default and set, to the byte.
func TestConfig_MaxTokenBytes(t *testing.T) {
	w := hostile.NewWorld(t)
	tests := []struct {
		name  string
		limit int
		bytes int
		want  error
	}{
		{"the default", 0, 16 << 10, nil},
		{"above the default", 0, 16<<10 + 1, oidcauth.ErrMalformedToken},
		{"a low limit", 1000, 1000, nil},
		{"above a low limit", 1000, 1001, oidcauth.ErrMalformedToken},
		{"a high limit", 20000, 20000, nil},
		{"above a high limit", 20000, 20001, oidcauth.ErrMalformedToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{{URL: hostile.URL, Audiences: []string{testAudience}}},
				Client:  w.Main.Client(), MaxTokenBytes: tt.limit,
			})
			if _, err := a.Authenticate(t.Context(), w.OfLength(tt.bytes)); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// A further use of a token costs nothing with the cache and a verification
// without it.
func TestConfig_CacheBytes(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	tests := []struct {
		name   string
		bytes  int64
		cached bool
	}{
		{"the default", 0, true}, {"one mebibyte", 1 << 20, true}, {"negative", -1, false}, {"very negative", -1 << 40, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: tt.bytes})
			if n := useCost(t, a, issuer.Token(nil)); (n == 0) != tt.cached {
				t.Errorf("%v allocations for a further use, want cached %v", n, tt.cached)
			}
		})
	}
}

// After a restart in an issuer's outage, tokens are accepted with the keys that
// the directory has kept, and refused without it.
func TestConfig_KeyCacheDir(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	kept := filepath.Join(t.TempDir(), "keys")
	first := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: kept})
	if _, err := first.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	allDown(issuer)
	for _, tt := range []struct {
		name, dir string
		want      error
	}{
		{"the same directory", kept, nil},
		{"another directory", t.TempDir(), oidcauth.ErrKeysUnavailable},
		{"no directory", "", oidcauth.ErrKeysUnavailable},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: tt.dir})
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// The keys of an issuer whose tokens nobody brings are refreshed with KeepWarm
// and left alone without it.
func TestConfig_KeepWarm(t *testing.T) {
	fetches := map[bool]int{}
	for _, warm := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: warm})
			if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Hour)
			fetches[warm] = issuer.Fetches().JWKS
			a.Close()
		})
	}
	if fetches[true] < 8 || fetches[false] > 3 {
		t.Errorf("fetches in 10 idle hours: %d with KeepWarm, %d without", fetches[true], fetches[false])
	}
}

func TestConfig_Extract(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	tok := issuer.Token(nil)
	for _, tt := range []struct {
		name    string
		extract oidcauth.Extractor
		request string
		headers []string
		want    error
	}{
		{"default, header", nil, "GET /", []string{"Authorization: Bearer " + tok}, nil},
		{"default, query", nil, "GET /?t=" + tok, nil, oidcauth.ErrNoToken},
		{"query, query", oidcauth.QueryToken("t"), "GET /?t=" + tok, nil, nil},
		{"query, header", oidcauth.QueryToken("t"), "GET /", []string{"Authorization: Bearer " + tok}, oidcauth.ErrNoToken},
		{"of the program", func(r *http.Request) (string, error) { return strings.TrimPrefix(r.URL.Path, "/"), nil }, "GET /" + tok, nil, nil},
		{"of the program, nothing", func(*http.Request) (string, error) { return "", nil }, "GET /", nil, oidcauth.ErrMalformedToken},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Extract: tt.extract})
		if _, err := a.AuthenticateRequest(newRequest(t, tt.request, tt.headers...)); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Config.Now is what token times are compared with, at every use.
func TestConfig_Now(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	real := time.Now()
	now := real
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: func() time.Time { return now },
	})
	tok := issuer.Token(map[string]any{"iat": real, "nbf": real, "exp": real.Add(time.Hour)})
	for _, tt := range []struct {
		ahead time.Duration
		want  error
	}{
		{0, nil}, {2 * time.Hour, oidcauth.ErrExpired}, {-2 * time.Hour, oidcauth.ErrNotYetValid}, {time.Minute, nil},
	} {
		now = real.Add(tt.ahead)
		if _, err := a.Authenticate(t.Context(), tok); !errors.Is(err, tt.want) {
			t.Errorf("%v ahead: Authenticate() error = %v, want %v", tt.ahead, err, tt.want)
		}
		if r := a.Explain(t.Context(), tok); !errors.Is(r.Err, tt.want) {
			t.Errorf("%v ahead: Explain() error = %v, want %v", tt.ahead, r.Err, tt.want)
		}
	}
}

func TestConfig_ResourceMetadataURL(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	const address = "https://db.test/.well-known/oauth-protected-resource"
	for _, given := range []string{"", address} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), ResourceMetadataURL: given})
		resp := serve(a.Middleware(whoami), newRequest(t, "GET /"))
		want := "Bearer"
		if given != "" {
			want += ` resource_metadata="` + address + `"`
		}
		if got := resp.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("challenge = %q, want %q", got, want)
		}
	}
}

// The log hears of refusals, and of nothing without a Logger; never of a token.
func TestConfig_Logger(t *testing.T) {
	w := hostile.NewWorld(t)
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{testAudience}}}, Client: w.By["other"].Client(),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	good := w.Of("other", nil)
	for _, tok := range []string{good, good + "x", w.WithClaims(hostile.Claims(hostile.URL)), w.Of("other", func(h, c hostile.Members) (hostile.Members, hostile.Members) { return h, c.Set("exp", "1") })} {
		before := len(log.String())
		resp := serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+tok))
		line := log.String()[before:]
		if refused := resp.StatusCode != 200; refused != strings.Contains(line, "request refused") {
			t.Errorf("status %d, log %q", resp.StatusCode, line)
		}
		checkText(t, line, tok)
	}
}

// A caller that has gone already is not made to wait, and no fetch is begun.
func TestAuthenticate_CallerGone(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	tok := issuer.Token(nil)
	if _, err := a.Authenticate(gone, tok); !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("Authenticate() error = %v, want %v by %v", err, oidcauth.ErrKeysUnavailable, context.Canceled)
	}
	if n := issuer.Fetches(); n != (oidctest.Fetches{}) {
		t.Errorf("fetches = %+v, want none", n)
	}
	if _, err := a.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("Authenticate() error = %v for another caller", err)
	}
	if _, err := a.Authenticate(gone, tok); err != nil {
		t.Errorf("Authenticate() error = %v with the key in hand", err)
	}
}
