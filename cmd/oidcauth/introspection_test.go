package main

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The file says how an issuer is asked about its opaque tokens, and explain asks it.
func TestExplain_Introspection(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	iss.Start()
	file := func(members string) string {
		return writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}, %s}]}`, iss.URL(), members))
	}
	config := file(`"opaque_prefix": "opaque_", "answer_age": "30s", "introspection": {}`)
	good := iss.OpaqueToken(nil)
	for _, tt := range []struct {
		name, token, config, want string
		flags                     []string
		code                      int
	}{
		{"good", good, config, "introspection", nil, 0},
		{"good, with types for others", good, config, "introspection", []string{"--issuer", "https://id.example.com", "--audience", "x", "--token-type", "at+jwt"}, 0},
		{"made up", "opaque_x", config, `"active": false`, nil, 1},
		{"of another form", "x", config, "malformed", nil, 1},
		{"a JWT", iss.Token(nil), config, "a JWT, by a description of opaque tokens alone", nil, 1},
		{"a prefix alone", good, file(`"opaque_prefix": "opaque_"`), `"opaque_prefix" without "introspection"`, nil, 2},
		{"plain http elsewhere", good, file(`"introspection": {"endpoint": "http://id.example.com/i"}`), "introspection of issuer", nil, 2},
		{"no client", good, file(`"introspection": {"client_secret_file": "secret"}`), `a secret without "client_id"`, nil, 2},
		{"a file that is not there", good, file(`"introspection": {"client_id": "db", "client_secret_file": "/nowhere/secret"}`), "client_secret_file", nil, 2},
		{"a misspelt member", good, file(`"introspection": {"endpiont": ""}`), "endpiont", nil, 2},
	} {
		got := invoke(t, tt.token, append([]string{"explain", "--config", tt.config}, tt.flags...)...)
		if got.code != tt.code || !strings.Contains(got.out+got.err, tt.want) {
			t.Errorf("%s: code %d, want %d and %q:\n%s%s", tt.name, got.code, tt.code, tt.want, got.out, got.err)
		}
		if strings.Contains(got.out+got.err, good) {
			t.Errorf("%s: shows the token:\n%s", tt.name, got.out)
		}
	}
	if got := invoke(t, "", "keys", "--config", config, iss.URL()); got.code != 0 {
		t.Errorf("keys: code %d: %s", got.code, got.err)
	}
}

// The endpoint learns who asks by the credentials of the file, and is trusted as the
// issuer's keys are.
func TestExplain_IntrospectionCredentials(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	var user, password string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		iss.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	iss.SetURL(s.URL)
	dir := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, content := range map[string][]byte{"ca.pem": certificate, "none.pem": []byte("none"), "secret": []byte("of this server\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		ca   string
		code int
	}{{`, "keys": {"ca_file": "` + dir + `/ca.pem"}`, 0}, {"", 1}, {`, "keys": {"ca_file": "` + dir + `/none.pem"}`, 2}} {
		config := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "audiences": ["my-db"], "introspection": {"client_id": "db", "client_secret_file": "%s/secret"}%s}]}`, s.URL, dir, tt.ca))
		got := invoke(t, iss.OpaqueToken(nil), "explain", "--config", config)
		if got.code != tt.code {
			t.Errorf("%s: code %d, want %d:\n%s%s", tt.ca, got.code, tt.code, got.out, got.err)
		}
		if tt.code == 0 && (user != "db" || password != "of+this+server") {
			t.Errorf("asked by %q with %q", user, password)
		}
	}
}

// The file with the client's secret may be one of systemd's credentials, as all files of
// the configuration may.
func TestExplain_IntrospectionSystemdCredential(t *testing.T) {
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	var password string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ = r.BasicAuth()
		iss.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	iss.SetURL(s.URL)
	config := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true},
		"introspection": {"client_id": "db", "client_secret_file": "$CREDENTIALS_DIRECTORY/secret"}}]}`, s.URL))
	secret := said.NewSecret("client's secret")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(writeFile(t, "secret", secret+"\n")))
	if got := invoke(t, iss.OpaqueToken(nil), "explain", "--config", config); got.code != 0 || password != secret {
		t.Errorf("code %d, asked with %q:\n%s%s", got.code, password, got.out, got.err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if got := invoke(t, iss.OpaqueToken(nil), "explain", "--config", config); got.code != 2 || !strings.Contains(got.err, "$CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("outside of a unit: code %d, want 2:\n%s%s", got.code, got.out, got.err)
	}
}

// TestClientTrusting_OneForAll: whoever trusts the same certificates has the same connections:
// a configuration that is read anew leaves none of its own behind.
func TestClientTrusting_OneForAll(t *testing.T) {
	t.Parallel()
	cert, _ := newCertificate(t, "one")
	other, _ := newCertificate(t, "another")
	file := writeFile(t, "ca.pem", string(cert))
	client := func() *http.Client {
		t.Helper()
		c, _, err := clientTrusting(nil, file)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := client()
	if client() != first {
		t.Error("two clients for the same certificates")
	}
	replaceFile(t, file, string(other))
	if client() == first {
		t.Error("one client for different certificates")
	}
}
