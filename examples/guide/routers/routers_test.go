package routers_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
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

// TestAuthenticate_Nonce: whoever proves a key is told the next nonce with a good answer, too,
// and not by a refusal for each that has grown old.
func TestAuthenticate_Nonce(t *testing.T) {
	t.Parallel()
	const address = "http://db.test/notes"
	proofs, err := dpop.New(dpop.Config{PublicURL: "http://db.test", Nonces: true})
	if err != nil {
		t.Fatal(err)
	}
	idp, prover := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}}), oidctest.NewProver(t, "")
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}}, Client: idp.Client(), DPoP: proofs,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	token := idp.Token(map[string]any{"cnf": map[string]any{"jkt": prover.Thumbprint()}})
	r, w := httptest.NewRequest(http.MethodGet, address, nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", prover.Proof(http.MethodGet, address, token, map[string]any{"nonce": proofs.Nonce()}))
	if next := routers.Authenticate(auth, w, r); next == nil || w.Header().Get("DPoP-Nonce") == "" {
		t.Errorf("goes on: %v, headers %v, want a nonce for the next proof", next != nil, w.Header())
	}
}
