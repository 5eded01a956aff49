package forwarded

import (
	"context"
	"net/http"
	"net/netip"
)

type trustKey struct{}

// WithTrust returns the request with whether it comes from a proxy whose word counts,
// for [IsTrusted].
func WithTrust(r *http.Request, proxies []netip.Prefix) *http.Request {
	addr, ok := parseHop(r.RemoteAddr)
	trusted := ok && contain(proxies, addr)
	return r.WithContext(context.WithValue(r.Context(), trustKey{}, trusted))
}

// IsTrusted reports whether the request that the context is of comes from a proxy
// whose word counts. It is false of a request that nobody has looked at.
func IsTrusted(ctx context.Context) bool {
	trusted, _ := ctx.Value(trustKey{}).(bool)
	return trusted
}
