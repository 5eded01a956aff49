package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// status makes a request and returns the status of the answer.
func status(t *testing.T, client *http.Client, r *http.Request) int {
	t.Helper()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func getRequest(t *testing.T, url string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// TestServe_DPoP: a token that is bound to a key is accepted with proofs for the public
// address, of the server's own routes and of what a proxy asks about; explain says what
// it is bound by.
func TestServe_DPoP(t *testing.T) {
	iss := startIssuer(t)
	p := oidctest.NewProver(t, "")
	token := iss.Token(map[string]any{"aud": "my-db", "cnf": map[string]any{"jkt": p.Thumbprint()}})
	secret := writeFile(t, "secret", said.NewSecret("nonce key"))
	config := func(dpop string) string {
		return writeFile(t, "config.json", fmt.Sprintf(`{"resource": "https://db.example.com", "forward_auth": {"proxy": "nginx"}, "issuers": [%s]%s}`, described(iss, `, "bound": "require"`), dpop))
	}
	file := config(fmt.Sprintf(`, "dpop": {"nonces": true, "nonce_key_file": %q, "max_age": "30s"}`, secret))
	s := serve(t, "--config", file)
	nonce, offered := "", false
	call := func(path, target, method string, headers ...string) int {
		t.Helper()
		claims := map[string]any{"nonce": nonce}
		if nonce == "" {
			claims = nil
		}
		r := getRequest(t, s.url+path, append(headers, "Authorization", "DPoP "+token, "DPoP", p.Proof(method, "https://db.example.com"+target, token, claims))...)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		given := resp.Header.Get("DPoP-Nonce")
		if offered = given != "" && resp.Header.Get("Access-Control-Expose-Headers") == "DPoP-Nonce"; offered {
			nonce = given
		}
		return resp.StatusCode
	}
	if got := call("/v1/whoami", "/v1/whoami", "GET"); got != 401 || nonce == "" {
		t.Fatalf("status %d, nonce %q, want 401 with one", got, nonce)
	}
	if got := call("/v1/whoami", "/v1/whoami", "GET"); got != 200 || !offered {
		t.Errorf("status %d with proof, the next nonce offered: %t, want 200 with it", got, offered)
	}
	if got := call("/v1/whoami", "/v1/other", "GET"); got != 401 {
		t.Errorf("status %d with a proof for another path, want 401", got)
	}
	original := []string{"X-Original-Method", "POST", "X-Original-Uri", "/orders?x=y"}
	if got := call("/v1/forward-auth", "/orders", "POST", original...); got != 200 || !offered {
		t.Errorf("status %d for a proxy, the next nonce offered: %t, want 200 with it", got, offered)
	}
	if got := call("/v1/forward-auth", "/v1/forward-auth", "GET", original...); got != 401 {
		t.Errorf("status %d for a proxy, with a proof for the question, want 401", got)
	}
	if got := status(t, http.DefaultClient, getRequest(t, s.url+"/v1/whoami", "Authorization", "Bearer "+token)); got != 401 {
		t.Errorf("status %d as a bearer token, want 401", got)
	}
	report := invoke(t, token, "explain", "--config", file)
	if report.code != exitOK || !strings.Contains(report.out, "jkt") {
		t.Errorf("explain: exit code %d:\n%s%s", report.code, report.out, report.err)
	}
	off := invoke(t, "", "serve", "--check", "--config", config(""))
	if off.code != exitUsage || !strings.Contains(off.err, `"dpop" in the file`) {
		t.Errorf("bound tokens alone, and nobody to ask: exit code %d, %s", off.code, off.err)
	}
}

// TestServe_ClientCertificates: a token that is bound to a certificate is accepted over a
// connection with that, but for SpacetimeDB's routes, whose clients show none.
func TestServe_ClientCertificates(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, key := newCertificate(t, "server")
	replaceFile(t, certFile, string(cert))
	replaceFile(t, keyFile, string(key))
	own, err := tls.X509KeyPair(newCertificate(t, "client"))
	if err != nil {
		t.Fatal(err)
	}
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"tls": {"cert_file": %q, "key_file": %q}, "client_certificates": "connection", "local_issuer": {"dir": %q}, "issuers": [%s]}`, certFile, keyFile, filepath.Join(dir, "keys"), described(iss, ""))))
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	token := iss.Token(map[string]any{"aud": "my-db", "cnf": map[string]any{"x5t#S256": possession.Thumbprint(leaf)}})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	for name, tt := range map[string]struct {
		shown []tls.Certificate
		want  int
	}{"its certificate": {[]tls.Certificate{own}, 200}, "none": {nil, 401}} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: tt.shown}, DisableKeepAlives: true}}
		if got := status(t, client, getRequest(t, s.url+"/v1/whoami", "Authorization", "Bearer "+token)); got != tt.want {
			t.Errorf("%s: status %d, want %d", name, got, tt.want)
		}
		r := getRequest(t, s.url+"/v1/identity/websocket-token", "Authorization", "Bearer "+token)
		r.Method = http.MethodPost
		if got := status(t, client, r); got != 401 {
			t.Errorf("%s: status %d of a ticket's sale, want 401", name, got)
		}
	}
}

// TestServe_ReplaysShared: proofs are noted where revocations are shared, and only there.
func TestServe_ReplaysShared(t *testing.T) {
	for revocations, want := range map[string]int{
		`{"nats": {"servers": ["nats://127.0.0.1:1"]}}`: exitOK,
		`{"dir": "/var/lib/none"}`:                      exitUsage,
	} {
		got := invoke(t, "", "serve", "--check", "--config", writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}],
			"dpop": {"public_url": "https://x", "in_revocations": true}, "revocations": `+revocations+`}`))
		if got.code != want {
			t.Errorf("%s: exit code %d, %s, want %d", revocations, got.code, got.err, want)
		}
	}
}

// TestServe_BoundMistakes: what can never work is told before anything is served.
func TestServe_BoundMistakes(t *testing.T) {
	for file, want := range map[string]string{
		`"client_certificates": "connection"`:                                          `needs "tls"`,
		`"client_certificates": "client-cert"`:                                         `needs "proxies"`,
		`"client_certificates": "yes"`:                                                 "connection",
		`"dpop": {}`:                                                                   `"public_url"`,
		`"dpop": {"public_url": "wss://x"}`:                                            "https://",
		`"dpop": {"public_url": "https://x", "in_revocations": true}`:                  `needs "revocations"`,
		`"dpop": {"public_url": "https://x", "nonces": true, "nonce_key_file": "/no"}`: "no such file",
	} {
		got := invoke(t, "", "serve", "--check", "--config", writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], `+file+`}`))
		if got.code != exitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit code %d, %s, want %q in it", file, got.code, got.err, want)
		}
	}
}
