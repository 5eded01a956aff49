package oidcauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Tokens are taken from wherever proxies and published clients put them, and are
// gone afterwards, whatever was decided.
func TestExtractors_Places(t *testing.T) {
	t.Parallel()
	const protocols, assertion = "Sec-Websocket-Protocol", "Cf-Access-Jwt-Assertion"
	issuer, trusted := newIssuer(t, oidctest.Config{})
	good, bad := issuer.Token(nil), issuer.Token(map[string]any{"aud": "another"})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(),
		Extract: oidcauth.FirstOf(
			oidcauth.BearerToken, oidcauth.HeaderToken(assertion), oidcauth.SubprotocolToken,
			oidcauth.SubprotocolForm("bearer", true), oidcauth.SubprotocolForm("v1.token.websocket.jupyter.org.", false), oidcauth.SubprotocolForm("", false),
		),
	})
	for _, tt := range []struct {
		name    string
		headers map[string]string
		want    error
	}{
		{"a proxy's header", map[string]string{assertion: good}, nil},
		{"a proxy's header, a bad token", map[string]string{assertion: bad}, oidcauth.ErrAudience},
		{"a name before it", map[string]string{protocols: "bearer, " + good}, nil},
		{"a name before it, a bad token", map[string]string{protocols: "bearer, " + bad}, oidcauth.ErrAudience},
		{"a prefix", map[string]string{protocols: "v1.token.websocket.jupyter.org, v1.token.websocket.jupyter.org." + good}, nil},
		{"alone", map[string]string{protocols: good}, nil},
		{"the same in all places", map[string]string{"Authorization": "Bearer " + good, assertion: good, protocols: "bearer, " + good}, nil},
		{"another in the proxy's header", map[string]string{"Authorization": "Bearer " + good, assertion: bad}, oidcauth.ErrMalformedRequest},
		{"another among the subprotocols", map[string]string{assertion: good, protocols: "bearer, " + bad}, oidcauth.ErrMalformedRequest},
		{"nowhere", map[string]string{protocols: "v1"}, oidcauth.ErrNoToken},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		for name, value := range tt.headers {
			r.Header.Set(name, value)
		}
		if _, err := a.AuthenticateRequest(r); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
		for name, values := range r.Header {
			if text := strings.Join(values, ","); strings.Contains(text, good) || strings.Contains(text, bad) {
				t.Errorf("%s: a token is left in %s", tt.name, name)
			}
		}
	}
}

func TestNew_PlacesThatCannotBe(t *testing.T) {
	t.Parallel()
	_, trusted := newIssuer(t, oidctest.Config{})
	for name, extract := range map[string]oidcauth.Extractor{
		"HeaderToken":     oidcauth.HeaderToken("Authorization"),
		"SubprotocolForm": oidcauth.FirstOf(oidcauth.BearerToken, oidcauth.SubprotocolForm("", true)),
	} {
		if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Extract: extract}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New() error = %v, want one about %s", err, name)
			if err == nil {
				a.Close()
			}
		}
	}
}

// TestExtractor_OwnFault: an extractor of the program's own, whose store is not there, says
// nothing of the caller.
func TestExtractor_OwnFault(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		name string
		err  error
		want int
	}{
		{"cannot tell", fmt.Errorf("%w: the store of logins", oidcauth.ErrAnswerUnavailable), http.StatusServiceUnavailable},
		{"has none", fmt.Errorf("%w: the login has ended", oidcauth.ErrNoToken), http.StatusUnauthorized},
		{"a fault of the program's", errors.New("no such table"), http.StatusInternalServerError},
	} {
		auth := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: oidctest.DefaultURL, Audiences: []string{"my-db"}}},
			Extract: oidcauth.FirstOf(oidcauth.BearerToken, func(*http.Request) (string, error) { return "", r.err }),
		})
		w := httptest.NewRecorder()
		auth.Middleware(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != r.want {
			t.Errorf("%s: got %d, want %d", r.name, w.Code, r.want)
		}
	}
}
