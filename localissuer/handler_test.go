package localissuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
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
	if keys.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser may take the keys for something else")
	}
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
