package verifiers_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A world is an internet on the loopback interface, in which all providers share
// their keys: nothing but a token's contents tells one provider's from another's.
type world struct {
	keys   map[string]*oidctest.Key // by algorithm
	server *httptest.Server
	roots  string // file with the certificate that vouches for every host

	mu     sync.Mutex // guards pages, missed
	pages  map[string]http.HandlerFunc
	missed []string // URLs that were asked for and are not there
}

func newWorld(t *testing.T) *world {
	t.Helper()
	lab := oidctest.NewIssuer(t, oidctest.Config{})
	w := &world{keys: map[string]*oidctest.Key{}, pages: map[string]http.HandlerFunc{}}
	for _, alg := range []string{"RS256", "ES256"} {
		w.keys[alg] = lab.NewKey(oidctest.KeyConfig{Algorithm: alg})
	}
	authority := newAuthority(t)
	w.roots = filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(w.roots, authority.pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.server.TLS = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return authority.vouch(hello.ServerName, authority.key.Public())
	}}
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	w.publish(t, authority)
	return w
}

// serve answers like the host whose address it is.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	page := w.pages[r.Host+r.URL.Path]
	if page == nil {
		w.missed = append(w.missed, "https://"+r.Host+r.URL.Path)
	}
	w.mu.Unlock()
	if page == nil {
		page = http.NotFound
	}
	rw.Header().Set("Content-Type", "application/json")
	page(rw, r)
}

// put lets an address, without its query, be answered.
func (w *world) put(address string, page http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	w.pages[u.Host+u.Path] = page
}

// says lets an address be answered with a JSON document.
func (w *world) says(t *testing.T, address string, document any) {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	w.put(address, func(rw http.ResponseWriter, _ *http.Request) { rw.Write(text) })
}

// port is where the world listens.
func (w *world) port() string {
	return w.server.Listener.Addr().(*net.TCPAddr).AddrPort().String()[len("127.0.0.1:"):]
}

// authenticator makes an Authenticator for the description alone, with the library's
// own rules for times but without its leeway, which is a setting everywhere.
func (w *world) authenticator(t *testing.T, i oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(w.roots)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("roots: %v", err)
	}
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, w.server.Listener.Addr().String())
		},
	}}
	t.Cleanup(client.CloseIdleConnections)
	a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// An authority vouches for certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

func (a *authority) pem() []byte { return pemOf(a.cert.Raw) }

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// vouch makes a certificate for the host and the key, which has to be the authority's
// own for a TLS server.
func (a *authority) vouch(host string, key crypto.PublicKey) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "a host"}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key, a.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}, err
}
