package spacetime_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A server starts before it is known whether what it issues is accepted. Until it is, and
// after the end, newcomers are to come again: they have done nothing wrong, and nothing is
// broken.
func TestServer_NobodyKnows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memorylog.New[oidcauth.Revocation]()
		log.SetDown(true)
		local := authtest.NewLocal(t, localissuer.Config{Signer: authtest.NewKey(t), Audiences: []string{audience}})
		auth := authtest.NewAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{local.Issuer()}, Revocations: log, RequireRevocations: true,
		})
		server, err := spacetime.New(spacetime.Config{Auth: auth, Local: local, Anonymous: true})
		if err != nil {
			t.Fatalf("New() error = %v, want none while nobody can tell", err)
		}
		come := func(when string, want int) {
			t.Helper()
			rec := httptest.NewRecorder()
			server.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/identity", nil))
			if rec.Code != want || (rec.Header().Get("Retry-After") != "") != (want == 503) {
				t.Errorf("%s: status %d, header %v, want %d; %s", when, rec.Code, rec.Header(), want, rec.Body)
			}
		}
		come("before the revocations are known", 503)
		log.SetDown(false)
		time.Sleep(time.Minute)
		come("once they are", 200)
		auth.Close()
		come("after the end", 503)
		if _, err := spacetime.New(spacetime.Config{Auth: auth, Local: local}); err == nil {
			t.Error("New() with an Authenticator that was closed: want an error")
		}
	})
}

// Whoever comes with a token does not become somebody new where a handler in front has taken
// it out of the request.
func TestSubscribe_TokenTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true})
	behind := httptest.NewServer(w.auth.Optional(w.server))
	defer behind.Close()
	w.url = behind.URL
	if _, resp, err := w.dial(t, "", v3, authorization("Bearer "+w.issuer.Token(nil))...); resp == nil || resp.StatusCode != 500 {
		t.Errorf("with a token: error = %v, want one for status 500", err)
	}
	if !strings.Contains(w.log.String(), "outside of the Authenticator's Middleware") {
		t.Errorf("the log does not say what to do:\n%s", w.log)
	}
	if _, _, err := w.dial(t, "", v3); err != nil {
		t.Errorf("without one: error = %v", err)
	}
}
