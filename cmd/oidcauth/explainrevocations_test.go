package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplain_Revocations: a token that the server refuses as revoked is not said to be
// accepted, while the server has the directory; and where nobody but the server knows, that
// is said.
func TestExplain_Revocations(t *testing.T) {
	t.Parallel()
	const unsure = "is not known for sure"
	iss := startIssuer(t)
	admin := fmt.Sprintf(`, "admin": {"addr": "127.0.0.1:0", "secret_file": %q}`, writeFile(t, "secret", adminSecret))
	dir := filepath.Join(t.TempDir(), "revocations")
	config := func(name, more string) string {
		return writeFile(t, name, `{"issuers": [`+described(iss, "")+`]`+more+`}`)
	}
	keeps := config("keeps.json", admin+fmt.Sprintf(`, "revocations": {"dir": %q}`, dir))
	s := serve(t, "--config", keeps)
	token := iss.Token(map[string]any{"aud": "my-db", "sub": "alice"})
	explain := func(file string) result { return invoke(t, token, "explain", "--config", file) }
	if r := explain(keeps); r.code != exitOK || strings.Contains(r.err, unsure) {
		t.Errorf("before: exit code %d, %s%s", r.code, r.out, r.err)
	}
	body := fmt.Sprintf(`{"revoke": "subject", "issuer": %q, "subject": "alice", "issued_before": "now"}`, iss.URL())
	if got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", body, bearer(adminSecret)...); got.status != 200 {
		t.Fatalf("revocation: status %d, %s", got.status, got.body)
	}
	if got := s.get(t, "/v1/whoami", token); got.status != 401 {
		t.Errorf("status %d, want 401", got.status)
	}
	if r := explain(keeps); r.code != exitFailed || !strings.Contains(r.out, "The token is refused: token revoked") || !strings.Contains(r.out, "no time is named") {
		t.Errorf("after: exit code %d, %s%s", r.code, r.out, r.err)
	}
	for name, more := range map[string]string{
		"memory.json": admin, "logout.json": `, "backchannel_logout": true`,
		"nats.json": `, "revocations": {"nats": {"servers": ["nats://127.0.0.1:1"]}}`,
	} {
		if r := explain(config(name, more)); r.code != exitOK || !strings.Contains(r.err, unsure) {
			t.Errorf("%s: exit code %d, %q, want one line that it %s", name, r.code, r.err, unsure)
		}
	}
	if r := explain(config("none.json", "")); r.code != exitOK || r.err != "" {
		t.Errorf("where nothing is revoked: exit code %d, %q", r.code, r.err)
	}
}

// TestExplain_RevocationsUnread: files that the server would not start with are an error
// here, too, and a directory of another user, or one that is not there, is told of: it may
// be that of a server which was started elsewhere.
func TestExplain_RevocationsUnread(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	dir := t.TempDir()
	file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [%s], "revocations": {"dir": %q}}`, described(iss, ""), dir))
	if os.Geteuid() != 0 { // who may read everything
		if err := os.Chmod(dir, 0o300); err != nil {
			t.Fatal(err)
		}
		if r := invoke(t, token, "explain", "--config", file); r.code != exitOK || !strings.Contains(r.err, "not open to this user") {
			t.Errorf("exit code %d, %q, want a line about the directory", r.code, r.err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := writeFile(t, "elsewhere.json", fmt.Sprintf(`{"issuers": [%s], "revocations": {"dir": "not/there"}}`, described(iss, "")))
	if r := invoke(t, token, "explain", "--config", elsewhere); r.code != exitOK || !strings.Contains(r.err, "not/there, which keeps revocations, is not there") {
		t.Errorf("exit code %d, %q, want a line that the directory is not there", r.code, r.err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.Repeat("0", 64)+".json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := invoke(t, token, "explain", "--config", file); r.code != exitUsage || !strings.Contains(r.err, "revocations.dir: ") {
		t.Errorf("exit code %d, %q, want an error that names the directory", r.code, r.err)
	}
}
