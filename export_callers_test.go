package oidcauth

import (
	"context"
	"net/netip"
)

// CallerAccount is what a call with ctx is accounted to.
func CallerAccount(ctx context.Context) netip.Addr { return callerAddrOf(ctx) }
