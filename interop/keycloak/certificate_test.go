package keycloak_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
	"github.com/oidcauth/oidcauth/mtls"
)

// An authority signs the certificates of Keycloak and of its clients.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// newAuthority makes one, and Keycloak's certificate, in files of a directory.
func newAuthority(dir string) (authority, error) {
	a := authority{dir: dir}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return a, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return a, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return a, err
	}
	pair, err := a.issue("127.0.0.1", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return a, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return a, err
	}
	return a, errors.Join(a.write("ca.crt", "CERTIFICATE", der), a.write("server.crt", "CERTIFICATE", pair.Certificate[0]), a.write("server.key", "PRIVATE KEY", private))
}

func (a authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a authority) write(name, kind string, der []byte) error {
	return os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// issue makes a certificate.
func (a authority) issue(name string, use x509.ExtKeyUsage) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{use}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// client returns a client that shows a certificate, and trusts those of the authority
// and of a test's server.
func (a authority) client(t *testing.T, own *tls.Certificate, others ...*x509.Certificate) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	for _, c := range append(others, a.cert) {
		config.RootCAs.AddCert(c)
	}
	if own != nil {
		config.Certificates = []tls.Certificate{*own}
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// certified gets an access token that Keycloak binds to the certificate of the
// connection.
func (s *keycloak) certified(t *testing.T, client *http.Client) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"certified"}, "client_secret": {"certified-secret"}}
	response, err := client.PostForm("https://"+s.tls.Address()+"/realms/"+realm+"/protocol/openid-connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Token == "" {
		t.Fatalf("the token endpoint answered %s: %s", response.Status, body)
	}
	return answer.Token
}

// A real token that is bound to a certificate is good over connections with that, of
// the server's own and of a proxy's, and over no others.
func TestCertificate(t *testing.T) {
	s := running(t)
	mine, err := s.ca.issue("certified", x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := s.ca.issue("another", x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatal(err)
	}
	token := s.certified(t, s.ca.client(t, &mine))
	issuer := issuers.Keycloak(s.issuer(), database)
	issuer.Keys.InsecureHTTP, issuer.Bound = true, "require"
	newServer := func(cfg oidcauth.Config) http.Handler {
		cfg.Issuers = []oidcauth.Issuer{issuer}
		auth, err := oidcauth.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { auth.Close() })
		return auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	}
	server := httptest.NewUnstartedServer(newServer(oidcauth.Config{Certificate: mtls.Connection}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	defer server.Close()
	get := func(client *http.Client, address, token string, headers ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		for _, value := range headers {
			r.Header.Add("Client-Cert", value)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for _, tt := range []struct {
		name  string
		own   *tls.Certificate
		token string
		want  int
	}{
		{"its certificate", &mine, token, 200}, {"another", &theirs, token, 401}, {"none", nil, token, 401},
		{"a token that is not bound", &mine, s.service(t, "importer"), 401},
	} {
		if got := get(s.ca.client(t, tt.own, server.Certificate()), server.URL, tt.token); got != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, got, tt.want)
		}
	}
	header := func(c tls.Certificate) string {
		return ":" + base64.StdEncoding.EncodeToString(c.Certificate[0]) + ":"
	}
	for name, tt := range map[string]struct {
		proxies string
		want    map[string]int
	}{
		"behind a proxy":         {"127.0.0.0/8", map[string]int{header(mine): 200, header(theirs): 401}},
		"behind an unknown host": {"192.0.2.0/24", map[string]int{header(mine): 401, header(theirs): 401}},
	} {
		behind := httptest.NewServer(newServer(oidcauth.Config{Certificate: mtls.Header(mtls.ClientCert), Proxies: []netip.Prefix{netip.MustParsePrefix(tt.proxies)}}))
		defer behind.Close()
		for value, want := range tt.want {
			if got := get(http.DefaultClient, behind.URL, token, value); got != want {
				t.Errorf("%s: status %d, want %d", name, got, want)
			}
		}
	}
}
