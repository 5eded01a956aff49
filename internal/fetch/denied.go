package fetch

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/quote"
)

// denied is where an operator lets nobody be sent, besides the addresses that are
// not publicly routable.
type denied struct {
	prefixes []netip.Prefix
	hosts    []string // in lower case
}

func newDenied(prefixes []netip.Prefix, hosts []string) denied {
	d := denied{prefixes: slices.Clone(prefixes)}
	for _, host := range hosts {
		d.hosts = append(d.hosts, canonicalHost(host))
	}
	return d
}

// canonicalHost is the form in which host names are compared.
func canonicalHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

func (d denied) checkAddr(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("") // with a zone no prefix would contain it
	for _, p := range d.prefixes {
		if p.Contains(addr) {
			return fmt.Errorf("%w: %s: denied by the configuration, in %s", ErrForbiddenAddress, addr, p)
		}
	}
	return nil
}

// checkHost refuses a name that is denied or below one that is.
func (d denied) checkHost(host string) error {
	host = canonicalHost(host)
	for _, name := range d.hosts {
		if host == name || strings.HasSuffix(host, "."+name) {
			return fmt.Errorf("%w: host %s: denied by the configuration, as %s", ErrForbiddenAddress, quote.Value(host), quote.Value(name))
		}
	}
	return nil
}

// CheckDenied returns nil if prefixes and hosts are such as can be denied, and
// otherwise says which one is not and why: an entry that matches nothing would
// protect nothing.
func CheckDenied(prefixes []netip.Prefix, hosts []string) error {
	for _, p := range prefixes {
		if err := CheckPrefix(p); err != nil {
			return err
		}
	}
	for _, host := range hosts {
		if err := checkDeniedHost(host); err != nil {
			return err
		}
	}
	return nil
}

// CheckPrefix returns nil if p can contain an address as connections have it.
func CheckPrefix(p netip.Prefix) error {
	switch {
	case !p.IsValid():
		return fmt.Errorf("got %q, want a prefix such as 203.0.113.0/24", p.String())
	case p.Addr().Is4In6():
		return fmt.Errorf("got %s, want the IPv4 form of the addresses, such as 203.0.113.0/24", p)
	}
	return nil
}

func checkDeniedHost(host string) error {
	const want = "want a name such as example.com, which stands for all names below it, too"
	name := canonicalHost(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("got the address %s, want a name: addresses are denied by their prefix", quote.Value(host))
	}
	if !isHostName(name) {
		return fmt.Errorf("got %s, %s (in its ASCII form)", quote.Value(host), want)
	}
	return nil
}

// isHostName says whether name, in lower case, has the form of a host's name.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 253
}
