package fetch_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// newHTTP2Server returns a server that speaks HTTP/2, and what its clients have to trust.
func newHTTP2Server(t *testing.T) (*httptest.Server, *tls.Config) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(document))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv, &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12}
}

// byAnother returns a transport whose HTTP/2 is not net/http's, as golang.org/x/net makes it.
func byAnother(t *testing.T, trusting *tls.Config) *http.Transport {
	offering := trusting.Clone()
	offering.NextProtos = []string{"h2", "http/1.1"}
	return &http.Transport{TLSClientConfig: offering, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{
		"h2": func(_ string, c *tls.Conn) http.RoundTripper {
			t.Error("a connection is another transport's")
			return http.NewFileTransport(http.Dir("."))
		},
	}}
}

// protocol returns how the answer came, and ends the test if none did.
func protocol(t *testing.T, rt http.RoundTripper, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.Proto
}

// Who is given nothing does as net/http does at the time, by the protocols that it speaks,
// over connections of the library's own that are given up when they are dead.
func TestTransport_Usual(t *testing.T) {
	srv, trusting := newHTTP2Server(t)
	was := http.DefaultTransport
	defer func() { http.DefaultTransport = was }()
	usual := fetch.Transport(nil) // before the program says what it wants
	for _, tt := range []struct {
		name string
		like *http.Transport
		want string
	}{
		{"HTTP/2", &http.Transport{TLSClientConfig: trusting.Clone(), ForceAttemptHTTP2: true}, "HTTP/2.0"},
		{"HTTP/2 by another", byAnother(t, trusting), "HTTP/2.0"},
		{"HTTP/1, by the rules of net/http", &http.Transport{TLSClientConfig: trusting.Clone()}, "HTTP/1.1"},
		{"HTTP/1, as net/http says to ask for it", &http.Transport{
			TLSClientConfig: trusting.Clone(), ForceAttemptHTTP2: true, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		}, "HTTP/1.1"},
	} {
		http.DefaultTransport = tt.like
		for range 2 {
			if got := protocol(t, usual, srv.URL); got != tt.want {
				t.Errorf("%s: the answer came by %s, want %s", tt.name, got, tt.want)
			}
		}
		copied := fetch.NoticingCopy(tt.like)
		if copied == tt.like || copied != fetch.NoticingCopy(tt.like) || !pings(copied) || pings(tt.like) {
			t.Errorf("%s: want one copy that pings, and an original that does not", tt.name)
		}
	}
	http.DefaultTransport = http.NewFileTransport(http.Dir("."))
	if got := protocol(t, usual, "http://example.com/dead.go"); got != "HTTP/1.0" {
		t.Errorf("the answer came by %s, want the program's own", got)
	}
}

// pings reports whether a transport asks whether its connections live. From Go 1.27 on
// net/http sets HTTP2 by itself.
func pings(t *http.Transport) bool { return t.HTTP2 != nil && t.HTTP2.SendPingTimeout > 0 }

// A client without a Transport says nothing of what carries its requests.
func TestTransport(t *testing.T) {
	t.Parallel()
	own := new(http.Transport)
	if got := fetch.Transport(&http.Client{Transport: own}); got != own {
		t.Errorf("Transport() = %T, want the client's", got)
	}
	if got := fetch.Transport(&http.Client{Timeout: time.Second}); got != fetch.Transport(nil) {
		t.Errorf("Transport() = %T, want the usual one", got)
	}
}

// A transport whose HTTP/2 is not net/http's own offers it, and so do its clones, which
// must speak it then.
func TestClient_ClonesOfOtherHTTP2(t *testing.T) {
	t.Parallel()
	srv, trusting := newHTTP2Server(t)
	for name, cfg := range map[string]fetch.Config{
		"that trusts a file":         {CAFile: authorityFile(t, srv)},
		"that connects to strangers": {PublicOnly: true, Permit: func(netip.AddrPort) bool { return true }},
	} {
		cfg.HTTP = &http.Client{Transport: byAnother(t, trusting)}
		if _, err := newClient(t, cfg).Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
			t.Errorf("a clone %s: Get() error = %v", name, fetch.Cause(err))
		}
	}
}
