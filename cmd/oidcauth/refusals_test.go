package main

import (
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// badRequests are what a request carries, by what is wrong with it.
type badRequests map[string]struct {
	token   string
	headers []string
}

// refusedRequests returns a service, one of whose issuers does not give its
// keys, and requests that it refuses. Its twin, a good token, is accepted.
func refusedRequests(t *testing.T) (*service, badRequests) {
	t.Helper()
	iss, down := startIssuer(t), startIssuer(t)
	down.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	s := serveFor(t, iss, "--issuer", down.URL())
	good := map[string]any{"aud": "my-db"}
	if got := s.get(t, "/v1/forward-auth", iss.Token(good)); got.status != 200 {
		t.Fatalf("a good token: status = %d, want 200", got.status)
	}
	return s, badRequests{
		"no token":           {},
		"another scheme":     {headers: []string{"Authorization", "Basic YTpi"}},
		"expired":            {token: iss.Token(map[string]any{"aud": "my-db", "exp": 1})},
		"another audience":   {token: iss.Token(map[string]any{"aud": "shop"})},
		"no JWT":             {token: "0123456789abcdef"},
		"two tokens":         {iss.Token(good), []string{"Authorization", "Bearer x"}},
		"keys cannot be had": {token: down.Token(good)},
	}
}

// send makes the request of the given name.
func (b badRequests) send(t *testing.T, s *service, name, path string) reply {
	t.Helper()
	request, known := b[name]
	if !known {
		t.Fatalf("no request %q", name)
	}
	return s.do(t, "GET", path, request.token, request.headers...)
}
