package fetch_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/dnstest"
	"github.com/oidcauth/oidcauth/internal/fetch"
)

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// A name is denied with all below it, however it is spelt, and no other is.
func TestDenyHosts(t *testing.T) {
	t.Parallel()
	c := newClient(t, fetch.Config{PublicOnly: true, DenyHosts: []string{"corp.example", "WIKI.test.", "deep.down.test"}})
	for host, denied := range map[string]bool{
		"corp.example": true, "corp.example.": true, "CORP.Example": true, "git.corp.example": true, "a.b.corp.example.": true,
		"wiki.test": true, "x.wiki.test": true, "deep.down.test": true, "a.deep.down.test": true,
		"notcorp.example": false, "corp.example.org": false, "example": false, "down.test": false, "xdeep.down.test": false,
	} {
		err := c.CheckURL("https://" + host + "/keys")
		if errors.Is(err, fetch.ErrForbiddenAddress) != denied {
			t.Errorf("CheckURL(%s) error = %v, want denied %v", host, err, denied)
		}
	}
}

// What is dialled counts, after resolution, at whatever address of the prefix,
// and neither the test's exemption nor the address being public helps.
func TestDenyPrefixes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, addr string
		deny       []netip.Prefix
		denied     bool
	}{
		{"nothing denied", "127.0.0.1", nil, false},
		{"the address", "127.0.0.1", prefixes("127.0.0.1/32"), true},
		{"its network, written by an address within", "127.0.0.1", prefixes("203.0.114.0/24", "127.9.9.9/8"), true},
		{"another network", "127.0.0.1", prefixes("127.0.0.2/31", "2001:db8::/32"), false},
		{"everything of IPv4", "127.0.0.1", prefixes("0.0.0.0/0"), true},
		{"everything of IPv6", "127.0.0.1", prefixes("::/0"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := newCounting(t, tt.addr+":0", document)
			c := newClient(t, fetch.Config{
				PublicOnly: true, DenyPrefixes: tt.deny, HTTP: &http.Client{Transport: srv.trusting()},
				Resolver: dnstest.Always(tt.addr).Resolver(t), Permit: func(a netip.AddrPort) bool { return a == srv.addr() },
			})
			_, port, _ := strings.Cut(srv.Listener.Addr().String(), ":")
			_, err := c.Get(t.Context(), "https://issuer.example.com:"+port+"/", fetch.Request{})
			if errors.Is(err, fetch.ErrForbiddenAddress) != tt.denied || (err == nil) == tt.denied {
				t.Errorf("Get() error = %v (%v), want denied %v", err, fetch.Cause(err), tt.denied)
			}
			if n := srv.accepted.Load(); (n == 0) != tt.denied {
				t.Errorf("%d connections, want denied %v", n, tt.denied)
			}
			if tt.denied && err.Error() != uniform {
				t.Errorf("Get() error reads %q, want %q", err, uniform)
			}
		})
	}
	t.Run("public addresses of both families", func(t *testing.T) {
		for addr, denied := range map[string]bool{
			"8.8.8.8": true, "8.8.4.4": false, "2606:4700:4700::1111": true, "2606:4700:4701::1": false,
		} {
			c := newClient(t, fetch.Config{
				PublicOnly: true, Resolver: dnstest.Always(addr).Resolver(t),
				DenyPrefixes: prefixes("8.8.8.0/24", "2606:4700:4700::/48"),
			})
			if denied {
				_, err := c.Get(t.Context(), "https://issuer.example.com/", fetch.Request{})
				if !errors.Is(err, fetch.ErrForbiddenAddress) || !strings.Contains(fetch.Cause(err).Error(), "denied by the configuration") {
					t.Errorf("Get() from %s error = %v (%v), want it denied", addr, err, fetch.Cause(err))
				}
			}
		}
	})
}

func TestCheckDenied(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		prefixes []netip.Prefix
		hosts    []string
		want     string // in the error; empty if it is fine
	}{
		{"networks and names", prefixes("203.0.113.0/24", "2001:db8::/32", "0.0.0.0/0"), []string{"corp.example", "localhost", "xn--bcher-kva.example", "_srv.example."}, ""},
		{"no network", []netip.Prefix{{}}, nil, "want a prefix"},
		{"IPv4 as IPv6", prefixes("::ffff:203.0.113.0/120"), nil, "IPv4 form"},
		{"no name", nil, []string{""}, "want a name"},
		{"only a dot", nil, []string{"."}, "want a name"},
		{"a dot in front", nil, []string{".corp.example"}, "want a name"},
		{"a wildcard", nil, []string{"*.corp.example"}, "want a name"},
		{"a URL", nil, []string{"https://corp.example"}, "want a name"},
		{"a port", nil, []string{"corp.example:443"}, "want a name"},
		{"white space", nil, []string{"corp.example "}, "want a name"},
		{"not ASCII", nil, []string{"bücher.example"}, "ASCII"},
		{"an address", nil, []string{"203.0.113.1"}, "by their prefix"},
		{"an IPv6 address", nil, []string{"2001:db8::1"}, "by their prefix"},
		{"the longest name", nil, []string{strings.Repeat("a.", 123) + "example"}, ""},
		{"a longer name", nil, []string{strings.Repeat("a.", 123) + "examples"}, "want a name"},
		{"too long", nil, []string{strings.Repeat("a.", 127) + "example"}, "want a name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fetch.New(fetch.Config{PublicOnly: true, DenyPrefixes: tt.prefixes, DenyHosts: tt.hosts})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New() error = %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := fetch.New(fetch.Config{DenyHosts: []string{"corp.example"}}); err == nil {
		t.Error("New() error = nil for hosts denied to a client that is not guarded")
	}
}
