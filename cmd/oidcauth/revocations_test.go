package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth/internal/ports"
)

// tokenOfNATS is what servers show to it.
const tokenOfNATS = "of-all-servers-at-NATS-0123456789"

// startNATS returns a NATS server with JetStream on a port, or a free one.
func startNATS(t *testing.T, port int, dir string) *natsserver.Server {
	t.Helper()
	n, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true, Authorization: tokenOfNATS,
	})
	if err != nil {
		t.Fatal(err)
	}
	go n.Start()
	if !n.ReadyForConnections(patience) {
		t.Fatal("NATS does not start")
	}
	t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	return n
}

// TestServe_SharedRevocations: what is revoked at one server is refused at another, and
// nothing is accepted while that is not known, where the file demands it.
func TestServe_SharedRevocations(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	port := ports.ReserveFor(t).Number
	secret, natsToken := writeFile(t, "secret", adminSecret), writeFile(t, "token", tokenOfNATS+"\n")
	start := func() *service {
		return serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
			`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}, "max_token_lifetime": "24h",
			"local_issuer": {"dir": %q, "token_lifetime": "1h"},
			"revocations": {"nats": {"servers": ["nats://127.0.0.1:%d"], "token_file": %q, "max_bytes": 1048576}, "dir": %q, "require": true}}`,
			described(iss, ""), secret, t.TempDir()+"/keys", port, natsToken, t.TempDir()+"/waiting")))
	}
	one, other := start(), start()
	token := iss.Token(map[string]any{"aud": "my-db", "jti": "1"})
	if got := one.get(t, "/v1/whoami", token); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("without NATS: status %d, want 503 and when to try again", got.status)
	}
	if got := one.do(t, "POST", "/v1/identity", ""); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("somebody new without NATS: status %d, want 503 and when to try again", got.status)
	}
	if got := one.get(t, "/readyz", ""); got.status != 503 || !strings.Contains(got.body, `"revocations":"`) {
		t.Errorf("readyz without NATS: status %d, %s", got.status, got.body)
	}
	metric := func(want string) {
		t.Helper()
		got := sendAdmin(t, "GET", adminOf(t, one)+"/metrics", "", bearer(adminSecret)...)
		if !strings.Contains(got.body, "\noidcauth_revocations_current "+want+"\n") {
			t.Errorf("no oidcauth_revocations_current %s in the metrics: %s", want, got.body)
		}
	}
	metric("0")
	one.awaitLog(t, "the keys of every issuer are in hand") // which says nothing of revocations
	startNATS(t, port, t.TempDir())
	awaitStatus(t, one, "/readyz", "", 200)
	awaitStatus(t, other, "/readyz", "", 200)
	metric("1")
	for _, s := range []*service{one, other} {
		if got := s.get(t, "/v1/whoami", token); got.status != 200 {
			t.Errorf("with NATS: status %d, want 200", got.status)
		}
	}
	if got := one.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db", "exp": time.Now().Add(48 * time.Hour).Unix()})); got.status != 401 {
		t.Errorf("a token of two days: status %d, want 401", got.status)
	}
	got := sendAdmin(t, "POST", adminOf(t, one)+"/v1/revocations", fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": "1"}`, iss.URL()), bearer(adminSecret)...)
	if got.status != 200 || !decode[revocationAnswer](t, got).Shared {
		t.Errorf("revocation: status %d, %s", got.status, got.body)
	}
	if got := one.get(t, "/v1/whoami", token); got.status != 401 {
		t.Errorf("where it was revoked: status %d, want 401", got.status)
	}
	for deadline := time.Now().Add(patience); other.get(t, "/v1/whoami", token).status != 401; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other server does not follow")
		}
	}
}

// TestServe_NATSRefuses: a NATS server that does not know this one, as while a secret is
// changed at one of them and not yet at the other, is asked until it does.
func TestServe_NATSRefuses(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	n := startNATS(t, natsserver.RANDOM_PORT, t.TempDir())
	natsToken := writeFile(t, "token", "of-before")
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "revocations": {"nats": {"servers": [%q], "token_file": %q}, "dir": %q, "require": true}}`,
		described(iss, ""), n.ClientURL(), natsToken, t.TempDir()+"/waiting")))
	s.awaitLog(t, "Authorization Violation")
	for deadline := time.Now().Add(patience / 4); ; time.Sleep(5 * time.Millisecond) {
		if seen, err := n.Varz(nil); err != nil {
			t.Fatal(err)
		} else if seen.TotalConnections > 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("NATS is asked no more")
		}
	}
	replaceFile(t, natsToken, tokenOfNATS)
	awaitStatus(t, s, "/readyz", "", 200)
}

// What NATS says at each of many attempts is one line, and one more after a connection.
func TestNATS_Complaints(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	complaints := &natsComplaints{logger: slog.New(slog.NewTextHandler(&c.err, nil))}
	for _, err := range []error{nats.ErrAuthorization, nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthorization} {
		complaints.log(nil, nil, err)
	}
	complaints.over(nil)
	complaints.log(nil, nil, nats.ErrAuthorization)
	if got := strings.Count(c.err.String(), "\n"); got != 3 {
		t.Errorf("%d lines, want 3:\n%s", got, c.err.String())
	}
}

// TestAdmin_RevocationWaits: a revocation that cannot be shared holds, and the answer
// says that it waits.
func TestAdmin_RevocationWaits(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}, "revocations": {"nats": {"servers": ["nats://127.0.0.1:1"]}, "dir": %q}}`,
		described(iss, ""), writeFile(t, "secret", adminSecret), t.TempDir()+"/waiting")))
	token := iss.Token(map[string]any{"aud": "my-db", "jti": "1"})
	if got := s.get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("before: status %d, want 200, since nothing demands that revocations are known", got.status)
	}
	got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": "1"}`, iss.URL()), bearer(adminSecret)...)
	if answer := decode[revocationAnswer](t, got); got.status != 202 || answer.Shared || answer.Waits == "" {
		t.Errorf("status %d, %s, want 202 and that it waits", got.status, got.body)
	}
	if got := s.get(t, "/v1/whoami", token); got.status != 401 {
		t.Errorf("after: status %d, want 401", got.status)
	}
}

// TestServe_KeptRevocations: a single server's revocations hold after a restart where the
// file names a directory, and where it does not, the server says so.
func TestServe_KeptRevocations(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	secret, dir := writeFile(t, "secret", adminSecret), t.TempDir()+"/revocations"
	for _, tt := range []struct {
		revocations string
		kept        bool
	}{
		{"", false},
		{fmt.Sprintf(`, "revocations": {"dir": %q}`, dir), true},
	} {
		config := writeFile(t, "config.json", fmt.Sprintf(
			`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}%s}`, described(iss, ""), secret, tt.revocations))
		token := iss.Token(map[string]any{"aud": "my-db", "jti": "1"})
		s := serve(t, "--config", config)
		got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": "1"}`, iss.URL()), bearer(adminSecret)...)
		if answer := decode[revocationAnswer](t, got); got.status != 200 || !answer.Shared || answer.Kept != tt.kept {
			t.Errorf("revocation: status %d, %s, want 200, and kept %t", got.status, got.body, tt.kept)
		}
		if got := s.get(t, "/v1/whoami", token); got.status != 401 {
			t.Errorf("after the revocation: status %d, want 401", got.status)
		}
		if warned := strings.Contains(s.err.String(), "a restart forgets them"); warned == tt.kept {
			t.Errorf("warned %t where they are kept %t: %s", warned, tt.kept, s.err.String())
		}
		const isNew = "directory of revocations is new"
		if warned := strings.Contains(s.err.String(), isNew); warned != tt.kept {
			t.Errorf("the first start warned %t of a new directory, want %t: %s", warned, tt.kept, s.err.String())
		}
		s.stop()
		s.ended(t)
		want := map[bool]int{true: 401, false: 200}[tt.kept]
		next := serve(t, "--config", config)
		if got := next.get(t, "/v1/whoami", token); got.status != want || strings.Contains(next.err.String(), isNew) {
			t.Errorf("after a restart: status %d, want %d: %s", got.status, want, next.err.String())
		}
	}
}

// TestAdmin_RevocationNotWritten: the answer of a server that shares with no other says what
// is wrong with a revocation that it cannot keep.
func TestAdmin_RevocationNotWritten(t *testing.T) {
	t.Parallel()
	iss, dir := startIssuer(t), t.TempDir()+"/revocations"
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}, "revocations": {"dir": %q}}`,
		described(iss, ""), writeFile(t, "secret", adminSecret), dir)))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": "1"}`, iss.URL()), bearer(adminSecret)...)
	if got.status != 503 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "could not be written") || strings.Contains(got.body, "others") {
		t.Errorf("status %d, %s, want 503 and that it could not be written", got.status, got.body)
	}
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db", "jti": "1"})); got.status != 401 {
		t.Errorf("after: status %d, want 401", got.status)
	}
}

// Settings of NATS that cannot be, or that let others revoke, are errors.
func TestServe_SharedRevocationsMistakes(t *testing.T) {
	t.Parallel()
	here := writeFile(t, "here", "x")
	pem, _ := newCertificate(t, "n.example")
	ca := writeFile(t, "ca.pem", string(pem))
	for revocations, want := range map[string]string{
		`{}`:                            `want "nats"`,
		`{"require": true, "dir": "x"}`: `want "nats"`,
		`{"dir": "x"}`:                  "",
		`{"nats": {}}`:                  `want "servers"`,
		`{"nats": {"servers": ["nats.example.com:4222"]}}`:                                       "want addresses such as",
		`{"nats": {"servers": ["nats://n.example:4222"]}}`:                                       "without TLS",
		`{"nats": {"servers": ["tls://me:pw@n.example"]}}`:                                       "there is a secret in an address",
		`{"nats": {"servers": ["tls://n.example"], "cert_file": "x"}}`:                           `want both "cert_file"`,
		`{"nats": {"servers": ["tls://n.example"], "token_file": "x", "credentials_file": "y"}}`: "exclude each other",
		`{"nats": {"servers": ["tls://n.example"], "credentials_file": "` + here + `.none"}}`:    "no such file",
		`{"nats": {"servers": ["tls://n.example"], "stream": "a.b"}}`:                            "revocations.nats.stream: want letters",
		`{"nats": {"servers": ["tls://n.example"], "replicas": -1}}`:                             "must not be negative",
		`{"nats": {"servers": ["tls://n.example"], "credentials_file": "` + here + `"}}`:         "",
		`{"nats": {"servers": ["nats://n.example"], "ca_file": "` + ca + `"}}`:                   "",
		`{"nats": {"servers": ["nats://n.example"], "insecure_plaintext": true}}`:                "",
		`{"nats": {"servers": ["nats://127.0.0.1:4222"], "grace": "5s"}}`:                        "",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "revocations": `+revocations+`}`)
		got := invoke(t, "", "serve", "--config", file, "--check")
		if (want == "") != (got.code == 0) || !strings.Contains(got.err, want) || strings.Contains(got.err, "pw") {
			t.Errorf("%s: %+v, want %q", revocations, got, want)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("--check made a directory")
	}
	for file, want := range map[string]string{
		`"key_cache_dir": "/a/b"`:                                  "is key_cache_dir",
		`"local_issuer": {"dir": "/a/./b", "audiences": ["a"]}`:    "is local_issuer.dir",
		`"local_issuer": {"dir": "/a/b/keys", "audiences": ["a"]}`: "",
	} {
		got := invoke(t, "", "serve", "--check", "--config", writeFile(t, "config.json",
			`{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "revocations": {"dir": "/a/b"}, `+file+`}`))
		if (want == "") != (got.code == exitOK) || !strings.Contains(got.err, want) {
			t.Errorf("%s: %+v, want %q", file, got, want)
		}
	}
}

// TestServe_TokenLifetime: tokens of new identities have an end where the file says so.
func TestServe_TokenLifetime(t *testing.T) {
	t.Parallel()
	for lifetime, want := range map[string]time.Duration{``: 0, `, "token_lifetime": "1h"`: time.Hour} {
		file := writeFile(t, "config.json", fmt.Sprintf(`{"local_issuer": {"dir": %q%s}}`, t.TempDir()+"/keys", lifetime))
		s := serve(t, "--config", file)
		var made struct{ Token string }
		s.ask(t, "POST", "/v1/identity", "", &made)
		s.used(made.Token)
		var who struct {
			ExpiresAt *time.Time `json:"expires_at"`
		}
		s.ask(t, "GET", "/v1/whoami", made.Token, &who)
		switch {
		case want == 0 && who.ExpiresAt != nil:
			t.Errorf("it ends at %v, want never", who.ExpiresAt)
		case want > 0 && (who.ExpiresAt == nil || time.Until(*who.ExpiresAt) > want || time.Until(*who.ExpiresAt) < want-patience):
			t.Errorf("it ends at %v, want in %v", who.ExpiresAt, want)
		}
	}
	file := writeFile(t, "config.json", `{"local_issuer": {"dir": "keys", "token_lifetime": "0s"}}`)
	if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 2 || !strings.Contains(got.err, "local_issuer.token_lifetime") {
		t.Errorf("a lifetime of nothing: %+v, want exit code 2", got)
	}
}

// Servers tell of others, which are reached as they are: where nothing is encrypted
// because it stays on this machine, nothing goes to another by their word.
func TestNATS_DiscoveredServers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		config natsConfig
		want   bool // whether they are heeded
	}{
		{"this machine", natsConfig{Servers: []string{"nats://127.0.0.1:4222"}}, false},
		{"this machine, by name", natsConfig{Servers: []string{"nats://localhost:4222", "nats://[::1]:4223"}}, false},
		{"TLS", natsConfig{Servers: []string{"tls://n.example:4222"}}, true},
		{"TLS, which one asks for all", natsConfig{Servers: []string{"nats://127.0.0.1:4222", "tls://n.example:4222"}}, true},
		{"TLS by certificates", natsConfig{Servers: []string{"nats://127.0.0.1:4222"}, CAFile: "ca.pem"}, true},
		{"plain text on purpose", natsConfig{Servers: []string{"nats://127.0.0.1:4222"}, InsecurePlaintext: true}, true},
	} {
		options := nats.GetDefaultOptions()
		for _, set := range tt.config.options(slog.New(slog.DiscardHandler)) {
			_ = set(&options) // whether the files are there does not matter here
		}
		if got := !options.IgnoreDiscoveredServers; got != tt.want {
			t.Errorf("%s: heeds servers that servers tell of: %t, want %t", tt.name, got, tt.want)
		}
	}
}
