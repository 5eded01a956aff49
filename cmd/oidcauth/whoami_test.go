package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// listen serves on a free loopback port and returns the URL.
func listen(t *testing.T, srv *http.Server) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	go srv.Serve(ln)
	return "http://" + ln.Addr().String()
}

func TestWhoami(t *testing.T) {
	iss := startIssuer(t)
	s := serveFor(t, iss)
	expiry := time.Now().Add(10 * time.Minute)
	got := s.get(t, "/v1/whoami", iss.Token(map[string]any{
		"sub": "auth0|1", "aud": []string{"other", "my-db"}, "exp": expiry.Unix(),
		"text": "<&>", "big": 12345678901234567,
	}))
	if got.status != 200 || got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Fatalf("got %+v", got)
	}
	answer := decode[struct {
		Identity  string         `json:"identity"`
		Issuer    string         `json:"issuer"`
		Subject   string         `json:"subject"`
		Audience  []string       `json:"audience"`
		ExpiresAt string         `json:"expires_at"`
		Claims    map[string]any `json:"claims"`
	}](t, got)
	if want := oidcauth.NewIdentity(iss.URL(), "auth0|1").String(); answer.Identity != want {
		t.Errorf("identity = %s, want %s", answer.Identity, want)
	}
	if answer.Issuer != iss.URL() || answer.Subject != "auth0|1" || strings.Join(answer.Audience, " ") != "other my-db" {
		t.Errorf("got %+v", answer)
	}
	if want := expiry.UTC().Format(time.RFC3339); answer.ExpiresAt != want {
		t.Errorf("expires_at = %s, want %s", answer.ExpiresAt, want)
	}
	if answer.Claims["sub"] != "auth0|1" || answer.Claims["text"] != "<&>" || !strings.Contains(got.body, `12345678901234567`) {
		t.Errorf("the claims are not those of the token: %s", got.body)
	}
}

func TestWhoami_refusals(t *testing.T) {
	iss, down := startIssuer(t), startIssuer(t)
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	s := serveFor(t, iss, "--issuer", down.URL())
	good := map[string]any{"aud": "my-db"}
	for _, test := range []struct {
		name      string
		token     string
		headers   []string
		status    int
		challenge string // how WWW-Authenticate begins
		code      string // of the body
	}{
		{"no token", "", nil, 401, "Bearer resource_metadata=", "unauthorized"},
		{"another scheme", "", []string{"Authorization", "Basic YTpi"}, 401, "Bearer resource_metadata=", "unauthorized"},
		{"expired", iss.Token(map[string]any{"aud": "my-db", "exp": 1}), nil, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"another audience", iss.Token(map[string]any{"aud": "shop"}), nil, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"no JWT", "0123456789abcdef", nil, 401, `Bearer error="invalid_token"`, "invalid_token"},
		{"two tokens", iss.Token(good), []string{"Authorization", "Bearer x"}, 400, `Bearer error="invalid_request"`, "invalid_request"},
		{"keys cannot be had", down.Token(good), nil, 503, "", "temporarily_unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.do(t, "GET", "/v1/whoami", test.token, test.headers...)
			body := decode[map[string]string](t, got)
			if got.status != test.status || body["error"] != test.code || body["error_description"] == "" {
				t.Errorf("status %d, body %s; want %d, %q", got.status, got.body, test.status, test.code)
			}
			challenge := got.header.Get("WWW-Authenticate")
			if !strings.HasPrefix(challenge, test.challenge) || (challenge == "") != (test.challenge == "") {
				t.Errorf("challenge = %q, want it to begin with %q", challenge, test.challenge)
			}
			if test.status == 503 && got.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	if got := s.get(t, "/v1/whoami", iss.Token(good)); got.status != 200 {
		t.Errorf("a good token: status = %d, want 200", got.status)
	}
}
