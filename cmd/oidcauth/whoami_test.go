package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
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
	t.Parallel()
	iss := startIssuer(t)
	s := serveFor(t, iss)
	expiry := time.Now().Add(10 * time.Minute)
	got := s.get(t, "/v1/whoami", iss.Token(map[string]any{
		"sub": "auth0|1", "aud": []string{"other", "my-db"}, "exp": expiry.Unix(),
		"text": "<&>", "big": int64(12345678901234567),
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
	if want := identity.New(iss.URL(), "auth0|1").String(); answer.Identity != want {
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

// Roles and scopes are lists, from wherever the issuer's tokens have them, and empty
// where there are none.
func TestWhoami_RolesAndScopes(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [{"url": %q, "audiences": ["my-db"], "roles": [["realm_access", "roles"]], "keys": {"insecure_http": true}}]}`, iss.URL()))
	s := serve(t, "--config", file)
	for want, claims := range map[string]map[string]any{
		`"roles":["admin","a,b"],"scopes":["read","write"]`: {"realm_access": map[string]any{"roles": []string{"admin", "a,b"}}, "scope": "read write"},
		`"roles":[],"scopes":["read"]`:                      {"roles": []string{"admin"}, "scp": []string{"read"}},
		`"roles":[],"scopes":[]`:                            {},
	} {
		claims["aud"] = "my-db"
		if got := s.get(t, "/v1/whoami", iss.Token(claims)); got.status != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%v: %+v, want %s", claims, got, want)
		}
	}
}

// TestWhoami_NoAudience: the list is empty, and not null.
func TestWhoami_NoAudience(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "dedicated_keys": true, "keys": {"insecure_http": true}}]}`, iss.URL()))
	got := serve(t, "--config", file).get(t, "/v1/whoami", iss.Token(map[string]any{"aud": nil}))
	if got.status != 200 || !strings.Contains(got.body, `"audience":[]`) {
		t.Errorf("status %d, %s", got.status, got.body)
	}
}

func TestWhoami_Refusals(t *testing.T) {
	t.Parallel()
	s, requests := refusedRequests(t)
	for name, test := range map[string]struct {
		status    int
		challenge string // how WWW-Authenticate begins
		code      string // of the body
	}{
		"no token":           {401, "Bearer resource_metadata=", "unauthorized"},
		"another scheme":     {401, "Bearer resource_metadata=", "unauthorized"},
		"expired":            {401, `Bearer error="invalid_token"`, "invalid_token"},
		"another audience":   {401, `Bearer error="invalid_token"`, "invalid_token"},
		"no JWT":             {401, `Bearer error="invalid_token"`, "invalid_token"},
		"two tokens":         {400, `Bearer error="invalid_request"`, "invalid_request"},
		"keys cannot be had": {503, "", "temporarily_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			got := requests.send(t, s, name, "/v1/whoami")
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
}
