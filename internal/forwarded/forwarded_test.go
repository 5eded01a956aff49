package forwarded_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/forwarded"
)

// proxies are those that are trusted here.
var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}

// Where a request comes from is what its connection says, and proxies that are
// trusted about what is before them, as far as their word can be followed.
func TestCaller(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, remote string
		headers      []string
		want         string // empty for none
	}{
		{"no proxy", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"no proxy, a header of the caller's own", "192.0.2.1:5000", []string{"X-Forwarded-For: 192.0.2.9"}, "192.0.2.1"},
		{"no proxy, the standard header", "192.0.2.1:5000", []string{"Forwarded: for=192.0.2.9"}, "192.0.2.1"},
		{"no proxy, IPv6", "[2001:db8::1]:5000", nil, "2001:db8::1"},
		{"no proxy, IPv4 as IPv6", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"no proxy, with a zone", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"an address without port", "192.0.2.1", nil, "192.0.2.1"},
		{"no address", "@", []string{"X-Forwarded-For: 192.0.2.9"}, ""},
		{"nothing at all", "", nil, ""},

		{"one proxy", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"one proxy, itself by IPv4 as IPv6", "[::ffff:10.0.0.1]:5000", []string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1"},
		{"one proxy, IPv6", "[2001:db8:ffff::1]:5000", []string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1"},
		{"one proxy that says nothing", "10.0.0.1:5000", nil, "10.0.0.1"},
		{"what the caller sent to the proxy is before what the proxy adds", "10.0.0.1:5000", []string{"X-Forwarded-For: 203.0.113.7, 192.0.2.1"}, "192.0.2.1"},
		{"a caller who claims to be a proxy", "10.0.0.1:5000", []string{"X-Forwarded-For: 203.0.113.7, 10.0.0.3, 192.0.2.1"}, "192.0.2.1"},
		{"what is left of the caller is not read", "10.0.0.1:5000", []string{"X-Forwarded-For: nonsense, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "10.0.0.1:5000", []string{"X-Forwarded-For: 203.0.113.7, 192.0.2.1,10.0.0.2"}, "192.0.2.1"},
		{"two lines of a header are one", "10.0.0.1:5000", []string{"X-Forwarded-For: 203.0.113.7, 192.0.2.1", "X-Forwarded-For: 10.0.0.2"}, "192.0.2.1"},
		{"all of them proxies", "10.0.0.1:5000", []string{"X-Forwarded-For: 10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"with ports", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1:4711, 10.0.0.2:80"}, "192.0.2.1"},
		{"IPv6 in brackets, with a port", "10.0.0.1:5000", []string{"X-Forwarded-For: [2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 in brackets", "10.0.0.1:5000", []string{"X-Forwarded-For: [2001:db8::1]"}, "2001:db8::1"},

		{"malformed", "10.0.0.1:5000", []string{"X-Forwarded-For: nonsense"}, "10.0.0.1"},
		{"malformed behind the second proxy", "10.0.0.1:5000", []string{"X-Forwarded-For: nonsense, 10.0.0.2"}, "10.0.0.2"},
		{"empty", "10.0.0.1:5000", []string{"X-Forwarded-For: "}, "10.0.0.1"},
		{"an empty hop", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1, "}, "10.0.0.1"},
		{"unknown", "10.0.0.1:5000", []string{"X-Forwarded-For: unknown"}, "10.0.0.1"},
		{"a name", "10.0.0.1:5000", []string{"X-Forwarded-For: host.example"}, "10.0.0.1"},
		{"as long as may be", "10.0.0.1:5000", []string{"X-Forwarded-For: " + strings.Repeat(",", 4096-9) + "192.0.2.1"}, "192.0.2.1"},
		{"longer", "10.0.0.1:5000", []string{"X-Forwarded-For: " + strings.Repeat(",", 4096-8) + "192.0.2.1"}, "10.0.0.1"},
		{"an empty hop in front, in another line than the caller", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: ,10.0.0.2"}, "10.0.0.2"},
		{"very long", "10.0.0.1:5000", []string{"X-Forwarded-For: " + strings.Repeat("192.0.2.9,", 1000) + "192.0.2.1"}, "10.0.0.1"},

		{"many hops", "10.0.0.1:5000", []string{"X-Forwarded-For: " + strings.Repeat(",", 4000) + "192.0.2.1,10.0.0.2"}, "192.0.2.1"},
		{"as many hops as may be, all of them proxies", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.9" + strings.Repeat(",10.0.0.2", 32)}, "10.0.0.2"},

		{"its many hops", "10.0.0.1:5000", []string{"Forwarded: " + strings.Repeat("for=203.0.113.7,", 40) + "for=192.0.2.1"}, "10.0.0.1"},
		{"the standard header", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1;proto=https;by=10.0.0.1"}, "192.0.2.1"},
		{"its two proxies", "10.0.0.1:5000", []string{"Forwarded: for=203.0.113.7, for=192.0.2.1;proto=https , For=10.0.0.2"}, "192.0.2.1"},
		{"its two lines", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1", "Forwarded: for=10.0.0.2"}, "192.0.2.1"},
		{"its IPv6", "10.0.0.1:5000", []string{`Forwarded: proto=https;for="[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"its IPv6 without port", "10.0.0.1:5000", []string{`Forwarded: for="[2001:db8::1]"; host="a,b;c"`}, "2001:db8::1"},
		{"its hidden hop", "10.0.0.1:5000", []string{"Forwarded: for=_hidden"}, "10.0.0.1"},
		{"its hop that is not named", "10.0.0.1:5000", []string{"Forwarded: proto=https"}, "10.0.0.1"},
		{"its hop that is named twice", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1;for=192.0.2.2"}, "10.0.0.1"},
		{"its open quote, of the caller's", "10.0.0.1:5000", []string{`Forwarded: for="192.0.2.9, for=192.0.2.1`}, "10.0.0.1"},
		{"its comma in quotes, of the caller's", "10.0.0.1:5000", []string{`Forwarded: for="192.0.2.9, for=203.0.113.7", for=192.0.2.1`}, "192.0.2.1"},
		{"its escape", "10.0.0.1:5000", []string{`Forwarded: for="192.0.2.\1"`}, "10.0.0.1"},
		{"its escape, beside the address", "10.0.0.1:5000", []string{`Forwarded: x="\a";for=192.0.2.1`}, "10.0.0.1"},
		{"its open quote, beside the address", "10.0.0.1:5000", []string{`Forwarded: for=192.0.2.1;x="a`}, "10.0.0.1"},
		{"its name without a value", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1;x"}, "10.0.0.1"},
		{"its value without a name", "10.0.0.1:5000", []string{"Forwarded: =x;for=192.0.2.1"}, "10.0.0.1"},
		{"its name with a space", "10.0.0.1:5000", []string{"Forwarded: x y=z;for=192.0.2.1"}, "10.0.0.1"},
		{"its space inside", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1 x"}, "10.0.0.1"},
		{"its value left out", "10.0.0.1:5000", []string{"Forwarded: for"}, "10.0.0.1"},
		{"its empty value, of the caller's", "10.0.0.1:5000", []string{"Forwarded: for=,for=192.0.2.1"}, "192.0.2.1"},
		{"its hop that is not named, behind a line of the caller's", "10.0.0.1:5000", []string{"Forwarded: for=203.0.113.7", "Forwarded: proto=https"}, "10.0.0.1"},
		{"its many hops, behind a line of the caller's", "10.0.0.1:5000", []string{"Forwarded: for=203.0.113.7", "Forwarded: " + strings.Repeat("for=10.0.0.2,", 40) + "for=10.0.0.2"}, "10.0.0.1"},
		{"its last hop empty", "10.0.0.1:5000", []string{"Forwarded: for=192.0.2.1,"}, "10.0.0.1"},

		{"both headers of one mind", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1"}, "192.0.2.1"},
		{"both headers, one of them the caller's", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=203.0.113.7"}, "10.0.0.1"},
		{"both headers, one of them malformed", "10.0.0.1:5000", []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: x"}, "10.0.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			for _, h := range tt.headers {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Add(name, value)
			}
			got := forwarded.Caller(r, proxies)
			if want, _ := netip.ParseAddr(tt.want); got != want {
				t.Errorf("caller = %v, want %v", got, want)
			}
		})
	}
}

// Whatever a header says, without proxies the connection alone counts.
func TestCaller_NoProxies(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"10.0.0.1:1", "127.0.0.1:1", "[::1]:1"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("Forwarded", "for=192.0.2.1")
		if got, want := forwarded.Caller(r, nil), netip.MustParseAddrPort(remote).Addr(); got != want {
			t.Errorf("caller = %v, want %v", got, want)
		}
	}
}

// FuzzCaller: no header makes a caller of nothing, nor of a proxy's word that
// is not in it.
func FuzzCaller(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.2", `for=192.0.2.1;proto=https, for="[2001:db8::1]:80"`)
	f.Add("", `for="`)
	f.Fuzz(func(t *testing.T, plain, standard string) {
		for _, r := range []*http.Request{
			{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {plain}}},
			{RemoteAddr: "10.0.0.1:1", Header: http.Header{"Forwarded": {standard}}},
			{RemoteAddr: "10.0.0.1:1", Header: http.Header{"Forwarded": {standard}, "X-Forwarded-For": {plain}}},
		} {
			if got := forwarded.Caller(r, proxies); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Errorf("caller = %v", got)
			}
		}
		r := &http.Request{RemoteAddr: "192.0.2.1:1", Header: http.Header{"Forwarded": {standard}, "X-Forwarded-For": {plain}}}
		if got := forwarded.Caller(r, proxies).String(); got != "192.0.2.1" {
			t.Errorf("caller = %s by headers of its own", got)
		}
		// Whatever the caller has sent, what the proxy adds is the caller.
		r = &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {plain + ", 192.0.2.1"}}}
		if got := forwarded.Caller(r, proxies).String(); got != "192.0.2.1" && len(plain) < 4000 {
			t.Errorf("caller = %s, want the one that the proxy names", got)
		}
	})
}
