package fetch_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// What is wrong with a document is said.
func TestParseMetadata_Says(t *testing.T) {
	t.Parallel()
	for body, said := range map[string]string{
		"\xff": "not UTF-8", "": "not JSON", "[]": "not a JSON object", `"issuer"`: "not a JSON object",
		`{"a":1,"a":2}`:                     `member "a" occurs twice`,
		"{}":                                `no member "issuer"`,
		`{"issuer":1}`:                      "issuer is not a string, or empty",
		`{"issuer":"a"}`:                    `no member "jwks_uri"`,
		`{"issuer":"a","jwks_uri":"` + `"}`: "jwks_uri is not a string, or empty",
	} {
		m, err := fetch.ParseMetadata([]byte(body))
		if !errors.Is(err, fetch.ErrDiscovery) || !strings.HasSuffix(err.Error(), said) || m != (fetch.Metadata{}) {
			t.Errorf("%q: ParseMetadata() = %+v, %v, want %v that says %s", body, m, err, fetch.ErrDiscovery, said)
		}
	}
}

// A status says where the client's credential goes instead, if that may be why.
func TestStatusError(t *testing.T) {
	t.Parallel()
	const withheld = `; the credential is sent to "https://a.test" alone`
	for _, tt := range []struct {
		err  fetch.StatusError
		want string
	}{
		{fetch.StatusError{Status: 401, Withheld: "https://a.test"}, "got status 401, want 200" + withheld},
		{fetch.StatusError{Status: 403, Withheld: "https://a.test"}, "got status 403, want 200" + withheld},
		{fetch.StatusError{Status: 404, Withheld: "https://a.test"}, "got status 404, want 200"},
		{fetch.StatusError{Status: 401}, "got status 401, want 200"},
		{fetch.StatusError{Status: 403, RetryAfter: time.Minute}, "got status 403, want 200, retry after 1m0s"},
		{fetch.StatusError{Status: 403, RetryAfter: 1}, "got status 403, want 200, retry after 1ns"},
	} {
		if got := tt.err.Error(); !strings.HasSuffix(got, tt.want) {
			t.Errorf("got %q, want %q at its end", got, tt.want)
		}
	}
}

// An answer that came, and was refused, is told as that, whoever has gone meanwhile.
func TestGet_Verdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer *http.Response
		want   error
	}{
		{respond(200, strings.NewReader(strings.Repeat("x", 100))), fetch.ErrTooLarge},
		{respond(200, strings.NewReader("{}"), "Content-Type: text/html"), fetch.ErrContentType},
		{respond(302, strings.NewReader(""), "Location: https://other.example/"), fetch.ErrRedirect},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		c := memoryClient(t, func(*http.Request) (*http.Response, error) { cancel(); return tt.answer, nil })
		if _, err := c.Get(ctx, issuerURL, fetch.Request{MaxBytes: 50}); !errors.Is(err, tt.want) {
			t.Errorf("Get() error = %v, want %v", err, tt.want)
		}
	}
}

// A web page is called one.
func TestGet_WebPage(t *testing.T) {
	t.Parallel()
	for value, page := range map[string]bool{"text/html": true, "application/xhtml+xml": true, "image/png": false} {
		c := memoryClient(t, func(*http.Request) (*http.Response, error) {
			return respond(200, strings.NewReader("{}"), "Content-Type: "+value), nil
		})
		_, err := c.Get(t.Context(), issuerURL, fetch.Request{})
		if !errors.Is(err, fetch.ErrContentType) || strings.Contains(err.Error(), "got a web page ("+`"`+value) != page {
			t.Errorf("Get() error = %v, want %v that speaks of a web page: %t", err, fetch.ErrContentType, page)
		}
	}
}

// closing is a body that says when it is closed.
type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

// However an answer ends, its connection and what waits for it are free.
func TestGet_LetsGo(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404} {
		body := &closing{Reader: strings.NewReader("{}")}
		var asked context.Context
		c := memoryClient(t, func(r *http.Request) (*http.Response, error) {
			asked = r.Context()
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: body, ContentLength: -1}, nil
		})
		if _, err := c.Get(t.Context(), issuerURL, fetch.Request{}); (err == nil) != (status == 200) {
			t.Fatalf("Get() error = %v", err)
		}
		if !body.closed || asked.Err() == nil {
			t.Errorf("status %d: body closed %t, context ended %v", status, body.closed, asked.Err())
		}
	}
}

// Of either kind, eight addresses are dialled for one connection, and no further one.
func TestGuard_Attempts(t *testing.T) {
	t.Parallel()
	v4, v6 := slices.Repeat([]string{"8.8.8.8:443"}, 8), slices.Repeat([]string{"[2001:4860:4860::8888]:443"}, 8)
	for _, tt := range []struct {
		addresses []string
		want      error
	}{
		{v4, nil}, {slices.Concat(v4, v6), nil},
		{slices.Concat(v4, v4[:1]), fetch.ErrForbiddenAddress},
		{slices.Concat(v4, v6, v6[:1]), fetch.ErrForbiddenAddress},
	} {
		if err := fetch.ControlOf(fetch.Config{}, tt.addresses...); !errors.Is(err, tt.want) {
			t.Errorf("the last of %d: error = %v, want %v", len(tt.addresses), err, tt.want)
		}
	}
}

// A prefix is denied in whatever form its addresses are written, and though they are
// permitted.
func TestGuard_DeniedForms(t *testing.T) {
	t.Parallel()
	cfg := fetch.Config{DenyPrefixes: prefixes("fd00::/8", "203.0.113.0/24"), Permit: func(netip.AddrPort) bool { return true }}
	for address, denied := range map[string]bool{
		"[fd00::1]:443": true, "[fd00::1%eth0]:443": true, "203.0.113.7:443": true, "[::ffff:203.0.113.7]:443": true,
		"[fe80::1%eth0]:443": false, "[::ffff:203.0.114.7]:443": false,
	} {
		if err := fetch.ControlOf(cfg, address); errors.Is(err, fetch.ErrForbiddenAddress) != denied {
			t.Errorf("%s: error = %v, want denied %t", address, err, denied)
		}
	}
}

// sharing is a transport that others use, too.
type sharing struct {
	answer
	closed *int
}

func (s sharing) CloseIdleConnections() { *s.closed++ }

// The caller's own transport stays as it is when the client lets go of its connections.
func TestCloseIdle_NotTheCallers(t *testing.T) {
	t.Parallel()
	closed := 0
	given := &http.Client{Transport: sharing{nil, &closed}}
	for _, cfg := range []fetch.Config{{HTTP: given}, {HTTP: given, PublicOnly: true, Permit: func(netip.AddrPort) bool { return true }}} {
		newClient(t, cfg).CloseIdle()
		if closed != 0 {
			t.Errorf("strangers %t: the caller's connections were closed", cfg.PublicOnly)
		}
	}
}

// A client that meets strangers closes its own, also where the caller gave a transport.
func TestCloseIdle_Strangers(t *testing.T) {
	t.Parallel()
	srv, closed := startTold(t)
	c := newClient(t, fetch.Config{HTTP: srv.Client(), PublicOnly: true, Timeout: time.Hour, Permit: func(netip.AddrPort) bool { return true }})
	if _, err := c.Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
		t.Fatal(fetch.Cause(err))
	}
	c.CloseIdle()
	select {
	case <-closed:
	case <-time.After(15 * time.Second):
		t.Error("the connection stays open")
	}
}

// With another file, the connections that were made on the word of the last one end.
func TestConfig_CAFileChanges(t *testing.T) {
	t.Parallel()
	srv, closed := startTold(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	write(t, file, own)
	c := newClient(t, fetch.Config{CAFile: file, HTTP: srv.Client()})
	for _, content := range [][]byte{own, append(otherCertificate(t), own...)} {
		write(t, file, content)
		if _, err := c.Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-closed:
	case <-time.After(15 * time.Second):
		t.Error("the connection stays open")
	}
}

// A client that meets strangers, or trusts a file, has connections of its own over
// HTTP/2: none that was made before with the transport that the caller gave.
func TestNew_FreshConnections(t *testing.T) {
	t.Parallel()
	seen := make(chan [2]string, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- [2]string{r.Proto, r.RemoteAddr}
		sayJSON(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	for name, cfg := range map[string]fetch.Config{
		"strangers": {PublicOnly: true, Permit: func(netip.AddrPort) bool { return true }},
		"a file":    {CAFile: file},
	} {
		get := func(cfg fetch.Config) [2]string {
			t.Helper()
			if _, err := newClient(t, cfg).Get(t.Context(), srv.URL, fetch.Request{}); err != nil {
				t.Fatal(name, fetch.Cause(err))
			}
			return <-seen
		}
		trust := srv.Client().Transport.(*http.Transport).TLSClientConfig
		cfg.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Clone()}}
		if got := get(cfg); got[0] != "HTTP/2.0" {
			t.Errorf("%s: %s, want HTTP/2", name, got[0])
		}
		cfg.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}}
		before := get(fetch.Config{HTTP: cfg.HTTP})
		if got := get(cfg); before[0] != "HTTP/2.0" || got[1] == before[1] {
			t.Errorf("%s: %q on the caller's connection, %q", name, got, before)
		}
	}
}
