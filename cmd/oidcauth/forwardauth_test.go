package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/identity"
)

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveFor(t, iss)
	token := iss.Token(map[string]any{"sub": "auth0|1", "aud": "my-db"})
	for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "PROPFIND"} {
		got := s.do(t, method, "/v1/forward-auth?x=y", token)
		if got.status != 200 || got.body != "" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %+v", method, got)
		}
		for name, want := range map[string]string{
			"X-Auth-Identity": identity.New(iss.URL(), "auth0|1").String(),
			"X-Auth-Issuer":   iss.URL(),
			"X-Auth-Subject":  "auth0|1",
		} {
			if got := got.header.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", method, name, got, want)
			}
		}
	}
}

func TestForwardAuth_SubjectCannotInjectAHeader(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveFor(t, iss)
	for _, subject := range []string{
		"alice\r\nX-Auth-Identity: c200", "alice\nX-Admin: yes", "alice\x00", " alice ", "Ålice 日本", "100%", "a%0d%0ab", "\u2028",
	} {
		got := s.get(t, "/v1/forward-auth", iss.Token(map[string]any{"sub": subject, "aud": "my-db"}))
		if got.status != 200 {
			t.Errorf("%q: status = %d, want 200", subject, got.status)
			continue
		}
		values := got.header.Values("X-Auth-Subject")
		if len(values) != 1 {
			t.Fatalf("%q: %d headers, want 1", subject, len(values))
		}
		if back, err := url.PathUnescape(values[0]); err != nil || back != subject {
			t.Errorf("%q: header %q decodes to %q, %v", subject, values[0], back, err)
		}
		if id := got.header.Values("X-Auth-Identity"); len(id) != 1 || id[0] != identity.New(iss.URL(), subject).String() {
			t.Errorf("%q: X-Auth-Identity = %q", subject, id)
		}
		if got.header.Get("X-Admin") != "" {
			t.Errorf("%q: a header was injected", subject)
		}
	}
}

// TestForwardAuth_HeadersInOtherSpellings: what the service may take for a header of the
// answer, and no proxy replaces, is refused, whatever the proxy is told to drop.
func TestForwardAuth_HeadersInOtherSpellings(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveForward(t, iss, `{"proxy": "nginx", "preflight": true, "headers": {"roles": "X-Roles", "issuer": ""}}`)
	token := iss.Token(map[string]any{"aud": "my-db"})
	for name, want := range map[string]int{
		"X_Auth_Identity": 403, "x.auth.identity": 403, "X-Auth~Subject": 403, "X_ROLES": 403, "X`Roles": 403,
		"X-Auth-Identity": 200, "X-Roles": 200, "X_Auth_Issuer": 200, "X_Roles_2": 200, "X__Roles": 200,
	} {
		if got := s.askAs(t, "nginx", "GET", "/", token, name, "spoofed"); got.status != want {
			t.Errorf("%s: status %d, want %d", name, got.status, want)
		}
		if want == 403 {
			want = 401 // what has one is no preflight
		}
		if got := s.askAs(t, "nginx", "OPTIONS", "/", "", name, "spoofed", "Origin", "https://a.example", "Access-Control-Request-Method", "GET"); got.status != want {
			t.Errorf("a preflight with %s: status %d, want %d", name, got.status, want)
		}
	}
}

// TestForwardAuth_TokenInOtherSpellings: such a header is refused with a copy of the token in
// it as well, which is taken out of the question before anybody looks.
func TestForwardAuth_TokenInOtherSpellings(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveForward(t, iss, `{"proxy": "nginx", "headers": {"roles": "X-Roles"}}`, `"token_places": {"query": "t"}`)
	token := iss.Token(map[string]any{"aud": "my-db"})
	for name, value := range map[string]string{"the token": token, "the token within itself": token[:40] + token + token[40:] + ",admin"} {
		for header, want := range map[string]int{"X_Roles": 403, "X-Roles": 200} {
			if got := s.askAs(t, "nginx", "GET", "/?t="+token, token, header, value); got.status != want {
				t.Errorf("%s in %s: status %d, want %d", name, header, got.status, want)
			}
		}
	}
}

// TestForwardAuth_Refusals: proxies take 401 and 403 for a refusal, so that the
// client's own mistakes must not come out as anything else.
func TestForwardAuth_Refusals(t *testing.T) {
	t.Parallel()
	s, requests := refusedRequests(t)
	for name, test := range map[string]struct {
		status int
		says   string // in the challenge
	}{
		"no token":           {401, "Bearer"},
		"another scheme":     {401, "Bearer"},
		"expired":            {401, `error="invalid_token"`},
		"another audience":   {401, `error="invalid_token"`},
		"no JWT":             {401, `error="invalid_token"`},
		"two tokens":         {401, `error="invalid_request"`},
		"keys cannot be had": {503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := requests.send(t, s, name, "/v1/forward-auth")
			if got.status != test.status || !strings.Contains(got.header.Get("WWW-Authenticate"), test.says) {
				t.Errorf("status %d, challenge %q; want %d, %q", got.status, got.header.Get("WWW-Authenticate"), test.status, test.says)
			}
			for name := range got.header {
				if strings.HasPrefix(name, "X-Auth-") {
					t.Errorf("a refusal carries %s", name)
				}
			}
		})
	}
}
