package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
)

// newCertificate returns a certificate of its own for 127.0.0.1, and its key, in PEM.
func newCertificate(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	return newCertificateUntil(t, name, time.Now().Add(time.Hour))
}

// newCertificateUntil is newCertificate for as long as that.
func newCertificateUntil(t *testing.T, name string, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// TestServe_TLS: the server shows the certificate of its files, also after they have
// changed, and never one without its key.
func TestServe_TLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := x509.NewCertPool()
	put := func(path string, data []byte) {
		t.Helper()
		roots.AppendCertsFromPEM(data)
		replaceFile(t, path, string(data))
	}
	cert, key := newCertificate(t, "first")
	put(certFile, cert)
	put(keyFile, key)
	iss := startIssuer(t)
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"watch": "5ms", "tls": {"cert_file": %q, "key_file": "$CREDENTIALS_DIRECTORY/key.pem"}, "issuers": [%s]}`, certFile, described(iss, ""))))
	if !strings.HasPrefix(s.url, "https://") {
		t.Errorf("it listens on %s, want https", s.url)
	}
	shown := func() string {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots.Clone()}, DisableKeepAlives: true}}
		resp, err := client.Get(s.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		metrics, err := io.ReadAll(resp.Body)
		leaf := resp.TLS.PeerCertificates[0]
		if want := fmt.Sprintf("\noidcauth_certificate_not_after_timestamp_seconds %d\n", leaf.NotAfter.Unix()); err != nil || !strings.Contains(string(metrics), want) {
			t.Errorf("metrics = %s, %v, want %s", metrics, err, want)
		}
		return leaf.Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Errorf("it shows %q", got)
	}
	cert, key = newCertificateUntil(t, "second", time.Now().Add(2*time.Hour))
	put(certFile, cert)
	s.awaitLines(t, notReloaded, 1) // the key is another's still
	if got := shown(); got != "first" {
		t.Errorf("with half of a pair it shows %q", got)
	}
	put(keyFile, key)
	s.awaitLines(t, reloaded, 1)
	if got := shown(); got != "second" {
		t.Errorf("after both files have changed it shows %q", got)
	}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}); err == nil {
		conn.Close()
		t.Error("it speaks TLS 1.1")
	}
}

// Files that cannot be are told, without serving, and without TLS there is no server
// that only seems to have it.
func TestServe_TLSMistakes(t *testing.T) {
	dir := t.TempDir()
	cert, _ := newCertificate(t, "one")
	_, key := newCertificate(t, "another")
	for name, data := range map[string][]byte{"cert.pem": cert, "key.pem": key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	for tls, want := range map[string]string{
		`{}`: `tls: want both`,
		`{"cert_file": "` + dir + `/cert.pem", "key_file": "` + dir + `/none.pem"}`:   "no such file",
		`{"cert_file": "` + dir + `/cert.pem", "key_file": "` + dir + `/key.pem"}`:    "private key does not match",
		`{"cert_file": "$CREDENTIALS_DIRECTORY/cert.pem", "key_file": "` + dir + `"}`: "tls: $CREDENTIALS_DIRECTORY is not set",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "tls": `+tls+`}`)
		for _, flags := range [][]string{{"--check"}, {"--addr", "127.0.0.1:0"}} {
			got := invoke(t, "", append([]string{"serve", "--config", file}, flags...)...)
			if got.code != 2 || !strings.Contains(got.err, want) {
				t.Errorf("%s: %+v, want exit code 2 and %q", tls, got, want)
			}
		}
	}
}

// TestCredentials_AtThePrompt: outside of its unit, a person asks with the unit's file
// for what needs no credential.
func TestCredentials_AtThePrompt(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	iss := startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "admin": {"secret_file": "$CREDENTIALS_DIRECTORY/admin"}}`, described(iss, "")))
	if got := invoke(t, iss.Token(map[string]any{"aud": "my-db"}), "explain", "--config", file); got.code != 0 {
		t.Errorf("explain: %+v, want exit code 0", got)
	}
	if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 2 || !strings.Contains(got.err, "$CREDENTIALS_DIRECTORY is not set") {
		t.Errorf("serve --check: %+v, want exit code 2", got)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "admin"), []byte(adminSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if got := invoke(t, "", "serve", "--config", file, "--check"); got.code != 0 {
		t.Errorf("serve --check in the unit: %+v, want exit code 0", got)
	}
}

// TestServe_TLSCertificateEnded: a certificate that has ended is served, as nobody knows
// better, and the log says of each once that clients refuse it.
func TestServe_TLSCertificateEnded(t *testing.T) {
	t.Parallel()
	const refused = "clients refuse the certificate for its time"
	dir := t.TempDir()
	put := func(until time.Time) {
		t.Helper()
		cert, key := newCertificateUntil(t, "ours", until)
		replaceFile(t, filepath.Join(dir, "key.pem"), string(key))
		replaceFile(t, filepath.Join(dir, "cert.pem"), string(cert))
	}
	put(time.Now().Add(-time.Minute))
	file := writeFile(t, "config.json", fmt.Sprintf(`{"watch": "5ms", "tls": {"cert_file": "%[1]s/cert.pem", "key_file": "%[1]s/key.pem"}, "issuers": [%[2]s]}`, dir, described(startIssuer(t), "")))
	s := serve(t, "--config", file)
	s.awaitLines(t, refused, 1)
	put(time.Now().Add(time.Hour))
	s.awaitLines(t, reloaded, 1)
	put(time.Now().Add(-time.Hour))
	s.awaitLines(t, refused, 2)
	if n := strings.Count(s.err.String(), refused); n != 2 {
		t.Errorf("it is told %d times, want once of each:\n%s", n, s.err.String())
	}
}

// TestCertificate_Warn: the line is written when the time has come, and not before.
func TestCertificate_Warn(t *testing.T) {
	t.Parallel()
	var log authtest.Log
	logger := slog.New(slog.NewTextHandler(&log, nil))
	now := time.Unix(1e9, 0)
	c := new(certificate)
	c.warn(logger, now) // of a server without TLS
	leaf := &x509.Certificate{NotBefore: now, NotAfter: now.Add(time.Hour)}
	c.pair.Store(&tls.Certificate{Leaf: leaf})
	for _, tt := range []struct {
		after time.Duration
		lines int
	}{{0, 0}, {time.Hour, 0}, {time.Hour + 1, 1}, {2 * time.Hour, 1}} {
		if c.warn(logger, now.Add(tt.after)); strings.Count(log.String(), "level=ERROR") != tt.lines {
			t.Errorf("after %v: %q, want %d lines", tt.after, log.String(), tt.lines)
		}
	}
	c.pair.Store(&tls.Certificate{Leaf: leaf})
	if c.warn(logger, now.Add(-1)); strings.Count(log.String(), "\n") != 2 {
		t.Errorf("before it begins: %q, want a line more", log.String())
	}
}

// TestCertificate_Metric: the metrics say when the certificate that is shown ends.
func TestCertificate_Metric(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	c := new(certificate)
	c.write(&out)
	if out.Len() > 0 {
		t.Errorf("without TLS: %s, want nothing", out.String())
	}
	end := time.Now().Add(time.Hour)
	cert, key := newCertificateUntil(t, "ours", end)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c.pair.Store(&pair)
	c.write(&out)
	if want := fmt.Sprintf("oidcauth_certificate_not_after_timestamp_seconds %d\n", end.Unix()); !strings.Contains(out.String(), want) {
		t.Errorf("metrics = %s, want %s", out.String(), want)
	}
	mustBeExposition(t, out.String())
}
