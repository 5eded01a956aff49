package dnstest_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth/internal/dnstest"
)

func TestServer(t *testing.T) {
	first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	s := dnstest.New(func(name string, times int) []netip.Addr {
		switch {
		case name != "a.example":
			return nil
		case times == 1:
			return []netip.Addr{first, second}
		}
		return []netip.Addr{second}
	})
	resolver := s.Resolver(t)
	for _, want := range [][]netip.Addr{{first, second}, {second}, {second}} {
		got, err := resolver.LookupNetIP(t.Context(), "ip", "a.example.")
		slices.SortFunc(got, netip.Addr.Compare)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("LookupNetIP() = %v, %v, want %v", got, err, want)
		}
	}
	var failure *net.DNSError
	if got, err := resolver.LookupNetIP(t.Context(), "ip", "b.example."); !errors.As(err, &failure) || !failure.IsNotFound {
		t.Errorf("LookupNetIP() of another name = %v, %v, want not found", got, err)
	}
	if got, want := s.Names(), []string{"a.example", "a.example", "a.example", "b.example"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
}
