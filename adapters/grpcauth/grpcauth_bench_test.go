package grpcauth_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

// What a call with a token that was seen before costs.
func BenchmarkUnary(b *testing.B) {
	w := newWorld(b, grpcauth.Config{}, nil, nil)
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: w.auth})
	if err != nil {
		b.Fatal(err)
	}
	md := metadata.Pairs("authorization", "Bearer "+w.issuer.Token(nil), ":authority", "db.example.com",
		"content-type", "application/grpc", "user-agent", "grpc-go/1.85.0", "grpc-accept-encoding", "gzip", "x-request-id", "7")
	ctx := peer.NewContext(metadata.NewIncomingContext(b.Context(), md), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}})
	info := &grpc.UnaryServerInfo{FullMethod: unary}
	answer := func(context.Context, any) (any, error) { return nil, nil }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := guard.Unary(ctx, nil, info, answer); err != nil {
			b.Fatal(err)
		}
	}
}
