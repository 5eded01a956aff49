package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// overTLS is a chat whose page browsers have by https, and its provider.
func overTLS(t *testing.T) (*server, *oidctest.Issuer) {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "chat", "sub": "bob"}})
	s, err := newServer(t.Context(), config{
		address: "https://chat.example.com", issuer: issuer.URL(), clientID: "chat", warn: warnBefore,
		path: filepath.Join(t.TempDir(), "chat.db"), client: issuer.Client(), logger: slog.New(slog.DiscardHandler),
		signOut: func(_, next string) string { return next },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.close() })
	return s, issuer
}

func (s *server) answers(t *testing.T, method, path string, cookies ...*http.Cookie) *http.Response {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "https://chat.example.com"+path, nil)
	for _, c := range cookies {
		request.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	s.handler().ServeHTTP(answer, request)
	return answer.Result()
}

// TestCookies_Host: by https every cookie is this host's alone: no other host of the domain,
// which may be somebody else's, can set it, and with it begin a sign-in or be the login of
// whoever comes here.
func TestCookies_Host(t *testing.T) {
	s, issuer := overTLS(t)
	token := issuer.Token(nil)
	claims, err := s.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := s.signIn.logins.add(claims.Identity(), "", token, "", claims.Expiry(), time.Now())
	theirs := []*http.Cookie{{Name: "__Host-" + tokenCookie, Value: token}, {Name: "__Host-" + loginCookie, Value: l.id}}
	for _, r := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/login", http.StatusFound}, {"POST", "/renew", http.StatusOK}, {"POST", "/logout", http.StatusOK},
	} {
		response := s.answers(t, r.method, r.path, theirs...)
		if response.StatusCode != r.status || len(response.Cookies()) == 0 {
			t.Errorf("%s: got %d with %d cookies, want %d with some", r.path, response.StatusCode, len(response.Cookies()), r.status)
		}
		for _, c := range response.Cookies() {
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || c.Path != "/" || c.Domain != "" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
				t.Errorf("%s: got %s, want a cookie of this host alone, for https and no script", r.path, c)
			}
		}
	}
}

// TestCookies_AnotherHosts: what another host of the domain has set counts for nothing.
func TestCookies_AnotherHosts(t *testing.T) {
	s, issuer := overTLS(t)
	s.signIn.oauth.Endpoint = oauth2.Endpoint{TokenURL: issuer.URL() + "/token"}
	token := issuer.Token(nil)
	claims, err := s.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := s.signIn.logins.add(claims.Identity(), "", token, "", claims.Expiry(), time.Now())
	set := []*http.Cookie{{Name: tokenCookie, Value: token}, {Name: loginCookie, Value: l.id}, {Name: flowCookie + "s", Value: "n.v"}}
	if response := s.answers(t, "POST", "/renew", set...); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("renew: got %d, want 401", response.StatusCode)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://chat.example.com/callback?code=c&state=s", nil)
	for _, c := range set {
		request.AddCookie(c)
	}
	_, err = s.signIn.finish(httptest.NewRecorder(), request)
	if status, _, _ := oidcauth.Answer(err); err == nil || status != http.StatusBadRequest || !strings.Contains(err.Error(), "no sign-in that is under way") {
		t.Errorf("sign-in: error = %v, want that none is under way", err)
	}
}
