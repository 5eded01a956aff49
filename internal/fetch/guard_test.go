package fetch_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/internal/dnstest"
	"github.com/oidcauth/oidcauth/internal/fetch"
)

// counting is a TLS issuer on loopback that counts its connections.
type counting struct {
	*httptest.Server
	accepted atomic.Int32
}

func newCounting(t *testing.T, address string, handler http.HandlerFunc) *counting {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &counting{Server: httptest.NewUnstartedServer(handler)}
	s.Listener.Close()
	s.Listener = listener
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.accepted.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *counting) addr() netip.AddrPort {
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// trusting returns a transport that accepts the server's certificate, whatever
// name or address the server was asked for by.
func (s *counting) trusting() *http.Transport {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}}
}

func document(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }

// recording is a Permit that permits nothing but remembers what it was asked,
// which is each address that was about to be dialled.
type recording struct {
	mu    sync.Mutex // guards seen
	seen  []netip.AddrPort
	allow netip.AddrPort
}

func (r *recording) permit(a netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, a)
	return a == r.allow
}

// guarded returns a client for strangers' URLs that accepts the server's
// certificate.
func guarded(t *testing.T, srv *counting, dns *dnstest.Server, permit *recording) *fetch.Client {
	t.Helper()
	return newClient(t, fetch.Config{
		PublicOnly: true,
		HTTP:       &http.Client{Transport: srv.trusting()},
		Resolver:   dns.Resolver(t),
		Permit:     permit.permit,
	})
}

// TestPublicOnly_Name has a name resolve to each refused address. The failure
// must be that of the guard, which comes before the connection.
func TestPublicOnly_Name(t *testing.T) {
	t.Parallel()
	for _, tt := range refused {
		addr := netip.MustParseAddr(tt.addr)
		if addr.Zone() != "" || fetch.Refusal(addr.Unmap()) == "" {
			continue // not in DNS, or public once the resolver has unmapped it
		}
		t.Run(tt.addr, func(t *testing.T) {
			dns := dnstest.Always(tt.addr)
			c := newClient(t, fetch.Config{PublicOnly: true, Resolver: dns.Resolver(t)})
			_, err := c.Get(t.Context(), "https://issuer.example.com/jwks", fetch.Request{})
			if !errors.Is(err, fetch.ErrForbiddenAddress) {
				t.Fatalf("Get() error = %v (%v), want %v", err, fetch.Cause(err), fetch.ErrForbiddenAddress)
			}
			if err.Error() != uniform {
				t.Errorf("Get() error reads %q, want %q", err, uniform)
			}
			for _, name := range dns.Names() {
				if name != "issuer.example.com" {
					t.Errorf("asked for %q, which is not the name given", name)
				}
			}
		})
	}
}

// TestPublicOnly_NameIsRooted sees to it that the domains in this machine's
// configuration are not appended to a stranger's name.
func TestPublicOnly_NameIsRooted(t *testing.T) {
	t.Parallel()
	dns := dnstest.Always()
	c := newClient(t, fetch.Config{PublicOnly: true, Resolver: dns.Resolver(t)})
	for _, host := range []string{"vault", "issuer.example.com", "issuer.example.com."} {
		_, err := c.Get(t.Context(), "https://"+host+"/", fetch.Request{})
		var failure *net.DNSError
		if want := strings.TrimSuffix(host, ".") + "."; !errors.As(err, &failure) || failure.Name != want {
			t.Errorf("Get() error = %v, want a lookup of %q", fetch.Cause(err), want)
		}
	}
}

// TestPublicOnly_NoConnection counts the connections that a listener on loopback
// gets, with the guard and, as a twin, with an exemption from it.
func TestPublicOnly_NoConnection(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "127.0.0.2", "[::1]"} {
		for _, permitted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s permitted %t", host, permitted), func(t *testing.T) {
				if host == "[::1]" && !haveIPv6() {
					t.Skip("no IPv6 loopback here")
				}
				srv := newCounting(t, host+":0", document)
				dns := dnstest.Always(srv.addr().Addr().String())
				permit := &recording{}
				if permitted {
					permit.allow = srv.addr()
				}
				c := guarded(t, srv, dns, permit)
				for _, name := range []string{"example.com", srv.addr().Addr().String()} {
					_, err := c.Get(t.Context(), atPort(name, srv.addr().Port()), fetch.Request{})
					if permitted && err != nil {
						t.Errorf("Get() by %s error = %v", name, fetch.Cause(err))
					}
					if !permitted && !errors.Is(err, fetch.ErrForbiddenAddress) {
						t.Errorf("Get() by %s error = %v, want %v", name, err, fetch.ErrForbiddenAddress)
					}
				}
				if got := srv.accepted.Load() > 0; got != permitted {
					t.Errorf("connected: %t, want %t", got, permitted)
				}
				if len(permit.seen) == 0 {
					t.Error("the guard was not asked")
				}
			})
		}
	}
}

func atPort(host string, port uint16) string {
	return (&url.URL{Scheme: "https", Host: net.JoinHostPort(host, fmt.Sprint(port)), Path: "/"}).String()
}

func haveIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// TestPublicOnly_Port reaches an address that is fine on a port that is not.
func TestPublicOnly_Port(t *testing.T) {
	t.Parallel()
	dns := dnstest.Always("8.8.8.8")
	permit := &recording{} // asks the guard for its opinion of the port
	c := newClient(t, fetch.Config{PublicOnly: true, Resolver: dns.Resolver(t), Permit: permit.permit})
	_, err := c.Get(t.Context(), "https://issuer.example.com:8443/", fetch.Request{})
	if !errors.Is(err, fetch.ErrForbiddenAddress) {
		t.Errorf("Get() error = %v, want %v", fetch.Cause(err), fetch.ErrForbiddenAddress)
	}
}

// TestPublicOnly_Rebinding serves the first request from the one address that is
// permitted; the name then resolves to another, at which somebody listens too.
func TestPublicOnly_Rebinding(t *testing.T) {
	t.Parallel()
	for _, redirect := range []bool{false, true} {
		t.Run(fmt.Sprintf("in a redirect %t", redirect), func(t *testing.T) {
			outside := newCounting(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Connection", "close")
				if redirect {
					http.Redirect(w, r, "/inside", http.StatusFound)
				}
			})
			inside := newCounting(t, fmt.Sprintf("127.0.0.2:%d", outside.addr().Port()), document)
			dns := dnstest.New(func(string, int) []netip.Addr {
				if outside.accepted.Load() == 0 {
					return []netip.Addr{outside.addr().Addr()}
				}
				return []netip.Addr{inside.addr().Addr()}
			})
			permit := &recording{allow: outside.addr()}
			c := guarded(t, outside, dns, permit)
			target := atPort("example.com", outside.addr().Port())
			_, err := c.Get(t.Context(), target, fetch.Request{})
			if !redirect {
				if err != nil {
					t.Fatalf("first Get() error = %v", fetch.Cause(err))
				}
				_, err = c.Get(t.Context(), target, fetch.Request{})
			}
			if !errors.Is(err, fetch.ErrForbiddenAddress) {
				t.Errorf("Get() error = %v, want %v", fetch.Cause(err), fetch.ErrForbiddenAddress)
			}
			if o, i := outside.accepted.Load(), inside.accepted.Load(); o != 1 || i != 0 {
				t.Errorf("%d connections outside and %d inside, want 1 and 0", o, i)
			}
		})
	}
}

// TestPublicOnly_MixedAnswer has a name resolve to a refused address and to the
// permitted one: the refused one is passed over.
func TestPublicOnly_MixedAnswer(t *testing.T) {
	t.Parallel()
	outside := newCounting(t, "127.0.0.1:0", document)
	inside := newCounting(t, fmt.Sprintf("127.0.0.2:%d", outside.addr().Port()), document)
	dns := dnstest.Always("127.0.0.2", "127.0.0.1")
	permit := &recording{allow: outside.addr()}
	c := guarded(t, outside, dns, permit)
	if _, err := c.Get(t.Context(), atPort("example.com", outside.addr().Port()), fetch.Request{}); err != nil {
		t.Errorf("Get() error = %v", fetch.Cause(err))
	}
	if o, i := outside.accepted.Load(), inside.accepted.Load(); o != 1 || i != 0 {
		t.Errorf("%d connections outside and %d inside, want 1 and 0", o, i)
	}
}

// TestPublicOnly_Redirect redirects from the permitted server to each refused
// address. No second dial may be tried.
func TestPublicOnly_Redirect(t *testing.T) {
	t.Parallel()
	var to atomic.Value
	srv := newCounting(t, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			document(w, r)
			return
		}
		http.Redirect(w, r, to.Load().(string), http.StatusTemporaryRedirect)
	})
	get := func(t *testing.T, location string) ([]netip.AddrPort, error) {
		to.Store(location)
		dns := dnstest.Always("127.0.0.1")
		permit := &recording{allow: srv.addr()}
		c := guarded(t, srv, dns, permit)
		_, err := c.Get(t.Context(), atPort("example.com", srv.addr().Port()), fetch.Request{})
		return permit.seen, err
	}
	for _, tt := range refused {
		addr := netip.MustParseAddr(tt.addr).WithZone("")
		for _, scheme := range []string{"https", "http"} {
			location := scheme + "://" + netip.AddrPortFrom(addr, srv.addr().Port()).String() + "/inside"
			t.Run(location, func(t *testing.T) {
				_, err := get(t, location)
				if !errors.Is(err, fetch.ErrRedirect) || err.Error() != uniform {
					t.Errorf("Get() error = %v (%v), want %v", err, fetch.Cause(err), fetch.ErrRedirect)
				}
			})
		}
	}
	before := srv.accepted.Load()
	dialled, err := get(t, "/inside")
	if err != nil {
		t.Errorf("Get() with a redirect to the same host error = %v", fetch.Cause(err))
	}
	if want := 2 * int32(len(refused)); before != want || len(dialled) != 1 {
		t.Errorf("%d connections for %d redirects, and %d dials for one on the same host", before, want, len(dialled))
	}
}

// A socket is judged by the address that it is about to be connected to, and what is no
// address of TCP is none to connect to.
func TestGuard_Control(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		network, address string
		want             error
	}{
		{"tcp4", "8.8.8.8:443", nil},
		{"tcp6", "[2001:4860:4860::8888]:443", nil},
		{"tcp4", "10.0.0.1:443", fetch.ErrForbiddenAddress},
		{"udp4", "8.8.8.8:443", fetch.ErrForbiddenAddress},
		{"unix", "/run/db.sock", fetch.ErrForbiddenAddress},
		{"tcp4", "db.example.com:443", fetch.ErrForbiddenAddress},
	} {
		if err := fetch.Control(tt.network, tt.address); !errors.Is(err, tt.want) {
			t.Errorf("%s %s: error = %v, want %v", tt.network, tt.address, err, tt.want)
		}
	}
}

// TestPublicOnly_ManyAddresses looks up a name that has more addresses than anybody
// needs, none of which answers: they may be other people's machines. Those of one kind
// leave the others' their tries.
func TestPublicOnly_ManyAddresses(t *testing.T) {
	t.Parallel()
	list := func(n int) (addrs []string) {
		for i := range n {
			addrs = append(addrs, fmt.Sprintf("127.0.1.%d", i+1))
		}
		return addrs
	}
	for addresses, want := range map[int]int32{1: 1, 8: 8, 9: 8, 200: 8} {
		for _, more := range []string{"", "::1"} {
			var v4, v6 atomic.Int32
			names := list(addresses)
			if more != "" {
				names = append(names, more)
			}
			c := newClient(t, fetch.Config{
				PublicOnly: true, Resolver: dnstest.Always(names...).Resolver(t),
				Permit: func(a netip.AddrPort) bool {
					if a.Addr().Is4() {
						v4.Add(1)
					} else {
						v6.Add(1)
					}
					return true
				},
			})
			_, err := c.Get(t.Context(), "https://issuer.example.com:1/", fetch.Request{})
			if err == nil || v4.Load() != want || more != "" && v6.Load() != 1 {
				t.Errorf("%d addresses and %q: %d and %d were dialled, want %d and that; error %v", addresses, more, v4.Load(), v6.Load(), want, fetch.Cause(err))
			}
		}
	}
}
