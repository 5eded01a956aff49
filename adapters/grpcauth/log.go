package grpcauth

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/reply"
)

// attrsOf describes a call that err refuses, as [oidcauth.Authenticator.Refuse] describes
// a request, but for its client: which proxies are believed is not known here.
func attrsOf(ctx context.Context, method string, err error) []slog.Attr {
	md, _ := metadata.FromIncomingContext(ctx)
	attrs := reply.Attrs(&http.Request{Method: method, Header: http.Header{"X-Request-Id": md.Get("x-request-id")}}, netip.Addr{})
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	bearer := refusal.BearerOf(err)
	if c, ok := oidcauth.FromContext(ctx); ok && bearer.Issuer == "" { // whom the handler refused
		bearer.Issuer, bearer.Subject = c.Issuer(), c.Subject()
	}
	return append(attrs, reply.Bearer(bearer.Issuer, bearer.Subject)...)
}
