package main

import (
	"fmt"
	"testing"
	"time"
)

// TestAdmin_RevocationForGood: what is to be refused of later logins, too, is refused of all of
// them, however soon the tokens of today are over, unless the revocation says when it ends.
func TestAdmin_RevocationForGood(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "max_token_lifetime": "2h", "admin": {"addr": "127.0.0.1:0", "secret_file": %q}}`,
		described(iss, ""), writeFile(t, "secret", adminSecret))))
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	for _, tt := range []struct {
		rest string
		want time.Time
	}{
		{`"issued_before": "any"`, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{`"issued_before": "any", "until": "` + tomorrow.Format(time.RFC3339) + `"`, tomorrow},
		{`"issued_before": "now"`, time.Time{}}, // when no token of before can be left
	} {
		got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations",
			fmt.Sprintf(`{"revoke": "subject", "issuer": %q, "subject": "alice", %s}`, iss.URL(), tt.rest), bearer(adminSecret)...)
		if answer := decode[revocationAnswer](t, got); got.status != 200 || !answer.Revoked.Until.Equal(tt.want) {
			t.Errorf("%s: status %d, %s, want 200 and that it ends %s", tt.rest, got.status, got.body, tt.want)
		}
	}
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db", "sub": "alice"})); got.status != 401 {
		t.Errorf("a token of a later login: status %d, want 401", got.status)
	}
}
