package routers_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/routers"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAuthenticate: who has a good token goes on, and whoever has none was answered.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	idp := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	for name, token := range map[string]string{"good": idp.Token(nil), "bad": idp.Token(map[string]any{"aud": "other"})} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		next := routers.Authenticate(auth, w, r)
		switch {
		case name == "bad" && (next != nil || w.Code != http.StatusUnauthorized):
			t.Errorf("%s: goes on: %v, status %d, want 401 and no more", name, next != nil, w.Code)
		case name == "good" && (next == nil || oidcauth.Require(next.Context()) != nil):
			t.Errorf("%s: does not go on as somebody", name)
		}
	}
}
