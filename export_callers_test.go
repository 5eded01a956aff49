package oidcauth

import (
	"context"
	"net/http"
	"net/netip"
)

// CallerAddr is where a takes the request to come from.
func CallerAddr(a *Authenticator, r *http.Request) netip.Addr { return a.callerAddr(r) }

// CallerAccount is what a call with ctx is accounted to.
func CallerAccount(ctx context.Context) netip.Addr { return callerAddrOf(ctx) }
