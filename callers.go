package oidcauth

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/oidcauth/oidcauth/internal/strangers"
)

// callerAddrKey finds the address in a context of [WithCallerAddr].
type callerAddrKey struct{}

// WithCallerAddr returns a context for a call from addr, which is what
// [AnyIssuer] accounts the work to that the call's token causes. Programs outside
// net/http need it; within, [Authenticator.Middleware] and
// [Authenticator.AuthenticateRequest] see to it, unless the request's context has
// an address already. Give the address of the caller, not of a proxy. The zero
// address stands for all callers of whom none is known.
func WithCallerAddr(ctx context.Context, addr netip.Addr) context.Context {
	return context.WithValue(ctx, callerAddrKey{}, addr)
}

// callerAddrOf returns the account of the caller that ctx is for.
func callerAddrOf(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(callerAddrKey{}).(netip.Addr)
	return strangers.Account(addr)
}

// callerContext returns the request's context with the caller's address, where
// that matters.
func (a *Authenticator) callerContext(r *http.Request) context.Context {
	ctx := r.Context()
	if a.anyone == nil || ctx.Value(callerAddrKey{}) != nil {
		return ctx
	}
	return WithCallerAddr(ctx, a.callerAddr(r))
}
