package proxies_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/possession"
)

// certificateParts have a proxy name the certificates of its clients, by the proxy's name.
var certificateParts = map[string][]part{
	"nginx": {
		{"certificates.map", "nginx.conf", "server {\n", "before"},
		{"certificates.listen", "nginx.conf", "    listen 127.0.0.1:FRONT;\n", "instead"},
		{"certificates.conf", "nginx.conf", "        proxy_buffer_size 16k;\n", "before"},
	},
	"caddy 2.6":  caddyCertificates,
	"caddy 2.11": caddyCertificates,
	"haproxy": {
		{"certificates.bind", "haproxy.cfg", "    bind 127.0.0.1:FRONT\n", "instead"},
		{"certificates.cfg", "haproxy.cfg", "    http-request lua.oidcauth\n", "before"},
	},
	"envoy": {
		{"certificates.tls.yaml", "envoy.yaml", "        - filters:\n", "instead"},
		{"certificates.yaml", "envoy.yaml", "                stat_prefix: api\n", "after"},
		{"certificates.allowed.yaml", "envoy.yaml", "                          - {exact: origin, ignore_case: true}\n", "before"},
	},
	"envoy by gRPC": {
		{"certificates.tls.yaml", "envoy.yaml", "        - filters:\n", "instead"},
		{"certificates.grpc.yaml", "ext_authz.yaml", "                      transport_api_version: V3\n", "after"},
	},
}

var caddyCertificates = []part{
	{"Caddyfile.address", "Caddyfile", "http://:FRONT {\n", "instead"},
	{"Caddyfile.certificates", "Caddyfile", "\t\tforward_auth 127.0.0.1:OIDCAUTH {\n", "before"},
}

// certificateForm is how a proxy names them.
func certificateForm(p proxy) string {
	if p.dialect == "nginx" || p.dialect == "envoy" {
		return "x-forwarded-client-cert"
	}
	return "client-cert"
}

// TestCertificates: a token that is bound to a certificate passes with that of the client's
// connection to the proxy, and with nothing that the client says.
func TestCertificates(t *testing.T) {
	t.Parallel()
	for _, p := range proxies {
		if p.name == "traefik" { // names them in no form that is read
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			parts := certificateParts[p.name]
			if len(parts) == 0 {
				t.Fatal("the page does not say how the proxy names certificates")
			}
			w := newWorld(t, binary)
			w.certificates = certificateForm(p)
			w.serveFor(t, p, nil)
			dir := t.TempDir()
			w.write(t, dir, p.files...)
			writePair(t, dir)
			for _, part := range parts {
				w.write(t, dir, part.file)
				part.place = strings.NewReplacer("FRONT", w.front, "OIDCAUTH", w.oidcauth).Replace(part.place)
				part.put(t, dir)
			}
			cmd := p.command(t, dir)
			if cmd.Dir == "" {
				cmd.Dir = dir
			}
			_, printed := w.run(t, p.name, cmd)
			await(t, w.front, printed)
			boundToCertificates(t, w)
		})
	}
}

func boundToCertificates(t *testing.T, w *world) {
	own, other := newPair(t, "own"), newPair(t, "other")
	bound := w.issuer.Token(map[string]any{"sub": "alice", "aud": "https://api.example.com", "cnf": map[string]any{"x5t#S256": possession.Thumbprint(own.Leaf)}})
	free := token(w.issuer, nil, "")
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got, err := w.overTLS(nil, free)
		if err == nil && got.seen != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a good token does not pass: %+v, %v\n%s", got, err, w.log)
		}
	}
	der := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Leaf.Raw})
	lies := []string{
		"Client-Cert", fmt.Sprintf(":%s:", strings.Join(strings.Split(string(der), "\n")[1:len(strings.Split(string(der), "\n"))-2], "")),
		"X-Forwarded-Client-Cert", `Cert="` + strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(string(der)) + `"`,
	}
	for _, tt := range []struct {
		name   string
		shows  *tls.Certificate
		token  string
		more   []string
		status int
	}{
		{"its own", &own, bound, nil, 200},
		{"its own, and says another", &own, bound, []string{"Client-Cert", ":eA==:", "X-Forwarded-Client-Cert", "x"}, 200},
		{"another", &other, bound, nil, 401},
		{"another, and says its own", &other, bound, lies, 401},
		{"none", nil, bound, nil, 401},
		{"none, and says its own", nil, bound, lies, 401},
		{"none, and a token that is not bound", nil, free, nil, 200},
		{"one, and a token that is not bound", &other, free, nil, 200},
	} {
		got, err := w.overTLS(tt.shows, tt.token, tt.more...)
		if err != nil || got.status != tt.status || (got.seen != nil) != (tt.status == 200) {
			t.Errorf("%s: %+v, %v, want %d", tt.name, got, err, tt.status)
		}
	}
}

// overTLS sends a request with a token on a connection with a certificate, or none.
func (w *world) overTLS(shows *tls.Certificate, token string, headers ...string) (answer, error) {
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: "api.example.com"}
	if shows != nil {
		// Whoever would sign it: the proxies take any.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shows, nil }
	}
	c, err := tls.Dial("tcp", "127.0.0.1:"+w.front, cfg)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	text := "GET /items HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n"
	for i := 0; i+1 < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	if _, err := io.WriteString(c, text+"\r\n"); err != nil {
		return answer{}, err
	}
	return readAnswer(net.Conn(c), "GET")
}

// newPair makes a certificate that signs itself.
func newPair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// writePair writes the certificate of the proxy's own and its key, alone and together.
func writePair(t *testing.T, dir string) {
	t.Helper()
	pair := newPair(t, "api.example.com")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	for name, data := range map[string][]byte{"server.crt": cert, "server.key": key, "server.pem": append(append([]byte{}, cert...), key...)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
