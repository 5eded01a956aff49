package oidcauth

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/oidcauth/oidcauth/internal/fetch"
	"github.com/oidcauth/oidcauth/internal/forwarded"
	"github.com/oidcauth/oidcauth/internal/strangers"
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
	return WithCallerAddr(ctx, forwarded.Caller(r, a.proxies))
}
