package main

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// checkAddr reports an address of another form than those to listen on. An empty port, of
// a variable that was empty for instance, would be any free one, which nobody would find.
func checkAddr(ctx context.Context, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil && port == "" {
		return usagef("address %s: the port is empty: want HOST:PORT, such as %s", quoteArgument(addr), defaultAddr)
	}
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return usagef("address %s: want HOST:PORT, such as %s, or :PORT for all interfaces", quoteArgument(addr), defaultAddr)
	}
	return nil
}

// checkAddrs reports addresses of both listeners that are none, or cannot be had together.
func (file *fileConfig) checkAddrs(ctx context.Context) error {
	main := firstOf(file.Addr, defaultAddr)
	var wrong several
	wrong.add(checkAddr(ctx, main))
	wrong.add(file.Admin.checkAddr(ctx, main))
	return wrong.err()
}

// collide reports whether two listeners cannot have these addresses: their port is the
// same, and so is their host, or one of them is all hosts.
func collide(ctx context.Context, one, other string) bool {
	hostA, portA, errA := net.SplitHostPort(one)
	hostB, portB, errB := net.SplitHostPort(other)
	if errA != nil || errB != nil {
		return false
	}
	a, errA := net.DefaultResolver.LookupPort(ctx, "tcp", portA)
	b, errB := net.DefaultResolver.LookupPort(ctx, "tcp", portB)
	if errA != nil || errB != nil || a != b || a == 0 {
		return false
	}
	return strings.EqualFold(hostA, hostB) || isEveryHost(hostA) || isEveryHost(hostB)
}

// isEveryHost reports whether a listener at the host is at all of this machine's addresses,
// of IPv4 and of IPv6.
func isEveryHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}
