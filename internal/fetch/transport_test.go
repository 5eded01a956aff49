package fetch_test

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
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
	"time"

	"github.com/oidcauth/oidcauth/internal/dnstest"
	"github.com/oidcauth/oidcauth/internal/fetch"
)

// TestPublicOnly_GivenTransport offers ways around the guard on the transport
// that the caller gives.
func TestPublicOnly_GivenTransport(t *testing.T) {
	t.Parallel()
	srv := newCounting(t, "127.0.0.1:0", document)
	direct := func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("tcp", srv.Listener.Addr().String())
	}
	proxy, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		set  func(*http.Transport)
	}{
		{"a dialer", func(tr *http.Transport) { tr.DialContext = direct }},
		{"a dialer without context", func(tr *http.Transport) {
			//lint:ignore SA1019 deprecated, but obeyed when set
			tr.Dial = func(network, address string) (net.Conn, error) { return direct(nil, network, address) }
		}},
		{"a TLS dialer", func(tr *http.Transport) {
			tr.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&tls.Dialer{Config: tr.TLSClientConfig}).DialContext(ctx, "tcp", srv.Listener.Addr().String())
			}
		}},
		{"a TLS dialer without context", func(tr *http.Transport) {
			//lint:ignore SA1019 deprecated, but obeyed when set
			tr.DialTLS = func(string, string) (net.Conn, error) {
				return tls.Dial("tcp", srv.Listener.Addr().String(), tr.TLSClientConfig)
			}
		}},
		{"a proxy", func(tr *http.Transport) { tr.Proxy = http.ProxyURL(proxy) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transport := srv.trusting()
			tt.set(transport)
			dns := dnstest.Always("10.0.0.1")
			httpClient := &http.Client{Transport: transport}
			before := srv.accepted.Load()
			closed := newClient(t, fetch.Config{PublicOnly: true, HTTP: httpClient, Resolver: dns.Resolver(t)})
			_, err := closed.Get(t.Context(), "https://issuer.example.com/", fetch.Request{})
			if !errors.Is(err, fetch.ErrForbiddenAddress) || srv.accepted.Load() != before {
				t.Errorf("Get() error = %v, %d connections, want %v and none", fetch.Cause(err), srv.accepted.Load()-before, fetch.ErrForbiddenAddress)
			}
			// Without the guard, the way that the caller chose is taken.
			open := newClient(t, fetch.Config{HTTP: httpClient})
			_, _ = open.Get(t.Context(), "https://issuer.example.com/", fetch.Request{})
			transport.CloseIdleConnections()
			if srv.accepted.Load() == before {
				t.Error("the transport did not connect without the guard either")
			}
		})
	}
}

func TestPublicOnly_EnvironmentProxy(t *testing.T) {
	t.Parallel()
	// net/http reads the environment once, so this looks at what is asked of the
	// transport instead of setting a variable.
	asked := false
	transport := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		asked = true
		return nil, errors.New("asked")
	}}
	dns := dnstest.Always("10.0.0.1")
	closed := newClient(t, fetch.Config{PublicOnly: true, HTTP: &http.Client{Transport: transport}, Resolver: dns.Resolver(t)})
	if _, err := closed.Get(t.Context(), "https://issuer.example.com/", fetch.Request{}); err == nil || asked {
		t.Errorf("Get() error = %v, proxy asked for: %t, want not", err, asked)
	}
	open := newClient(t, fetch.Config{HTTP: &http.Client{Transport: transport}})
	if _, err := open.Get(t.Context(), "https://issuer.example.com/", fetch.Request{}); err == nil || !asked {
		t.Errorf("Get() error = %v, proxy asked for: %t, want asked", err, asked)
	}
}

// TestPublicOnly_HeaderBytes gives transports that would take a megabyte of header.
func TestPublicOnly_HeaderBytes(t *testing.T) {
	t.Parallel()
	for size, good := range map[int]bool{32 << 10: true, 80 << 10: false} {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Padding", strings.Repeat("x", size))
			document(w, r)
		}))
		defer srv.Close()
		for _, own := range []int64{0, 1 << 20} {
			transport := srv.Client().Transport.(*http.Transport).Clone()
			transport.MaxResponseHeaderBytes = own
			get := func(cfg fetch.Config) error {
				cfg.HTTP = &http.Client{Transport: transport}
				_, err := newClient(t, cfg).Get(t.Context(), srv.URL, fetch.Request{})
				return fetch.Cause(err)
			}
			if err := get(fetch.Config{}); err != nil {
				t.Errorf("%d bytes, as the caller configured it: Get() error = %v", size, err)
			}
			if err := get(fetch.Config{PublicOnly: true, Permit: func(netip.AddrPort) bool { return true }}); (err == nil) != good {
				t.Errorf("%d bytes, where the caller takes %d: Get() error = %v, want one: %v", size, own, err, !good)
			}
		}
	}
}

// What a transport may cost for strangers is bounded: a bound of its own that is lower
// stays, and none at all is none.
func TestGuardTransport_Bounds(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	for _, tt := range []struct{ given, want *http.Transport }{
		{&http.Transport{}, &http.Transport{TLSHandshakeTimeout: limit, IdleConnTimeout: limit, MaxIdleConns: 64, MaxResponseHeaderBytes: 64 << 10}},
		{
			&http.Transport{TLSHandshakeTimeout: -1, IdleConnTimeout: -1, MaxIdleConns: -1, MaxResponseHeaderBytes: -1},
			&http.Transport{TLSHandshakeTimeout: limit, IdleConnTimeout: limit, MaxIdleConns: 64, MaxResponseHeaderBytes: 64 << 10},
		},
		{
			&http.Transport{TLSHandshakeTimeout: 1, IdleConnTimeout: 1, MaxIdleConns: 1, MaxResponseHeaderBytes: 1},
			&http.Transport{TLSHandshakeTimeout: 1, IdleConnTimeout: 1, MaxIdleConns: 1, MaxResponseHeaderBytes: 1},
		},
		{
			&http.Transport{TLSHandshakeTimeout: limit + 1, IdleConnTimeout: limit + 1, MaxIdleConns: 65, MaxResponseHeaderBytes: 64<<10 + 1},
			&http.Transport{TLSHandshakeTimeout: limit, IdleConnTimeout: limit, MaxIdleConns: 64, MaxResponseHeaderBytes: 64 << 10},
		},
	} {
		bounds := func(t *http.Transport) [4]int64 {
			return [4]int64{int64(t.TLSHandshakeTimeout), int64(t.IdleConnTimeout), int64(t.MaxIdleConns), t.MaxResponseHeaderBytes}
		}
		before := bounds(tt.given)
		fetch.GuardTransport(tt.given, limit)
		if got, want := bounds(tt.given), bounds(tt.want); got != want {
			t.Errorf("bounds %v have become %v, want %v", before, got, want)
		}
	}
}

// TestPublicOnly_TLSVersion gives a transport that would speak TLS 1.1.
func TestPublicOnly_TLSVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS11, tls.VersionTLS12} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			if version < tls.VersionTLS12 && fips140.Enabled() {
				t.Skip("FIPS 140-3 has no TLS 1.1")
			}
			srv := httptest.NewUnstartedServer(http.HandlerFunc(document))
			srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: version}
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.StartTLS()
			defer srv.Close()
			transport := srv.Client().Transport.(*http.Transport)
			transport.TLSClientConfig.MinVersion = tls.VersionTLS10

			get := func(cfg fetch.Config) error {
				cfg.HTTP = &http.Client{Transport: transport}
				_, err := newClient(t, cfg).Get(t.Context(), srv.URL, fetch.Request{})
				return fetch.Cause(err)
			}
			if err := get(fetch.Config{}); err != nil {
				t.Fatalf("Get() as the caller configured it error = %v", err)
			}
			err := get(fetch.Config{PublicOnly: true, Permit: func(netip.AddrPort) bool { return true }})
			if ok := err == nil; ok != (version >= tls.VersionTLS12) {
				t.Errorf("Get() guarded error = %v", err)
			}
			if transport.TLSClientConfig.MinVersion != tls.VersionTLS10 {
				t.Error("the caller's own configuration was changed")
			}
		})
	}
}

// open counts the connections of a server that are open.
type open struct {
	mu     sync.Mutex // guards what follows
	conns  map[net.Conn]bool
	change chan struct{} // closed at the next
}

func (o *open) note(c net.Conn, state http.ConnState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch state {
	case http.StateNew:
		o.conns[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(o.conns, c)
	}
	close(o.change)
	o.change = make(chan struct{})
}

// atMost waits until no more are open, and reports whether it came to that.
func (o *open) atMost(n int, limit time.Duration) bool {
	late := time.After(limit)
	for {
		o.mu.Lock()
		now, change := len(o.conns), o.change
		o.mu.Unlock()
		if now <= n {
			return true
		}
		select {
		case <-change:
		case <-late:
			return false
		}
	}
}

// TestPublicOnly_IdleConnections contacts many strangers with transports that would
// keep a connection to each for as long as the stranger likes.
func TestPublicOnly_IdleConnections(t *testing.T) {
	t.Parallel()
	const limit = 30 * time.Second // to give up after
	for _, tt := range []struct {
		name    string
		http2   bool
		names   int
		timeout time.Duration
		kept    int
	}{
		{"none after a while", false, 5, 2 * time.Second, 0},
		{"none after a while over HTTP/2", true, 5, 2 * time.Second, 0},
		{"few at once", false, 80, time.Hour, 64},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var protocol atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				protocol.Store(int32(r.ProtoMajor))
				document(w, r)
			}))
			conns := &open{conns: map[net.Conn]bool{}, change: make(chan struct{})}
			srv.Config.ConnState, srv.EnableHTTP2 = conns.note, tt.http2
			srv.StartTLS()
			defer srv.Close()
			transport := srv.Client().Transport.(*http.Transport).Clone()
			transport.TLSClientConfig.ServerName = "example.com"
			transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = 0, 0, 0
			if !tt.http2 {
				transport.ForceAttemptHTTP2, transport.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{}
			}
			dns := dnstest.Always("127.0.0.1")
			c := newClient(t, fetch.Config{
				PublicOnly: true, HTTP: &http.Client{Transport: transport}, Timeout: tt.timeout,
				Resolver: dns.Resolver(t), Permit: func(netip.AddrPort) bool { return true },
			})
			_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
			for n := range tt.names {
				if _, err := c.Get(t.Context(), fmt.Sprintf("https://issuer%d.example.com:%s/", n, port), fetch.Request{}); err != nil {
					t.Fatal(fetch.Cause(err))
				}
			}
			if got := protocol.Load() == 2; got != tt.http2 {
				t.Fatalf("over HTTP/%d", protocol.Load())
			}
			if !conns.atMost(tt.kept, limit) {
				t.Errorf("of %d strangers more than %d connections are still open", tt.names, tt.kept)
			}
		})
	}
}

// TestPublicOnly_ClientCertificate gives a transport that says who this server is, as
// configured issuers may want it and strangers have no business to know.
func TestPublicOnly_ClientCertificate(t *testing.T) {
	t.Parallel()
	var shown atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown.Store(int32(len(r.TLS.PeerCertificates)))
		document(w, r)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	defer srv.Close()
	own := srv.TLS.Certificates[0]
	for name, set := range map[string]func(*tls.Config){
		"a certificate": func(c *tls.Config) { c.Certificates = []tls.Certificate{own} },
		"a function that gets one": func(c *tls.Config) {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
		},
	} {
		transport := srv.Client().Transport.(*http.Transport).Clone()
		set(transport.TLSClientConfig)
		for _, public := range []bool{false, true} {
			cfg := fetch.Config{HTTP: &http.Client{Transport: transport}, PublicOnly: public}
			if public {
				cfg.Permit = func(netip.AddrPort) bool { return true }
			}
			if _, err := newClient(t, cfg).Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
				t.Fatalf("%s, strangers %t: Get() error = %v", name, public, fetch.Cause(err))
			}
			if got := shown.Load() > 0; got == public {
				t.Errorf("%s, strangers %t: it was shown: %t", name, public, got)
			}
			transport.CloseIdleConnections()
		}
	}
}

// A client that was given no transport speaks HTTP/2 where the server does, and what is
// made for strangers keeps no protocol of the transport that it was made from.
func TestTransport_Protocols(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	own := fetch.OwnTransport()
	defer own.CloseIdleConnections()
	own.TLSClientConfig.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	res, err := (&http.Client{Transport: own}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.ProtoMajor != 2 {
		t.Errorf("the answer is of %s, want HTTP/2", res.Proto)
	}
	given := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{"h2": nil}}
	if fetch.GuardTransport(given, time.Minute); given.TLSNextProto == nil || len(given.TLSNextProto) != 0 {
		t.Errorf("functions for protocols are left: %v, want none, and none made anew", given.TLSNextProto)
	}
}
