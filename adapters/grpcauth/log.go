package grpcauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/extract"
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
	return append(append(attrs, hintOf(md, err)...), reply.Bearer(bearer.Issuer, bearer.Subject)...)
}

// hintOf says where the token may be of a call that seemed to have none: many clients
// forget the scheme, or send it under a key of their own.
func hintOf(md metadata.MD, err error) []slog.Attr {
	if !errors.Is(err, oidcauth.ErrNoToken) {
		return nil
	}
	header := make(http.Header, len(md))
	for key, values := range md {
		header[http.CanonicalHeaderKey(key)] = values
	}
	place, _ := extract.Elsewhere(&http.Request{Header: header})
	if place == "" {
		return nil
	}
	remedy := `a client sends "authorization: Bearer <token>"`
	if slices.ContainsFunc(md[keyAuthorization], isDPoP) { // the program's matter: as a bearer token it would be refused
		remedy = `the scheme DPoP counts with Config.DPoP, and needs a proof in "dpop"`
	}
	return []slog.Attr{slog.String("hint", "there seems to be one in "+place+", where nobody looked: "+remedy)}
}
