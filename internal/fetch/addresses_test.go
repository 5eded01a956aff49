package fetch_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/fetch"
)

// refused are addresses that a public issuer cannot have, each with the word
// that its reason must contain.
var refused = []struct{ addr, reason string }{
	{"0.0.0.0", "this network"},
	{"0.1.2.3", "this network"},
	{"10.0.0.0", "private"},
	{"10.255.255.255", "private"},
	{"100.64.0.1", "shared"},
	{"100.100.100.200", "shared"}, // metadata at Alibaba Cloud
	{"100.127.255.255", "shared"},
	{"127.0.0.1", "loopback"},
	{"127.255.255.255", "loopback"},
	{"168.63.129.16", "metadata"},
	{"169.254.0.1", "link-local"},
	{"169.254.169.254", "metadata"},
	{"169.254.255.255", "link-local"},
	{"172.16.0.0", "private"},
	{"172.31.255.255", "private"},
	{"192.0.0.1", "IETF"},
	{"192.0.0.192", "IETF"}, // metadata at Oracle Cloud
	{"192.0.2.1", "documentation"},
	{"192.31.196.1", "AS112"},
	{"192.52.193.1", "tunnelling"},
	{"192.88.99.1", "6to4"},
	{"192.168.0.0", "private"},
	{"192.168.255.255", "private"},
	{"192.175.48.1", "AS112"},
	{"198.18.0.0", "benchmarking"},
	{"198.19.255.255", "benchmarking"},
	{"198.51.100.1", "documentation"},
	{"203.0.113.1", "documentation"},
	{"224.0.0.1", "multicast"},
	{"239.255.255.255", "multicast"},
	{"240.0.0.1", "reserved"},
	{"255.255.255.254", "reserved"},
	{"255.255.255.255", "broadcast"},

	{"::", "unspecified"},
	{"::1", "loopback"},
	{"::2", "IPv4-compatible"},
	{"::127.0.0.1", "IPv4-compatible"},
	{"::ffff:127.0.0.1", "IPv4-mapped"},
	{"::ffff:169.254.169.254", "IPv4-mapped"},
	{"::ffff:8.8.8.8", "IPv4-mapped"},
	{"::ffff:0:127.0.0.1", "IPv4-translated"},
	{"64:ff9b::127.0.0.1", "translation"},
	{"64:ff9b::8.8.8.8", "translation"},
	{"64:ff9b:1::1", "translation"},
	{"64:ff9b:1:ffff::1", "translation"},
	{"64:ff9b:2::1", "not global"},
	{"100::1", "discard"},
	{"100:0:0:1::1", "dummy"},
	{"2001::1", "Teredo"},
	{"2001:0:ffff::1", "Teredo"},
	{"2001:1::1", "IETF"},
	{"2001:2::1", "benchmarking"},
	{"2001:20::1", "IETF"},
	{"2001:1ff::1", "IETF"},
	{"2001:db8::1", "documentation"},
	{"2002:7f00:1::", "6to4"},
	{"2002:0808:0808::1", "6to4"},
	{"2620:4f:8000::1", "AS112"},
	{"3fff::1", "documentation"},
	{"3fff:fff::1", "documentation"},
	{"4000::1", "not global"},
	{"5f00::1", "segment routing"},
	{"fc00::1", "unique-local"},
	{"fd00:ec2::254", "metadata"},
	{"fdff::1", "unique-local"},
	{"fe80::1", "link-local"},
	{"fe80::1%eth0", "zone"},
	{"febf::1", "link-local"},
	{"fec0::1", "site-local"},
	{"feff::1", "site-local"},
	{"ff02::1", "multicast"},
	{"2606:4700::1%eth0", "zone"},
}

// public are addresses on either side of the refused ones.
var public = []string{
	"1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
	"126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255",
	"192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
	"198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
	"2000::1", "2001:200::1", "2001:db7::1", "2001:db9::1", "2001:4860:4860::8888", "2003::1",
	"2606:4700:4700::1111", "2620:4f:8001::1", "2a00:1450:4001::1", "3ffe::1", "3fff:1000::1",
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	for _, tt := range refused {
		if got := fetch.Refusal(netip.MustParseAddr(tt.addr)); !strings.Contains(got, tt.reason) {
			t.Errorf("Refusal(%s) = %q, want one with %q", tt.addr, got, tt.reason)
		}
	}
	for _, addr := range public {
		if got := fetch.Refusal(netip.MustParseAddr(addr)); got != "" {
			t.Errorf("Refusal(%s) = %q, want none", addr, got)
		}
	}
	if fetch.Refusal(netip.Addr{}) == "" {
		t.Error("the zero address is not refused")
	}
}
