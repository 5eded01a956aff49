package guests_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/guests"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// start returns a provider of accounts, the issuer of guests, and who accepts both.
func start(t *testing.T) (*oidctest.Issuer, *localissuer.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	idp := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
	local, err := localissuer.New(localissuer.Config{URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{"notes"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{local.Issuer(), {URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return idp, local, auth
}

// TestRoutes makes a guest, who stays the same, and nobody else becomes one.
func TestRoutes(t *testing.T) {
	t.Parallel()
	idp, local, auth := start(t)
	routes := guests.Routes(auth, local)
	post := func(path, token string, status int) (answer struct {
		Token   string
		Expires time.Time
	}) {
		t.Helper()
		r, w := httptest.NewRequest("POST", path, nil), httptest.NewRecorder()
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		routes.ServeHTTP(w, r)
		if w.Code != status || status == http.StatusOK && json.Unmarshal(w.Body.Bytes(), &answer) != nil {
			t.Fatalf("%s: got %d %s, want %d", path, w.Code, w.Body, status)
		}
		return answer
	}
	first := post("/guest", "", http.StatusOK)
	next := post("/guest/renew", first.Token, http.StatusOK)
	was, err := auth.Authenticate(t.Context(), first.Token)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Expires.Equal(was.Expiry()) {
		t.Errorf("a guest is told that the token ends at %v, and it does at %v", first.Expires, was.Expiry())
	}
	is, err := auth.Authenticate(t.Context(), next.Token)
	if err != nil || is.Identity() != was.Identity() || !is.Expiry().Equal(next.Expires) {
		t.Errorf("renewed to %v until %v, %v, want %v", is, next.Expires, err, was)
	}
	post("/guest/renew", "", http.StatusUnauthorized)
	post("/guest/renew", idp.Token(map[string]any{"sub": was.Subject()}), http.StatusForbidden)
}

// TestRoutes_Revoked: while all that is issued is revoked, whoever wants to be a guest is told to
// come again, and not that a token of theirs is bad.
func TestRoutes_Revoked(t *testing.T) {
	t.Parallel()
	_, local, auth := start(t)
	if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: "localhost", IssuedBefore: time.Now().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	guests.Routes(auth, local).ServeHTTP(w, httptest.NewRequest("POST", "/guest", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d, headers %v: %s, want 503 with Retry-After", w.Code, w.Header(), w.Body)
	}
}
