package grpcauth_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

// With AnyIssuer a call's context has the address of the call's peer, so that
// callers do not use up each other's turns; it is there for a token that comes
// later on a stream, too.
func TestGuard_Caller(t *testing.T) {
	t.Parallel()
	auth, err := oidcauth.New(oidcauth.Config{
		AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{audience}},
		Proxies:   []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: auth, Optional: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	at := func(ctx context.Context) context.Context {
		return peer.NewContext(ctx, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}})
	}
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want bool
	}{
		{"a peer", at(t.Context()), true},
		{"a proxy and what it says", metadata.NewIncomingContext(at(t.Context()), metadata.Pairs("x-forwarded-for", "192.0.2.1")), true},
		{"no peer", t.Context(), false},
		{"a peer without address", peer.NewContext(t.Context(), &peer.Peer{}), false},
	} {
		_, err := guard.Unary(tt.ctx, nil, &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, _ any) (any, error) {
			// A context that has an address is given back as it is.
			again := auth.CallerContext((&http.Request{RemoteAddr: "192.0.2.9:1"}).WithContext(ctx))
			if has := again == ctx; has != tt.want {
				t.Errorf("%s: the context has an address: %v, want %v", tt.name, has, tt.want)
			}
			return nil, nil
		})
		if err != nil {
			t.Errorf("%s: Unary() error = %v", tt.name, err)
		}
	}
}
