package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A secret with a slip in it is sent to no issuer, as an opaque token is about which its
// issuer is asked. An admin's opaque token is, where it cannot be a secret.
func TestAdmin_Opaque(t *testing.T) {
	t.Parallel()
	const asking, prefixed = `, "introspection": {}`, `, "introspection": {}, "opaque_prefix": "opaque_"`
	slip := adminSecret[:31] + "x"
	for _, tt := range []struct {
		name           string
		issuer, secret string
		others         bool // the admins' tokens are another issuer's
		sent           string
		want, asked    int
	}{
		{"a slip, opaque tokens of any form", asking, adminSecret, false, slip, 401, 0},
		{"a slip, opaque tokens with a prefix", prefixed, adminSecret, false, slip, 401, 0},
		{"a slip in a secret that begins as tokens do", prefixed, "opaque_" + adminSecret, false, "opaque_" + slip, 401, 0},
		{"that secret", prefixed, "opaque_" + adminSecret, false, "opaque_" + adminSecret, 200, 0},
		{"the secret", asking, adminSecret, false, adminSecret, 200, 0},
		{"a token that may be a slip", asking, adminSecret, false, "TOKEN", 401, 0},
		{"a token that begins as tokens do", prefixed, adminSecret, false, "TOKEN", 200, 1},
		{"a token that is none", prefixed, adminSecret, false, "opaque_x", 401, 1},
		{"a token where there is no secret", asking, "", false, "TOKEN", 200, 1},
		{"a token where there is no secret, with a prefix", prefixed, "", false, "TOKEN", 200, 1},
		{"a token of an issuer of no admins", asking, "", true, "TOKEN", 401, 0},
		{"a token of an issuer of no admins, with a prefix", prefixed, adminSecret, true, "TOKEN", 401, 0},
		{"a slip with two dots", asking, adminSecret, false, "a.b." + slip, 401, 0},
		{"a slip with a dot", asking, adminSecret, false, "a." + slip, 401, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			iss, other := startIssuer(t), startIssuer(t)
			admins, secret := iss, ""
			if tt.others {
				admins = other
			}
			if tt.secret != "" {
				secret = fmt.Sprintf(`, "secret_file": %q`, writeFile(t, "secret", tt.secret))
			}
			s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
				`{"issuers": [%s, %s], "admin": {"addr": "127.0.0.1:0", "bearer": {"issuers": [%q], "roles": ["root"]}%s}}`,
				described(iss, tt.issuer), described(other, ""), admins.URL(), secret)))
			sent := tt.sent
			if sent == "TOKEN" {
				sent = iss.OpaqueToken(map[string]any{"aud": "my-db", "roles": []string{"root"}})
			}
			got := sendAdmin(t, "GET", adminOf(t, s)+"/metrics", "", bearer(sent)...)
			if asked := iss.Fetches().Introspection + other.Fetches().Introspection; got.status != tt.want || asked != tt.asked {
				t.Errorf("status %d, want %d; the issuer was asked %d times, want %d: %s", got.status, tt.want, asked, tt.asked, got.body)
			}
			if log := s.err.String(); strings.Contains(log, sent) || strings.Contains(got.body, sent) {
				t.Errorf("what was sent is shown: %s%s", log, got.body)
			}
		})
	}
}

// What tokens begin with is what the file says now.
func TestAdmin_OpaqueReload(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	iss.Start()
	secret := writeFile(t, "secret", adminSecret)
	config := func(more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q, "bearer": {"issuers": [%q], "roles": ["root"]}}}`,
			described(iss, `, "introspection": {}`+more), secret, iss.URL())
	}
	file := writeFile(t, "config.json", config(""))
	s := serve(t, "--config", file)
	at := adminOf(t, s)
	token := iss.OpaqueToken(map[string]any{"roles": []string{"root"}})
	if got := sendAdmin(t, "GET", at+"/metrics", "", bearer(token)...); got.status != 401 {
		t.Errorf("without a prefix: status %d, want 401", got.status)
	}
	replaceFile(t, file, config(`, "opaque_prefix": "opaque_"`))
	s.awaitLines(t, reloaded, 1)
	if got := sendAdmin(t, "GET", at+"/metrics", "", bearer(token)...); got.status != 200 {
		t.Errorf("with a prefix: status %d, want 200: %s", got.status, got.body)
	}
}
