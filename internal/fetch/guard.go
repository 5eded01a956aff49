package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const publicPort = 443

// guard connects to publicly routable addresses only. It looks at the address
// that is about to be dialled, so a name that resolves differently from one
// moment to the next gains nothing.
type guard struct {
	dialer net.Dialer
	denied denied
	permit func(netip.AddrPort) bool
}

func newGuard(cfg Config, timeout time.Duration) *guard {
	g := &guard{denied: newDenied(cfg.DenyPrefixes, cfg.DenyHosts), permit: cfg.Permit}
	g.dialer = net.Dialer{
		Timeout:        timeout,
		KeepAlive:      30 * time.Second,
		Resolver:       cfg.Resolver,
		ControlContext: g.control,
	}
	return g
}

// dial connects to address. It has a time limit besides that of ctx, because
// net/http lets a dial go on when the request that began it is gone.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if err := g.denied.checkHost(host); err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err != nil && !strings.HasSuffix(host, ".") {
		// A rooted name is not completed with this machine's own domains.
		host += "."
	}
	return g.dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// control runs for each socket before it connects.
func (g *guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s %s", ErrForbiddenAddress, network, quote.Value(address))
	}
	return g.check(target)
}

func (g *guard) check(target netip.AddrPort) error {
	if err := g.denied.checkAddr(target.Addr()); err != nil {
		return err
	}
	if g.permit != nil && g.permit(target) {
		return nil
	}
	if reason := refusal(target.Addr()); reason != "" {
		return fmt.Errorf("%w: %s: %s", ErrForbiddenAddress, target.Addr(), reason)
	}
	if target.Port() != publicPort {
		return fmt.Errorf("%w: port %d, want %d", ErrForbiddenAddress, target.Port(), publicPort)
	}
	return nil
}

// checkHost refuses what needs no lookup to be refused.
func (g *guard) checkHost(u *url.URL) error {
	if err := g.denied.checkHost(u.Hostname()); err != nil {
		return err
	}
	if target, err := netip.ParseAddrPort(hostPort(u)); err == nil {
		if g.permit != nil && g.permit(target) {
			return nil
		}
		return fmt.Errorf("%w: host of %s is an address, want a name", ErrForbiddenAddress, show(u))
	}
	if g.permit == nil && effectivePort(u) != "443" {
		return fmt.Errorf("%w: port of %s, want %d", ErrForbiddenAddress, show(u), publicPort)
	}
	return nil
}
