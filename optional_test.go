package oidcauth_test

import (
	"fmt"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Only a request without token is nobody's. A token that a rule refuses is not
// taken for none, whatever error the rule found for it.
func TestOptional_RuleSaysNoToken(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
		if c.TokenID() == "" {
			return fmt.Errorf("no ticket: %w", oidcauth.ErrNoToken)
		}
		return nil
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"refused by the rule", []string{"Authorization: Bearer " + issuer.Token(nil)}, 401, ""},
		{"accepted by the rule", []string{"Authorization: Bearer " + issuer.Token(map[string]any{"jti": "1"})}, 200, "alice"},
		{"no token", nil, 200, "nobody"},
	} {
		resp := serve(a.Optional(whoami), newRequest(t, "GET /", tt.headers...))
		if body := bodyOf(t, resp); resp.StatusCode != tt.status || tt.status == 200 && body != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, resp.StatusCode, body, tt.status, tt.body)
		}
	}
}
