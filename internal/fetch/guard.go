package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/oidcauth/oidcauth/internal/quote"
)

const (
	publicPort = 443

	// maxAddresses is how many addresses of each kind are dialled for one connection,
	// whatever a stranger's name resolves to: they may be other people's machines.
	maxAddresses = 8
)

// attempts counts the addresses that were dialled for one connection, at the same time
// those of either kind.
type attempts struct{ v4, v6 atomic.Int32 }

type attemptsKey struct{}

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
	ctx = context.WithValue(ctx, attemptsKey{}, new(attempts))
	return g.dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// control runs for each socket before it connects.
func (g *guard) control(ctx context.Context, network, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s %s", ErrForbiddenAddress, network, quote.Value(address))
	}
	if n, ok := ctx.Value(attemptsKey{}).(*attempts); ok && n.add(target.Addr()) > maxAddresses {
		return fmt.Errorf("%w: %s is one of more addresses than are tried", ErrForbiddenAddress, target.Addr())
	}
	return g.check(target)
}

// add counts one more address, and returns how many of its kind there were.
func (n *attempts) add(addr netip.Addr) int32 {
	if addr.Is4() {
		return n.v4.Add(1)
	}
	return n.v6.Add(1)
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
