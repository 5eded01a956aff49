package fetch_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

func newClient(t *testing.T, cfg fetch.Config) *fetch.Client {
	t.Helper()
	c, err := fetch.New(cfg)
	if err != nil {
		t.Fatalf("New() error = %v", err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

// The clients whose URLs are checked.
var (
	strict     = fetch.Config{}
	onLoopback = fetch.Config{InsecureHTTP: true}
	publicOnly = fetch.Config{PublicOnly: true}
)

var checkURLTests = []struct {
	name string
	cfg  fetch.Config
	url  string
	want error
}{
	{"https", strict, "https://login.example.com/a/.well-known/x?appid=1", nil},
	{"scheme in capitals", strict, "HTTPS://login.example.com/", nil},
	{"https on another port", strict, "https://login.example.com:8443/", nil},
	{"https to a private address that the operator chose", strict, "https://10.0.0.1/", nil},
	{"IPv6 host", strict, "https://[2001:db8::1]:8443/", nil},
	{"highest port", strict, "https://a.example:65535/", nil},
	{"template in the path", strict, "https://login.example.com/{tenantid}/v2.0", nil},
	{"internationalized host in its ASCII form", strict, "https://xn--bcher-kva.example/", nil},
	{"2048 bytes", strict, "https://a.example/" + strings.Repeat("a", 2048-18), nil},

	{"empty", strict, "", fetch.ErrURL},
	{"not a URL", strict, "https://[::1", fetch.ErrURL},
	{"no scheme", strict, "accounts.google.com", fetch.ErrURL},
	{"no scheme but a port", strict, "accounts.google.com:443", fetch.ErrURL},
	{"relative", strict, "//login.example.com/", fetch.ErrURL},
	{"no host", strict, "https:///path", fetch.ErrURL},
	{"port without host", strict, "https://:443/", fetch.ErrURL},
	{"opaque", strict, "https:login.example.com", fetch.ErrURL},
	{"file", strict, "file:///etc/passwd", fetch.ErrURL},
	{"gopher", strict, "gopher://a.example/", fetch.ErrURL},
	{"data", strict, "data:application/json,{}", fetch.ErrURL},
	{"user", strict, "https://user@login.example.com/", fetch.ErrURL},
	{"empty user", strict, "https://@login.example.com/", fetch.ErrURL},
	{"user and password", strict, "https://user:hunter2@login.example.com/", fetch.ErrURL},
	{"fragment", strict, "https://login.example.com/#x", fetch.ErrURL},
	{"empty fragment", strict, "https://login.example.com/#", fetch.ErrURL},
	{"empty port", strict, "https://login.example.com:/", fetch.ErrURL},
	{"port 0", strict, "https://login.example.com:0/", fetch.ErrURL},
	{"port out of range", strict, "https://login.example.com:65536/", fetch.ErrURL},
	{"port not a number", strict, "https://login.example.com:https/", fetch.ErrURL},
	{"space in the path", strict, "https://login.example.com/a b", fetch.ErrURL},
	{"line feed at the end", strict, "https://login.example.com/\n", fetch.ErrURL},
	{"backslash before the at sign", strict, `https://good.example\@evil.example/`, fetch.ErrURL},
	{"full-width digits in the host", strict, "https://１２７.0.0.1/", fetch.ErrURL},
	{"a byte beyond ASCII in the host", strict, "https://a\x80.example/", fetch.ErrURL},
	{"escaped host", strict, "https://%31%32%37.0.0.1/", fetch.ErrURL},
	{"2049 bytes", strict, "https://a.example/" + strings.Repeat("a", 2049-18), fetch.ErrURL},

	{"http not allowed at all", strict, "http://127.0.0.1:8080/", fetch.ErrURL},
	{"http to 127.0.0.1", onLoopback, "http://127.0.0.1:8080/", nil},
	{"http to the end of the loopback block", onLoopback, "http://127.255.255.254/", nil},
	{"http to ::1", onLoopback, "http://[::1]:8080/", nil},
	{"http to localhost", onLoopback, "http://LocalHost:8080/", nil},
	{"https beside it", onLoopback, "https://login.example.com/", nil},
	{"http to a name", onLoopback, "http://login.example.com/", fetch.ErrURL},
	{"http to a name below localhost", onLoopback, "http://a.localhost/", fetch.ErrURL},
	{"http to a name that begins like loopback", onLoopback, "http://127.0.0.1.example.com/", fetch.ErrURL},
	{"http to a private address", onLoopback, "http://192.168.0.1/", fetch.ErrURL},
	{"http to mapped loopback", onLoopback, "http://[::ffff:127.0.0.1]/", fetch.ErrURL},
	{"http to loopback as one number", onLoopback, "http://2130706433/", fetch.ErrURL},
	{"http to the unspecified address", onLoopback, "http://0.0.0.0/", fetch.ErrURL},

	{"public name", publicOnly, "https://login.example.com/", nil},
	{"public name, default port written", publicOnly, "https://login.example.com:443/", nil},
	{"http where only public addresses are", publicOnly, "http://login.example.com/", fetch.ErrURL},
	{"another port", publicOnly, "https://login.example.com:8443/", fetch.ErrForbiddenAddress},
	{"ssh", publicOnly, "https://login.example.com:22/", fetch.ErrForbiddenAddress},
	{"loopback address", publicOnly, "https://127.0.0.1/", fetch.ErrForbiddenAddress},
	{"metadata address", publicOnly, "https://169.254.169.254/", fetch.ErrForbiddenAddress},
	{"mapped address", publicOnly, "https://[::ffff:10.0.0.1]/", fetch.ErrForbiddenAddress},
	{"address with a zone", publicOnly, "https://[fe80::1%25eth0]/", fetch.ErrForbiddenAddress},
	{"public address, but not a name", publicOnly, "https://8.8.8.8/", fetch.ErrForbiddenAddress},
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, tt := range checkURLTests {
		t.Run(tt.name, func(t *testing.T) {
			err := newClient(t, tt.cfg).CheckURL(tt.url)
			if !errors.Is(err, tt.want) {
				t.Fatalf("CheckURL(%.60q) error = %v, want %v", tt.url, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error repeats the password: %v", err)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	loopback := func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }
	unverified := newTransport()
	unverified.TLSClientConfig.InsecureSkipVerify = true
	tests := []struct {
		name string
		cfg  fetch.Config
		ok   bool
	}{
		{"zero value", fetch.Config{}, true},
		{"public only", fetch.Config{PublicOnly: true}, true},
		{"http on loopback", fetch.Config{InsecureHTTP: true}, true},
		{"a client without a transport", fetch.Config{HTTP: &http.Client{}, PublicOnly: true}, true},
		{"any transport", fetch.Config{HTTP: &http.Client{Transport: answer(nil)}}, true},
		{"public only through http.Transport", fetch.Config{HTTP: &http.Client{Transport: newTransport()}, PublicOnly: true}, true},
		{"any transport in a test", fetch.Config{HTTP: &http.Client{Transport: answer(nil)}, PublicOnly: true, Permit: loopback}, true},
		{"certificates not verified, operator's issuer", fetch.Config{HTTP: &http.Client{Transport: unverified}}, true},

		{"negative timeout", fetch.Config{Timeout: -1}, false},
		{"negative size", fetch.Config{MaxBytes: -1}, false},
		{"http on loopback and public only", fetch.Config{InsecureHTTP: true, PublicOnly: true}, false},
		{"public only through a transport that cannot be guarded", fetch.Config{HTTP: &http.Client{Transport: answer(nil)}, PublicOnly: true}, false},
		{"public only, certificates not verified", fetch.Config{HTTP: &http.Client{Transport: unverified}, PublicOnly: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := fetch.New(tt.cfg)
			if (err == nil) != tt.ok || (c != nil) != tt.ok {
				t.Fatalf("New() = %v, %v, want ok %t", c, err, tt.ok)
			}
		})
	}
}

// An address that would break a line, or a log, is refused by that.
func TestCheckURL_Says(t *testing.T) {
	t.Parallel()
	c := newClient(t, strict)
	for char, bad := range map[string]bool{"\x00": true, "\x1f": true, " ": true, "!": false, "~": false, "\x7f": true} {
		err := c.CheckURL("https://issuer.example/" + char)
		if said := err != nil && strings.Contains(err.Error(), "white space or control character in "); said != bad || (err != nil) != bad {
			t.Errorf("%q: CheckURL() error = %v, want one that says so: %t", char, err, bad)
		}
	}
}
