package localissuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Another server accepts the tokens as those of any issuer, and a rotation does
// not even make it fetch.
func TestIssuer_Handler(t *testing.T) {
	t.Parallel()
	var handler http.Handler
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	l := newLocal(t, localissuer.Config{URL: server.URL})
	fetches := 0
	handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches++
		l.Handler().ServeHTTP(w, r)
	})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: server.URL, Audiences: []string{testAudience}}},
		Client:  server.Client(),
	})
	for range 2 {
		if _, err := a.Authenticate(t.Context(), issue(t, l, localissuer.Request{})); err != nil {
			t.Errorf("Authenticate() error = %v", err)
		}
		if fetches != 2 {
			t.Errorf("%d requests, want 2: discovery and keys", fetches)
		}
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Authenticate(t.Context(), issue(t, l, localissuer.Request{})); err != nil || fetches != 3 {
		t.Errorf("after another rotation: Authenticate() error = %v, %d requests, want none and 3", err, fetches)
	}
}

func TestIssuer_HandlerAnswers(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	get := func(method, path, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		l.Handler().ServeHTTP(w, r)
		return w
	}
	keys := get("GET", "/.well-known/jwks.json", "")
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal(keys.Body.Bytes(), &set); err != nil || len(set.Keys) != 2 || keys.Code != 200 {
		t.Fatalf("got %d, %s", keys.Code, keys.Body)
	}
	for _, k := range set.Keys {
		if k["d"] != nil || k["kid"] == "" || k["alg"] != "ES256" || k["use"] != "sig" {
			t.Errorf("got key %v", k)
		}
	}
	for _, tt := range []struct {
		method, path, tag string
		want              int
	}{
		{"GET", "/.well-known/jwks.json", keys.Header().Get("ETag"), http.StatusNotModified},
		{"GET", "/.well-known/jwks.json", `"x"`, http.StatusOK},
		{"HEAD", "/.well-known/jwks.json", "", http.StatusOK},
		{"POST", "/.well-known/jwks.json", "", http.StatusMethodNotAllowed},
		{"GET", "/other", "", http.StatusNotFound},
		{"GET", "/.well-known/openid-configuration", "", http.StatusNotFound}, // a bare word
	} {
		if got := get(tt.method, tt.path, tt.tag).Code; got != tt.want {
			t.Errorf("%s %s with tag %q: got %d, want %d", tt.method, tt.path, tt.tag, got, tt.want)
		}
	}
}

// Any page and cache may have the keys, for five minutes, and take them for nothing
// else; that there are none at present is not to be kept.
func TestIssuer_HandlerHeaders(t *testing.T) {
	t.Parallel()
	public := map[string]string{
		"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
	}
	synctest.Test(t, func(t *testing.T) {
		v := &vault{t: t, dir: filepath.Join(t.TempDir(), "keys")}
		v.local = newLocal(t, localissuer.Config{URL: "https://db.test", Dir: v.dir})
		wants := func(method, path string, status int, want map[string]string) {
			t.Helper()
			w := httptest.NewRecorder()
			v.local.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
			if w.Code != status {
				t.Errorf("%s %s: got %d, want %d", method, path, w.Code, status)
			}
			for name, value := range want {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s %s: got %s %q, want %q", method, path, name, got, value)
				}
			}
		}
		for path, kind := range map[string]string{"/.well-known/jwks.json": "application/jwk-set+json", "/.well-known/openid-configuration": "application/json"} {
			public["Content-Type"] = kind
			wants("GET", path, http.StatusOK, public)
			wants("HEAD", path, http.StatusOK, public)
			wants("POST", path, http.StatusMethodNotAllowed, map[string]string{"Allow": "GET, HEAD"})
		}
		v.restore([]byte("{"))
		localissuer.AgeKeyDirectory(v.local, 24*time.Hour)
		v.local.Refresh()
		wants("GET", "/.well-known/jwks.json", http.StatusServiceUnavailable, map[string]string{"Retry-After": "5", "Cache-Control": "no-store"})
	})
}

// Keys that change often are many, and yet no more than a server with AnyIssuer reads, as
// long as tokens are good under fewer.
func TestHandler_ManyKeys(t *testing.T) {
	t.Parallel()
	path, now := filepath.Join(t.TempDir(), "keys"), time.Now()
	dir, err := keyring.OpenOrCreate(t.Context(), path, now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = dir.Update(t.Context(), func(r keyring.Ring) (keyring.Ring, bool, error) {
		r, _, err := r.Admit("localhost", time.Minute, false)
		for range 330 {
			if err == nil {
				now = now.Add(2 * time.Minute)
				r, err = r.Rotate(now)
			}
		}
		return r, true, err
	})
	if err != nil {
		t.Fatal(err)
	}
	local := newLocal(t, localissuer.Config{Dir: path, MaxLifetime: time.Minute, Now: func() time.Time { return now }})
	answer := httptest.NewRecorder()
	local.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	if n := answer.Body.Len(); answer.Code != 200 || n > 64<<10 {
		t.Errorf("%d keys make an answer of %d bytes, status %d, want 64 KiB at most", len(local.Keys()), n, answer.Code)
	}
}
