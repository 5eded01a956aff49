package oidcauth

import (
	"net"
	"net/netip"
)

// WithNetwork returns o with names looked up by resolver, and with the addresses
// that permit names exempt from the rule that only public ones are contacted.
func WithNetwork(o AnyIssuer, resolver *net.Resolver, permit func(netip.AddrPort) bool) *AnyIssuer {
	o.resolver, o.permit = resolver, permit
	return &o
}

// OpenIssuers counts the issuers that AnyIssuer remembers.
func OpenIssuers(a *Authenticator) (known, proven, failed int) {
	x := a.anyone.issuers
	return sizeOf(x, "table", "issuers"), sizeOf(x, "table", "proven", "len"), sizeOf(x, "failed", "order", "len")
}

// Live reports whether the key that signed the token is still trusted.
func Live(a *Authenticator, c *Claims) bool { return c.key.Live(a.now()) }
