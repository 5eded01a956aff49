package oidcauth

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"context"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// What is read of a header about the way that a request took.
const (
	maxForwarded = 4096 // bytes of a line
	maxHops      = 32   // in a line
)

// checkProxies reports a proxy that could never be recognized.
func (cfg *Config) checkProxies() error {
	for _, p := range cfg.Proxies {
		if err := fetch.CheckPrefix(p); err != nil {
			return fmt.Errorf("oidcauth: Config.Proxies: %w", err)
		}
	}
	return nil
}

// callerAddr returns the address that a request came from: of the connection, or
// what proxies that are trusted say was before them, from the last to the first.
// It is the address of the last proxy whose word can be followed where a header
// is malformed, or X-Forwarded-For and Forwarded (RFC 7239) tell different
// stories, of which one may be the caller's own. It is zero when not even the
// connection has an address.
func (a *Authenticator) callerAddr(r *http.Request) netip.Addr {
	addr, ok := parseHop(r.RemoteAddr)
	if !ok || !a.isProxy(addr) {
		return addr
	}
	plain := r.Header["X-Forwarded-For"]
	standard := r.Header["Forwarded"]
	switch {
	case len(standard) == 0:
		return a.followHops(addr, plain, forwardedForHops)
	case len(plain) == 0:
		return a.followHops(addr, standard, forwardedHops)
	}
	one, other := a.followHops(addr, plain, forwardedForHops), a.followHops(addr, standard, forwardedHops)
	if one != other {
		return addr
	}
	return one
}

// followHops goes back over the hops that a header's lines list, as long as they
// are proxies. hops takes a line apart, the last hop in front.
func (a *Authenticator) followHops(addr netip.Addr, lines []string, hops func(line string) ([]string, bool)) netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		if len(lines[i]) > maxForwarded {
			return addr
		}
		list, ok := hops(lines[i])
		if !ok {
			return addr
		}
		for _, text := range list {
			hop, ok := parseHop(text)
			if !ok {
				return addr
			}
			if addr = hop; !a.isProxy(hop) {
				return hop
			}
		}
	}
	return addr
}

func (a *Authenticator) isProxy(addr netip.Addr) bool {
	for _, p := range a.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseHop reads an address, which may have a port, in the one form that is
// compared.
func parseHop(text string) (netip.Addr, bool) {
	bare := text
	if len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']' {
		bare = text[1 : len(text)-1]
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		withPort, portErr := netip.ParseAddrPort(text)
		addr, err = withPort.Addr(), portErr
	}
	return addr.Unmap().WithZone(""), err == nil
}

// forwardedForHops returns the hops in a line of X-Forwarded-For. What is more than
// may be was sent by the caller, and no proxy's word.
func forwardedForHops(line string) ([]string, bool) {
	var hops []string
	for len(hops) < maxHops {
		comma := strings.LastIndexByte(line, ',')
		hops = append(hops, strings.Trim(line[comma+1:], " \t"))
		if comma < 0 {
			break
		}
		line = line[:comma]
	}
	return hops, true
}

// forwardedHops returns the "for" of each element of a line of Forwarded. It is
// false when the line is malformed, or when an element has not exactly one.
func forwardedHops(line string) ([]string, bool) {
	var hops []string
	hop, found := "", false
	for rest := line; ; {
		name, value, next, ok := forwardedPair(rest)
		if !ok || strings.EqualFold(name, "for") && found {
			return nil, false
		}
		if strings.EqualFold(name, "for") {
			hop, found = value, true
		}
		if next == "" || next[0] == ',' {
			if !found {
				return nil, false
			}
			hops = append(hops, hop)
			found = false
		}
		if next == "" {
			slices.Reverse(hops)
			return hops, true
		}
		if len(hops) == maxHops {
			return nil, false
		}
		rest = next[1:]
	}
}

// forwardedPair takes one name=value off a line of Forwarded. next begins with the
// separator behind it, or is empty.
func forwardedPair(line string) (name, value, next string, ok bool) {
	name, rest, ok := strings.Cut(strings.TrimLeft(line, " \t"), "=")
	if !ok || name == "" || strings.ContainsAny(name, "\" \t,;") {
		return "", "", "", false
	}
	if quoted, is := strings.CutPrefix(rest, `"`); is {
		// No address needs an escape: what has one is followed no further.
		if value, rest, ok = strings.Cut(quoted, `"`); !ok || strings.Contains(value, `\`) {
			return "", "", "", false
		}
	} else {
		end := strings.IndexAny(rest, ",; \t\"")
		if end < 0 {
			end = len(rest)
		}
		value, rest = rest[:end], rest[end:]
	}
	rest = strings.TrimLeft(rest, " \t")
	return name, value, rest, rest == "" || rest[0] == ',' || rest[0] == ';'
}

// callerAddrKey finds the address in a context of [WithCallerAddr].
type callerAddrKey struct{}

// WithCallerAddr returns a context for a call from addr, which is what
// [AnyIssuer] accounts the work to that the call's token causes. It is for programs
// outside net/http, and for those that know better than the connection does: behind
// a proxy on a Unix socket, for instance. Within net/http see
// [Authenticator.CallerContext]. Give the address of the caller, not of a proxy. The
// zero address stands for all callers whose address is not known.
func WithCallerAddr(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, callerAddrKey{}, addr)
}

// callerAddrOf returns the account of the caller that ctx is for.
func callerAddrOf(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(callerAddrKey{}).(netip.Addr)
	return strangers.Account(addr)
}

// CallerContext returns the request's context with the caller's address, as
// [WithCallerAddr] has it, unless it has one already or none is needed. It is for
// handlers that take a token from a request themselves and give it to
// [Authenticator.Authenticate]; where [Authenticator.Middleware],
// [Authenticator.Optional] or [Authenticator.AuthenticateRequest] sees the request
// first, there is nothing left to do. The address is that of the connection, or,
// where that is one of [Config.Proxies], of whoever the proxy names.
func (a *Authenticator) CallerContext(r *http.Request) context.Context {
	ctx := r.Context()
	if a.anyone == nil || ctx.Value(callerAddrKey{}) != nil {
		return ctx
	}
	return WithCallerAddr(ctx, a.callerAddr(r))
}
