package grpcauth

import (
	"context"
	"net/http"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// withCaller gives a call's context the address that the call came from, as an
// HTTP request's would be found: of the connection, or what the proxies named in
// [oidcauth.Config.Proxies] say.
func (g *Guard) withCaller(ctx context.Context) context.Context {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ctx
	}
	r := &http.Request{RemoteAddr: p.Addr.String(), Header: http.Header{}}
	md, _ := metadata.FromIncomingContext(ctx)
	for key, header := range map[string]string{"x-forwarded-for": "X-Forwarded-For", "forwarded": "Forwarded"} {
		if lines := md.Get(key); len(lines) > 0 {
			r.Header[header] = lines
		}
	}
	return g.auth.CallerContext(r.WithContext(ctx))
}
