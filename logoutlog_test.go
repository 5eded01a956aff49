package oidcauth_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The line of a logout counts what ended and, if that is nothing, says why.
func TestLogoutHandler_Log(t *testing.T) {
	const nothing, useless, remedy = "no live session matches", `no token of this issuer has carried "sid"`, "leave LogoutBy empty"
	alice, withSid := map[string]any{"sub": "alice"}, map[string]any{"sub": "alice", "sid": "login-1"}
	tests := []struct {
		name     string
		by       string
		sessions []map[string]any // of which tokens
		closed   bool             // before the logout
		logout   map[string]any
		ended    int
		reason   []string
		level    string
	}{
		{"one of two", "", []map[string]any{alice, {"sub": "bob"}}, false, nil, 1, nil, "INFO"},
		{"three of one subject", "", []map[string]any{alice, alice, withSid}, false, nil, 3, nil, "INFO"},
		{"by both, and one matches twice", "", []map[string]any{alice, withSid, {"sub": "bob", "sid": "login-1"}}, false, map[string]any{"sid": "login-1"}, 3, nil, "INFO"},
		{"by login session", "", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-1", "sub": nil}, 1, nil, "INFO"},
		{"somebody who is not there", "", []map[string]any{alice}, false, map[string]any{"sub": "carol"}, 0, []string{nothing}, "INFO"},
		{"sessions that have ended before", "", []map[string]any{alice}, true, nil, 0, []string{nothing}, "INFO"},
		{"before the first token", "", nil, false, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{nothing}, "INFO"},
		{"a login session that is not there", "", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-2", "sub": nil}, 0, []string{nothing}, "INFO"},
		{"no token has a login session", "", []map[string]any{alice}, false, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{useless}, "WARN"},
		{"no token that ended has a login session", "", []map[string]any{alice}, true, map[string]any{"sid": "login-1", "sub": nil}, 0, []string{useless}, "WARN"},
		{"no token has the login session that the description wants", "sid", []map[string]any{alice}, false, map[string]any{"sid": "login-1"}, 0, []string{useless, remedy}, "WARN"},
		{"a subject that the description does not want", "sid", []map[string]any{alice, withSid}, false, map[string]any{"sid": "login-2"}, 0, []string{nothing}, "INFO"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				trusted.LogoutBy = tt.by
				var log logBuffer
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				})
				for _, claims := range tt.sessions {
					s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(claims)))
					if tt.closed {
						s.Close()
					}
				}
				time.Sleep(time.Second)
				token := logoutToken(issuer, tt.logout)
				if resp := postLogout(a, token); resp.StatusCode != http.StatusOK {
					t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
				}
				var line struct {
					Level, Msg, Revocation, Reason string
					Ended                          int
				}
				lines := strings.Split(strings.TrimSpace(log.String()), "\n")
				if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
					t.Fatalf("log %q: %v", log.String(), err)
				}
				if line.Msg != "logout" || line.Level != tt.level || line.Ended != tt.ended || line.Revocation == "" || (line.Reason == "") != (tt.ended > 0) {
					t.Errorf("log %s, want %d ended at level %s", log.String(), tt.ended, tt.level)
				}
				for _, want := range tt.reason {
					if !strings.Contains(line.Reason, want) {
						t.Errorf("reason %q, want %q in it", line.Reason, want)
					}
				}
				if strings.Contains(log.String(), token[:20]) {
					t.Error("the log has the token")
				}
			})
		})
	}
}
