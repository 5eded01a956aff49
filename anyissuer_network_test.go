package oidcauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/dnstest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// forbidden are addresses that no stranger may have contacted, one or more of
// each kind.
var forbidden = []string{
	"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "0.0.0.0", "::",
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
	"169.254.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255",
	"fc00::1", "fd00:ec2::254", "fe80::1", "ff02::1", "224.0.0.1", "255.255.255.255",
	"64:ff9b::7f00:1", "2002:7f00:1::1", "168.63.129.16",
}

// A public is a stranger's issuer on a loopback socket that a test takes for a
// public address. It counts connections.
type public struct {
	*oidctest.Issuer
	server   *httptest.Server
	accepted atomic.Int32
	proxied  atomic.Bool // a proxy was asked for
}

// listen starts a public issuer on an address. Only Linux has all of 127/8
// without being asked, and IPv6 may be missing anywhere.
func listen(t *testing.T, address string) *public {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil && runtime.GOOS == "linux" && strings.HasPrefix(address, "127.") {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("%v: give the loopback interface this address to run the test", err)
	}
	issuer, _ := newIssuer(t, oidctest.Config{})
	p := &public{Issuer: issuer}
	p.server = httptest.NewUnstartedServer(issuer.Handler())
	p.server.Listener.Close()
	p.server.Listener = listener
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.Config.SetKeepAlivesEnabled(false) // each request dials
	p.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.accepted.Add(1)
		}
	}
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	issuer.SetURL("https://example.com:" + port) // the server's certificate is for it
	return p
}

func (p *public) addr() netip.AddrPort {
	return netip.MustParseAddrPort(p.server.Listener.Addr().String())
}

// stranger is an Authenticator for strangers' issuers in a world of its own
// names, with a log to read.
func stranger(t *testing.T, p *public, names *dnstest.Server, permit func(netip.AddrPort) bool) (*oidcauth.Authenticator, *logBuffer) {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	log := new(logBuffer)
	return newAuthenticator(t, oidcauth.Config{
		AnyIssuer: oidcauth.WithNetwork(oidcauth.AnyIssuer{Audiences: []string{testAudience}}, names.Resolver(t), permit),
		Client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots},
			Proxy: func(*http.Request) (*url.URL, error) {
				p.proxied.Store(true)
				return nil, errors.New("no proxy here")
			},
		}},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), log
}

// The issuer's name resolves to an address that is not public: nobody connects.
func TestAnyIssuer_ForbiddenAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range forbidden {
		t.Run(addr, func(t *testing.T) {
			p := listen(t, "127.0.0.1:0")
			a, log := stranger(t, p, dnstest.Always(addr), nowhere)
			wants(t, a, p.Token(nil), oidcauth.ErrUnknownIssuer)
			if n := p.accepted.Load(); n != 0 {
				t.Errorf("%d connections were made", n)
			}
			if reason := "address not allowed: " + netip.MustParseAddr(addr).Unmap().String() + ":"; !strings.Contains(log.String(), reason) {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
	t.Run("IPv6 loopback with a listener", func(t *testing.T) {
		p := listen(t, "[::1]:0")
		a, _ := stranger(t, p, dnstest.Always("::1"), nowhere)
		wants(t, a, p.Token(nil), oidcauth.ErrUnknownIssuer)
		if n := p.accepted.Load(); n != 0 {
			t.Errorf("%d connections were made", n)
		}
	})
	t.Run("twin, the same address permitted", func(t *testing.T) {
		p := listen(t, "127.0.0.1:0")
		a, _ := stranger(t, p, dnstest.Always("127.0.0.1"), func(to netip.AddrPort) bool { return to == p.addr() })
		wants(t, a, p.Token(nil), nil)
		if n := p.accepted.Load(); n != 2 {
			t.Errorf("%d connections were made, want 2", n)
		}
	})
}

// The issuer is public, and its keys are said to be where nobody may connect:
// under an address, under a name, and behind a redirect of either document.
func TestAnyIssuer_ForbiddenHop(t *testing.T) {
	t.Parallel()
	inside := listen(t, "127.0.0.1:0")
	for _, addr := range append([]string{inside.addr().Addr().String()}, forbidden...) {
		_, port, _ := net.SplitHostPort(inside.addr().String())
		byAddress := "https://" + net.JoinHostPort(addr, port) + "/jwks.json"
		byName := "https://inside.example.com:" + port + "/jwks.json"
		ways := map[string]func(*oidctest.Issuer){
			"keys at the address":     func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": byAddress}) },
			"keys at a name":          func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": byName}) },
			"discovery redirects":     func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Redirect: byAddress}) },
			"discovery leads by name": func(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Redirect: byName}) },
			"keys redirect":           func(i *oidctest.Issuer) { i.Fail(oidctest.JWKS, oidctest.Fault{Redirect: byAddress, Status: 307}) },
		}
		for name, way := range ways {
			t.Run(name+" "+addr, func(t *testing.T) {
				p := listen(t, "127.0.0.2:0")
				names := dnstest.New(func(name string, _ int) []netip.Addr {
					if strings.HasPrefix(name, "inside.") {
						return []netip.Addr{netip.MustParseAddr(addr)}
					}
					return []netip.Addr{p.addr().Addr()}
				})
				a, log := stranger(t, p, names, func(to netip.AddrPort) bool { return to == p.addr() })
				way(p.Issuer)
				wants(t, a, p.Token(nil), oidcauth.ErrUnknownIssuer)
				if n := inside.accepted.Load(); n != 0 {
					t.Errorf("%d connections were made", n)
				}
				if p.accepted.Load() == 0 {
					t.Error("the issuer itself was not asked")
				}
				if s := log.String(); !strings.Contains(s, "not allowed") && !strings.Contains(s, "redirect") {
					t.Errorf("the log does not say why:\n%s", log)
				}
			})
		}
	}
}

// The name resolves to a public address first and to one that is not the second
// time: what is dialled counts.
func TestAnyIssuer_Rebinding(t *testing.T) {
	t.Parallel()
	inside := listen(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(inside.addr().String())
	p := listen(t, "127.0.0.2:"+port)
	names := dnstest.New(func(_ string, times int) []netip.Addr {
		if times == 1 {
			return []netip.Addr{p.addr().Addr()}
		}
		return []netip.Addr{inside.addr().Addr()}
	})
	a, log := stranger(t, p, names, func(to netip.AddrPort) bool { return to == p.addr() })
	wants(t, a, p.Token(nil), oidcauth.ErrUnknownIssuer)
	if inside.accepted.Load() != 0 || p.accepted.Load() != 1 {
		t.Errorf("%d connections inside, %d to the public address, want 0 and 1", inside.accepted.Load(), p.accepted.Load())
	}
	if !strings.Contains(log.String(), "address not allowed: 127.0.0.1") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A proxy would connect to whatever address it finds, so none is used.
func TestAnyIssuer_NoProxy(t *testing.T) {
	t.Parallel()
	p := listen(t, "127.0.0.1:0")
	a, _ := stranger(t, p, dnstest.Always("127.0.0.1"), func(to netip.AddrPort) bool { return to == p.addr() })
	wants(t, a, p.Token(nil), nil)
	if p.proxied.Load() {
		t.Error("the client's proxy was asked for")
	}
}

// A host that is public by its address and denied by the configuration is
// connected to at no hop, and the caller cannot tell it from one that is not
// there.
func TestAnyIssuer_Deny(t *testing.T) {
	t.Parallel()
	const everything = `{"audiences": ["my-db"], "deny_prefixes": ["127.0.0.2/32"], "deny_hosts": ["inside.example.com"]}`
	inside := listen(t, "127.0.0.2:0")
	_, port, _ := net.SplitHostPort(inside.addr().String())
	tests := []struct {
		name     string
		settings string
		way      func(*oidctest.Issuer)
		want     error
	}{
		{"keys inside", everything, keysAt("https://inside.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"keys inside, by prefix", `{"audiences": ["my-db"], "deny_prefixes": ["127.0.0.2/32"]}`, keysAt("https://alias.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"keys inside, by name", `{"audiences": ["my-db"], "deny_hosts": ["inside.example.com"]}`, keysAt("https://git.inside.example.com:" + port + "/jwks.json"), oidcauth.ErrUnknownIssuer},
		{"discovery redirects inside", everything, func(i *oidctest.Issuer) {
			i.Fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://inside.example.com:" + port + "/"})
		}, oidcauth.ErrUnknownIssuer},
		{"nothing inside", everything, func(*oidctest.Issuer) {}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := inside.accepted.Load()
			p := listen(t, "127.0.0.1:0")
			a, log := denying(t, p, inside, tt.settings)
			tt.way(p.Issuer)
			wants(t, a, p.Token(nil), tt.want)
			if n := inside.accepted.Load() - before; n != 0 {
				t.Errorf("%d connections were made inside", n)
			}
			if tt.want != nil && !strings.Contains(log.String(), "denied by the configuration") && !strings.Contains(log.String(), "redirect") {
				t.Errorf("the log does not say why:\n%s", log)
			}
		})
	}
	t.Run("twin, nothing denied", func(t *testing.T) {
		p := listen(t, "127.0.0.1:0")
		a, _ := denying(t, p, inside, `{"audiences": ["my-db"]}`)
		keysAt("https://inside.example.com:" + port + "/jwks.json")(p.Issuer)
		before := inside.accepted.Load()
		wants(t, a, p.Token(nil), oidcauth.ErrSignature) // of a key inside that has the same ID
		if inside.accepted.Load() == before {
			t.Error("no connection was made")
		}
	})
	t.Run("the issuer itself", func(t *testing.T) {
		a, _ := denying(t, inside, inside, everything)
		inside.SetURL("https://inside.example.com:" + port)
		wants(t, a, inside.Token(nil), oidcauth.ErrUnknownIssuer)
		if _, err := a.UnverifiedClaims([]byte(`{"iss":"https://inside.example.com:`+port+`","sub":"alice"}`), nil); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("UnverifiedClaims() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
		}
	})
}

func keysAt(url string) func(*oidctest.Issuer) {
	return func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{"jwks_uri": url}) }
}

// denying is an Authenticator with the settings, as a file would have them, for
// which both servers are public.
func denying(t *testing.T, p, inside *public, settings string) (*oidcauth.Authenticator, *logBuffer) {
	t.Helper()
	var any oidcauth.AnyIssuer
	if err := json.Unmarshal([]byte(settings), &any); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	names := dnstest.New(func(name string, _ int) []netip.Addr {
		if strings.Contains(name, "inside.") || strings.HasPrefix(name, "alias.") {
			return []netip.Addr{inside.addr().Addr()}
		}
		return []netip.Addr{p.addr().Addr()}
	})
	log := new(logBuffer)
	return newAuthenticator(t, oidcauth.Config{
		AnyIssuer: oidcauth.WithNetwork(any, names.Resolver(t), func(to netip.AddrPort) bool { return to == p.addr() || to == inside.addr() }),
		Client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, ServerName: "example.com",
		}}},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), log
}

// strangerServes returns a client that reaches one issuer, which publishes the
// key set.
func strangerServes(issuer string, keySet []byte) *http.Client {
	return &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		body := string(keySet)
		if r.URL.Path != "/jwks" {
			body = fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/jwks")
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
		}, nil
	})}
}

// A stranger who runs an issuer chooses how many keys it has and how long their
// names are, and not how much each of its tokens writes into the log.
func TestAnyIssuer_ManyKeysWithLongNames(t *testing.T) {
	t.Parallel()
	const issuer = "https://stranger.test"
	var keys []map[string]string
	for i := range 60 {
		point := make([]byte, 32)
		point[0] = byte(i + 1)
		keys = append(keys, map[string]string{
			"kty": "OKP", "crv": "Ed25519", "kid": fmt.Sprint(i, strings.Repeat("\x01", 120)),
			"x": base64.RawURLEncoding.EncodeToString(point),
		})
	}
	for _, tt := range []struct {
		name, alg string
		want      error
	}{
		{"an algorithm that fits no key", "ES256", oidcauth.ErrAlgorithm},
		{"a bad signature", "EdDSA", oidcauth.ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keySet, err := json.Marshal(map[string]any{"keys": keys})
			if err != nil {
				t.Fatal(err)
			}
			a := newAuthenticator(t, open(strangerServes(issuer, keySet), oidcauth.AnyIssuer{}))
			_, payload, _ := strings.Cut(madeUp(issuer), ".")
			header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + tt.alg + `"}`))
			_, err = a.Authenticate(t.Context(), header+"."+payload)
			checkSole(t, err, tt.want)
			if n := len(err.Error()); n > 5000 {
				t.Errorf("a text of %d bytes", n)
			}
		})
	}
}

// A stranger's issuer has five seconds for each document, and its caller waits no longer.
func TestAnyIssuer_SlowAnswer(t *testing.T) {
	t.Parallel()
	for _, slow := range []string{"/.well-known/openid-configuration", "/keys"} {
		synctest.Test(t, func(t *testing.T) {
			client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Path == slow {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				w := httptest.NewRecorder()
				fmt.Fprint(w, `{"issuer":"https://slow.test","jwks_uri":"https://slow.test/keys"}`)
				return w.Result(), nil
			})}
			a, began := newAuthenticator(t, open(client, oidcauth.AnyIssuer{})), time.Now()
			refuses(t, a, madeUp("https://slow.test"), oidcauth.ErrUnknownIssuer)
			if took := time.Since(began); took != 5*time.Second {
				t.Errorf("%s: refused after %v, want 5s", slow, took)
			}
		})
	}
}
