package fetch_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// secret is the text of a credential that nothing may repeat.
const secret = "credential-nobody-repeats"

// serveTLS starts a server and returns its certificate as a file has it.
func serveTLS(t *testing.T, h http.HandlerFunc) (url string, certificate []byte) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it says when a client trusts it no longer
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func sayJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte("{}"))
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// otherCertificate is a good one that no server of these tests has.
func otherCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// startTold starts a server, and tells of each of its connections that is closed.
func startTold(t *testing.T) (srv *httptest.Server, closed <-chan struct{}) {
	t.Helper()
	c := make(chan struct{}, 10)
	srv = httptest.NewUnstartedServer(http.HandlerFunc(sayJSON))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			c <- struct{}{}
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, c
}

// With certificates of a file the client has connections of its own, also where the
// program's transport says how they are made, and closes them.
func TestConfig_CAFileCloseIdle(t *testing.T) {
	t.Parallel()
	srv, closed := startTold(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	c := newClient(t, fetch.Config{CAFile: file, HTTP: &http.Client{Transport: newTransport()}})
	if _, err := c.Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
		t.Fatal(err)
	}
	c.CloseIdle()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("the connection stays open")
	}
}

// The file is what counts at the moment of each fetch, connections that are kept
// open included.
func TestConfig_CAFile(t *testing.T) {
	t.Parallel()
	url, own := serveTLS(t, sayJSON)
	file := filepath.Join(t.TempDir(), "ca.pem")
	other := otherCertificate(t)
	for _, given := range []*http.Client{nil, {Transport: newTransport()}, {Transport: &http.Transport{DialContext: new(net.Dialer).DialContext}}} {
		write(t, file, own)
		c := newClient(t, fetch.Config{CAFile: file, HTTP: given})
		for _, step := range []struct {
			name    string
			content []byte // nil: no file
			good    bool
		}{
			{"the server's", own, true},
			{"the same again", own, true},
			{"another", other, false},
			{"both", append(bytes.Clone(other), own...), true},
			{"none", []byte("no certificate"), false},
			{"the server's again", own, true},
			{"no file", nil, false},
			{"a file again", own, true},
			{"as large as may be", append(bytes.Clone(own), make([]byte, 1<<20-len(own))...), true},
			{"a large file", append(bytes.Clone(own), make([]byte, 1<<20)...), false},
		} {
			if step.content == nil {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			} else {
				write(t, file, step.content)
			}
			if _, err := c.Get(t.Context(), url, fetch.Request{}); (err == nil) != step.good {
				t.Errorf("%s: Get() error = %v, want one: %v", step.name, err, !step.good)
			} else if step.content == nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: Get() error = %v, want %v", step.name, err, fs.ErrNotExist)
			}
			c.CloseIdle() // what follows gets connections of its own
		}
	}
	if _, err := newClient(t, fetch.Config{}).Get(t.Context(), url, fetch.Request{}); err == nil {
		t.Error("Get() without the file: no error, so that the test shows nothing")
	}
}

// A credential goes to its origin and nowhere else, as the file has it at the time.
func TestConfig_TokenFile(t *testing.T) {
	t.Parallel()
	const origin = "https://issuer.example"
	file := filepath.Join(t.TempDir(), "token")
	for _, tt := range []struct {
		name, url, content, want string
		fails                    bool
	}{
		{"its origin", origin + "/keys", secret, "Bearer " + secret, false},
		{"another path, query and port written", origin + ":443/other?q=1", secret, "Bearer " + secret, false},
		{"with a line's end", origin + "/keys", secret + "\n", "Bearer " + secret, false},
		{"renewed", origin + "/keys", "next", "Bearer next", false},
		{"another host", "https://keys.example/keys", secret, "", false},
		{"the host below", "https://a.issuer.example/keys", secret, "", false},
		{"another port", origin + ":8443/keys", secret, "", false},
		{"plain http on loopback", "http://localhost/keys", secret, "", false},
		{"two lines", origin + "/keys", secret + "\n" + secret, "", true},
		{"nothing", origin + "/keys", "\n", "", true},
		{"a header more", origin + "/keys", secret + "\r\nX: y", "", true},
		{"no ASCII", origin + "/keys", secret + "é", "", true},
		{"too long", origin + "/keys", strings.Repeat("a", 16<<10+1), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			write(t, file, []byte("before"))
			c := newClient(t, fetch.Config{
				TokenFile: file, TokenURL: origin + "/x", InsecureHTTP: true,
				HTTP: &http.Client{Transport: answer(func(r *http.Request) (*http.Response, error) {
					got = append(got, r.Header.Get("Authorization"))
					return respond(200, strings.NewReader("{}")), nil
				})},
			})
			write(t, file, []byte(tt.content))
			_, err := c.Get(t.Context(), tt.url, fetch.Request{})
			switch {
			case (err != nil) != tt.fails:
				t.Errorf("Get() error = %v, want one: %v", err, tt.fails)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("Get() error = %v, which repeats the credential", err)
			case !tt.fails && (len(got) != 1 || got[0] != tt.want):
				t.Errorf("sent Authorization %q, want %q once", got, tt.want)
			case tt.fails && len(got) > 0:
				t.Errorf("sent a request with Authorization %q, want none", got)
			}
		})
	}
}

// A file that was read is closed at once, not when memory is freed some day.
func TestConfig_TokenFile_Closed(t *testing.T) {
	const open = "/proc/self/fd"
	if _, err := os.Stat(open); err != nil {
		t.Skip("this system does not tell which files are open")
	}
	url, certificate := serveTLS(t, sayJSON)
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca"), filepath.Join(dir, "token")
	write(t, ca, certificate)
	write(t, token, []byte(secret))
	c := newClient(t, fetch.Config{CAFile: ca, TokenFile: token, TokenURL: url})
	for range 3 {
		if _, err := c.Get(t.Context(), url+"/x", fetch.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(open)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, _ := os.Readlink(filepath.Join(open, f.Name())); name == ca || name == token {
			t.Errorf("%s is still open", name)
		}
	}
}

// A redirect within the origin keeps the credential, one that leaves it is not
// followed, and who refuses for want of it hears where it goes.
func TestConfig_TokenFile_Redirect(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other, otherCA := serveTLS(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		case r.URL.Path == "/near":
			http.Redirect(w, r, "/keys", http.StatusTemporaryRedirect)
		case r.Header.Get("Authorization") != "Bearer "+secret:
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
		default:
			sayJSON(w, r)
		}
	})
	dir := t.TempDir()
	caFile, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	write(t, caFile, append(ca, otherCA...))
	write(t, file, []byte(secret))
	c := newClient(t, fetch.Config{CAFile: caFile, TokenFile: file, TokenURL: url})
	if _, err := c.Get(t.Context(), url+"/near", fetch.Request{}); err != nil {
		t.Errorf("Get() within the origin: error = %v", err)
	}
	if _, err := c.Get(t.Context(), url+"/away", fetch.Request{}); !errors.Is(err, fetch.ErrRedirect) || elsewhere.Load() != 0 {
		t.Errorf("Get() error = %v and %d requests elsewhere, want %v and none", err, elsewhere.Load(), fetch.ErrRedirect)
	}
	mistaken := newClient(t, fetch.Config{CAFile: caFile, TokenFile: file, TokenURL: other + "/x"})
	status := new(fetch.StatusError)
	if _, err := mistaken.Get(t.Context(), url, fetch.Request{}); !errors.As(err, &status) || !strings.Contains(err.Error(), "credential is sent to \""+other+"\" alone") {
		t.Errorf("Get() error = %v, want one that says where the credential goes", err)
	}
}

func TestNew_Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, token, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token"), filepath.Join(dir, "empty")
	write(t, ca, otherCertificate(t))
	write(t, token, []byte(secret))
	write(t, empty, nil)
	two, visible := filepath.Join(dir, "two"), filepath.Join(dir, "visible")
	write(t, two, []byte("a b"))
	write(t, visible, []byte("!~\n"))
	careless, own := newTransport(), newTransport()
	careless.TLSClientConfig.InsecureSkipVerify = true
	own.DialTLSContext = new(tls.Dialer).DialContext
	const https = "https://issuer.example/keys"
	for _, tt := range []struct {
		name string
		cfg  fetch.Config
		want string // in the error; empty: none
	}{
		{"both", fetch.Config{CAFile: ca, TokenFile: token, TokenURL: https}, ""},
		{"no such certificates", fetch.Config{CAFile: filepath.Join(dir, "none")}, "none"},
		{"a folder of certificates", fetch.Config{CAFile: dir}, "not a regular file"},
		{"an empty file of certificates", fetch.Config{CAFile: empty}, "has none"},
		{"certificates, and a transport that is none of net/http's", fetch.Config{CAFile: ca, HTTP: &http.Client{Transport: answer(nil)}}, "fetch_test.answer"},
		{"certificates that are not verified", fetch.Config{CAFile: ca, HTTP: &http.Client{Transport: careless}}, "does not verify"},
		{"certificates, and connections of its own", fetch.Config{CAFile: ca, HTTP: &http.Client{Transport: own}}, "its own TLS"},
		{"no such token", fetch.Config{TokenFile: filepath.Join(dir, "none"), TokenURL: https}, "none"},
		{"a token in the place of its file", fetch.Config{TokenFile: secret, TokenURL: https}, "could be the secret itself"},
		{"an empty token", fetch.Config{TokenFile: empty, TokenURL: https}, "want one token"},
		{"two tokens", fetch.Config{TokenFile: two, TokenURL: https}, "want one token"},
		{"a token of the first and the last letter", fetch.Config{TokenFile: visible, TokenURL: https}, ""},
		{"a token for nobody", fetch.Config{TokenFile: token}, "credential"},
		{"a token in the clear on loopback", fetch.Config{TokenFile: token, TokenURL: "http://127.0.0.1/keys", InsecureHTTP: true}, ""},
		{"a token in the clear elsewhere", fetch.Config{TokenFile: token, TokenURL: "http://sidecar/keys", InsecureHTTPHosts: []string{"sidecar"}}, "show it to others"},
		{"a host over http, a port with it", fetch.Config{InsecureHTTPHosts: []string{"sidecar:80"}}, "sidecar:80"},
		{"a host over http, its scheme with it", fetch.Config{InsecureHTTPHosts: []string{"http://sidecar"}}, "without scheme"},
		{"any host over http", fetch.Config{InsecureHTTPHosts: []string{"*"}}, "whole name"},
		{"no host over http", fetch.Config{InsecureHTTPHosts: []string{""}}, "whole name"},
		{"a stranger's certificates", fetch.Config{PublicOnly: true, CAFile: ca}, "contradict"},
		{"a stranger's token", fetch.Config{PublicOnly: true, TokenFile: token, TokenURL: https}, "contradict"},
		{"a stranger's host over http", fetch.Config{PublicOnly: true, InsecureHTTPHosts: []string{"sidecar"}}, "contradict"},
	} {
		_, err := fetch.New(tt.cfg)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: New() error = %v, want one with %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: New() error = %v, which repeats the credential", tt.name, err)
		}
	}
	if _, err := fetch.New(fetch.Config{CAFile: filepath.Join(dir, "none")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("New() error = %v, want %v", err, fs.ErrNotExist)
	}
}

// Http is for the hosts that are named, to the letter, and changes nothing for
// others.
func TestCheckURL_InsecureHTTPHosts(t *testing.T) {
	t.Parallel()
	c := newClient(t, fetch.Config{InsecureHTTPHosts: []string{"keycloak", "Sidecar.Test.", "10.0.0.7", "fd00:0::7"}})
	for url, good := range map[string]bool{
		"http://keycloak/":          true,
		"http://KEYCLOAK:8080/a":    true,
		"http://keycloak./":         true,
		"http://sidecar.test/":      true,
		"http://10.0.0.7:80/":       true,
		"http://[fd00::7]:80/":      true,
		"https://issuer.example/":   true,
		"http://a.keycloak/":        false,
		"http://keycloak.evil.com/": false,
		"http://10.0.0.70/":         false,
		"http://issuer.example/":    false,
		"http://localhost/":         false,
		"http://127.0.0.1/":         false,
		"ftp://keycloak/":           false,
	} {
		if err := c.CheckURL(url); (err == nil) != good {
			t.Errorf("CheckURL(%q) error = %v, want one: %v", url, err, !good)
		}
	}
}
