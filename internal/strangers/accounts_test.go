package strangers_test

import (
	"net/netip"
	"testing"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// Neighbours in an IPv6 network are one caller, and all of IPv4 is not.
func TestAccount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		one  bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:0:0:2", true},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1", true},
		{"64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false},
		{"64:ff9b:1:fffe::192.0.2.1", "64:ff9b:1:fffe::192.0.2.2", false},
		{"64:ff9b::1:0:1", "64:ff9b::2:0:1", true}, // no such address is translated
		{"64:ff9b:2::1", "64:ff9b:2::2", true},
	} {
		a, b := strangers.Account(netip.MustParseAddr(tt.a)), strangers.Account(netip.MustParseAddr(tt.b))
		if (a == b) != tt.one {
			t.Errorf("%s is on the account %v, %s on %v, want one: %v", tt.a, a, tt.b, b, tt.one)
		}
	}
	if strangers.Account(netip.Addr{}) != (netip.Addr{}) {
		t.Error("no address is on an account of its own")
	}
}
