package grpcauth

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc"
	transport "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth/possession"
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
	for _, is := range [...]struct{ key, header string }{{"x-forwarded-for", "X-Forwarded-For"}, {"forwarded", "Forwarded"}} {
		if lines := metadata.ValueFromIncomingContext(ctx, is.key); len(lines) > 0 {
			r.Header[is.header] = lines
		}
	}
	return g.auth.CallerContext(r.WithContext(ctx))
}

// complete adds to what came beside a token what the call and its connection say.
func (g *Guard) complete(ctx context.Context, p *possession.Proof, method string) {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}}
	if conn, ok := peer.FromContext(ctx); ok {
		if info, ok := conn.AuthInfo.(transport.TLSInfo); ok {
			r.TLS = &info.State
			if chain := info.State.PeerCertificates; len(chain) > 0 {
				p.Certificate = chain[0]
			}
		}
	}
	if values := metadata.ValueFromIncomingContext(ctx, ":authority"); len(values) == 1 {
		r.Host = values[0]
	}
	p.Method, p.URL = r.Method, possession.URL(r)
}

// offerNonce tells a client that proves its key the nonce for its next proof.
func (g *Guard) offerNonce(ctx context.Context, p possession.Proof, err error) {
	if g.dpop == nil || !p.IsDPoP() {
		return
	}
	nonce := g.dpop.Nonce()
	if nonce == "" {
		return
	}
	// An error says that the call is over, or none of gRPC's, and nobody is told.
	if pair := metadata.Pairs(keyNonce, nonce); err == nil {
		grpc.SetHeader(ctx, pair)
	} else {
		grpc.SetTrailer(ctx, pair)
	}
}
