package oidcauth_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// behindProxies is an Authenticator whose proxies are 10.0.0.0/8 and
// 2001:db8:ffff::/48.
func behindProxies(t testing.TB) *oidcauth.Authenticator {
	return newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{testAudience}}},
		Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")},
	})
}

func TestConfig_Proxies(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "", "10.1.2.3/8": "", "2001:db8::/32": "", "0.0.0.0/0": "", "": "Config.Proxies", "::ffff:10.0.0.0/104": "IPv4 form",
	} {
		prefix, _ := netip.ParsePrefix(text)
		a, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{testAudience}}},
			Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), prefix},
		})
		if err == nil {
			a.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("New() with proxy %q error = %v, want one with %q", text, err, want)
		}
	}
}
