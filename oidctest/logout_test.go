package oidctest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

// TestLogoutToken reads what stands in logout tokens.
func TestLogoutToken(t *testing.T) {
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "client", "roles": []string{"writer"}, "exp": 1}})
	read := func(token string) (header, payload map[string]any) {
		for i, into := range []*map[string]any{&header, &payload} {
			text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, into); err != nil {
				t.Fatal(err)
			}
		}
		return header, payload
	}
	header, payload := read(iss.LogoutToken(map[string]any{"sid": "login-1"}))
	if header["typ"] != "logout+jwt" {
		t.Errorf("typ: got %v, want logout+jwt", header["typ"])
	}
	for _, name := range []string{"sub", "roles", "nonce"} {
		if value, there := payload[name]; there {
			t.Errorf("%s: got %v, want none", name, value)
		}
	}
	if payload["sid"] != "login-1" || payload["aud"] != "client" || payload["iss"] != iss.URL() {
		t.Errorf("payload: got %v, want the session, the client and the issuer", payload)
	}
	if payload["exp"].(float64)-payload["iat"].(float64) != oidctest.LogoutLifetime.Seconds() {
		t.Errorf("lifetime: got %v to %v, want %v", payload["iat"], payload["exp"], oidctest.LogoutLifetime)
	}
	if _, there := payload["events"].(map[string]any)[oidctest.LogoutEvent]; !there {
		t.Errorf("events: got %v", payload["events"])
	}
	_, again := read(iss.LogoutToken(map[string]any{"sub": "alice", "exp": nil}))
	if again["jti"] == payload["jti"] || again["jti"] == "" {
		t.Errorf("jti: got %v twice", again["jti"])
	}
	if _, there := again["exp"]; there || again["sub"] != "alice" {
		t.Errorf("payload: got %v, want what was asked for", again)
	}
}

// TestLogoutToken_OfIssuerWithClaims: what every token of the issuer says of who issued it,
// and when, is not taken out of its logout tokens.
func TestLogoutToken_OfIssuerWithClaims(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_900_000_000, 0)
	iss := oidctest.NewIssuer(t, oidctest.Config{
		Now:    func() time.Time { return now },
		Claims: map[string]any{"iss": "https://alias.test", "iat": now.Add(-time.Hour), "roles": []string{"a"}, "aud": "my-db"},
	})
	got := payload(t, iss.LogoutToken(map[string]any{"sub": "alice"}))
	if got["iss"] != "https://alias.test" || got["iat"] != float64(now.Unix()) || got["aud"] != "my-db" || got["roles"] != nil {
		t.Errorf("claims = %v, want iss, aud and the present as iat, and no roles", got)
	}
}
