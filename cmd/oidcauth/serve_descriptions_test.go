package main

import (
	"fmt"
	"strings"
	"testing"
)

// A file may describe an issuer twice; it is one issuer in what the server says of
// itself.
func TestServe_TwoDescriptions(t *testing.T) {
	iss := startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [
		{"name": "people", "url": %[1]q, "audiences": ["web"], "keys": {"insecure_http": true},
			"claim_rules": [{"claim": ["nonce"], "present": true}]},
		{"name": "machines", "url": %[1]q, "audiences": ["api"], "keys": {"insecure_http": true},
			"subject_prefix": "machine:"}
	]}`, iss.URL()))
	s := serve(t, "--config", file, "--allow-insecure-http")
	for subject, claims := range map[string]map[string]any{
		"alice":         {"sub": "alice", "aud": "web", "nonce": "n"},
		"machine:alice": {"sub": "alice", "aud": "api"},
	} {
		got := s.get(t, "/v1/whoami", iss.Token(claims))
		if got.status != 200 || !strings.Contains(got.body, fmt.Sprintf("%q", subject)) {
			t.Errorf("status %d, want 200 and the subject %q: %s", got.status, subject, got.body)
		}
	}
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "web"})); got.status != 401 {
		t.Errorf("a token that no description fits: status %d", got.status)
	}
	if got := s.get(t, metadataPath, ""); strings.Count(got.body, iss.URL()) != 1 {
		t.Errorf("the issuer stands there more than once: %s", got.body)
	}
}
