package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// addrOf returns the host and port of a service.
func addrOf(s *service) string {
	_, addr, _ := strings.Cut(s.url, "://")
	return addr
}

func testHealthcheckAddr(t *testing.T) {
	s := serveFor(t, startIssuer(t))
	if got := invoke(t, "", "healthcheck", "--addr", addrOf(s)); got.code != 0 || got.out != "ok\n" {
		t.Errorf("got %+v, want exit code 0", got)
	}
	s.stop()
	s.ended(t)
	if got := invoke(t, "", "healthcheck", "--addr", addrOf(s)); got.code != 1 {
		t.Errorf("of a server that has ended: %+v, want exit code 1", got)
	}
	for _, addr := range []string{"8080", "nowhere"} {
		if got := invoke(t, "", "healthcheck", "--addr", addr); got.code != 2 {
			t.Errorf("--addr %s: %+v, want exit code 2", addr, got)
		}
	}
}

func testHealthcheckReady(t *testing.T) {
	iss := startIssuer(t)
	iss.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
	s := serveFor(t, iss)
	if got := invoke(t, "", "healthcheck", "--addr", addrOf(s)); got.code != 0 {
		t.Errorf("health: %+v, want exit code 0", got)
	}
	if got := invoke(t, "", "healthcheck", "--addr", addrOf(s), "--ready"); got.code != 1 || !strings.Contains(got.err, iss.URL()) {
		t.Errorf("readiness: %+v, want exit code 1 and what is missing", got)
	}
	iss.Clear()
	awaitStatus(t, s, "/readyz", "", 200)
	if got := invoke(t, "", "healthcheck", "--addr", addrOf(s), "--ready"); got.code != 0 {
		t.Errorf("readiness with keys: %+v, want exit code 0", got)
	}
}

// testHealthcheckConfig: the file says where, and which certificate the server shows.
func testHealthcheckConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := newCertificate(t, "ours")
	config := func(cert, key string) string {
		return writeFile(t, "config.json", fmt.Sprintf(
			`{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "tls": {"cert_file": %q, "key_file": %q}}`, cert, key))
	}
	ours := config(write("cert", cert), write("key", key))
	s := serve(t, "--config", ours)
	if got := invoke(t, "", "healthcheck", "--config", ours, "--addr", addrOf(s)); got.code != 0 {
		t.Errorf("got %+v, want exit code 0", got)
	}
	cert, key = newCertificate(t, "another's")
	other := config(write("cert2", cert), write("key2", key))
	if got := invoke(t, "", "healthcheck", "--config", other, "--addr", addrOf(s)); got.code != 1 || !strings.Contains(got.err, "another certificate") {
		t.Errorf("of a server with another certificate: %+v, want exit code 1", got)
	}
	plain := serveFor(t, startIssuer(t))
	file := writeFile(t, "config.json", fmt.Sprintf(`{"addr": %q}`, addrOf(plain)))
	if got := invoke(t, "", "healthcheck", "--config", file); got.code != 0 {
		t.Errorf("at the file's address: %+v, want exit code 0", got)
	}
	// A server goes on by its former file when the next one has a mistake.
	mistaken := writeFile(t, "config.json", fmt.Sprintf(`{"addr": %q, "issuers": [{"url": "https://a.example", "audience": ["a"]}], "admin": {}, "isuers": 1}`, addrOf(plain)))
	if got := invoke(t, "", "healthcheck", "--config", mistaken); got.code != 0 {
		t.Errorf("with a mistake in the file: %+v, want exit code 0", got)
	}
	if got := invoke(t, "", "healthcheck", "--config", writeFile(t, "config.json", `{"addr": `)); got.code != 2 {
		t.Errorf("with a file that does not end: %+v, want exit code 2", got)
	}
	if got := invoke(t, "", "healthcheck", "--config", file+".none"); got.code != 2 {
		t.Errorf("without the file: %+v, want exit code 2", got)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80 127.0.0.1:80",
		"127.0.0.2:80": "127.0.0.2:80", "db.example:443": "db.example:443", "[2001:db8::1]:80": "[2001:db8::1]:80",
	} {
		if got, err := reachable(t.Context(), addr); err != nil || strings.Join(got, " ") != want {
			t.Errorf("reachable(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
}

// TestHealthcheck_IPv6: a server at all interfaces is asked by IPv4 where there is no IPv6, as
// in many a container, and an address may have a zone.
func TestHealthcheck_IPv6(t *testing.T) {
	t.Parallel()
	_, port, _ := net.SplitHostPort(addrOf(serveFor(t, startIssuer(t)))) // at 127.0.0.1 alone
	if got := invoke(t, "", "healthcheck", "--addr", "[::]:"+port); got.code != exitOK || got.out != "ok\n" {
		t.Errorf("got %+v, want exit code 0", got)
	}
	if got := invoke(t, "", "healthcheck", "--addr", "[fe80::1%lo]:1"); got.code != exitFailed || !strings.Contains(got.err, "dial") {
		t.Errorf("of an address with a zone: %+v, want exit code 1 after a try", got)
	}
}

// TestHealthcheck_Ports: a port by its name is asked by its number, as a server listens at
// that, and where the server alone knows its port nobody can be asked.
func TestHealthcheck_Ports(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{":http": "127.0.0.1:80", "127.0.0.1:https": "127.0.0.1:443"} {
		if got, err := reachable(t.Context(), addr); err != nil || strings.Join(got, " ") != want {
			t.Errorf("reachable(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
	if r := invoke(t, "", "healthcheck", "--config", ""); r.code != exitUsage || !strings.Contains(r.err, "must not be empty") {
		t.Errorf("of no file: exit code %d, %q, want a mistake", r.code, r.err)
	}
	for addr, want := range map[string]string{"127.0.0.1:0": "any free port", ":": "the port is empty"} {
		if r := invoke(t, "", "healthcheck", "--addr", addr); r.code != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: exit code %d, %q, want %q", addr, r.code, r.err, want)
		}
	}
}
