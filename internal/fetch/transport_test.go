package fetch_test

import (
	"context"
	"crypto/fips140"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

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
