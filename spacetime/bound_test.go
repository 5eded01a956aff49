package spacetime_test

import (
	"crypto/x509"
	"net/http/httptest"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/mtls"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
	"github.com/oidcauth/oidcauth/spacetime"
)

// TestBearer_Bound: a token that is bound to a certificate counts with what a handler in
// front has found to be the connection's, and not without.
func TestBearer_Bound(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}})
	local := authtest.NewLocal(t, localissuer.Config{Audiences: []string{audience}})
	auth := authtest.NewAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}}, local.Issuer()},
		Client:  issuer.Client(), Certificate: mtls.Connection,
	})
	server, err := spacetime.New(spacetime.Config{Auth: auth, Local: local})
	if err != nil {
		t.Fatal(err)
	}
	own, another := &x509.Certificate{Raw: []byte("own")}, &x509.Certificate{Raw: []byte("another")}
	token := issuer.Token(map[string]any{"cnf": map[string]any{"x5t#S256": possession.Thumbprint(own)}})
	for _, row := range []struct {
		name        string
		certificate *x509.Certificate
		want        int
	}{
		{"its own certificate", own, 200},
		{"another certificate", another, 401},
		{"no certificate", nil, 401},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/identity/websocket-token", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Origin", "http://localhost")
		r.Host = "localhost"
		r = r.WithContext(possession.NewContext(r.Context(), possession.Proof{Certificate: row.certificate}))
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, r)
		if rec.Code != row.want {
			t.Errorf("%s: status %d, want %d; %s", row.name, rec.Code, row.want, rec.Body)
		}
	}
}
