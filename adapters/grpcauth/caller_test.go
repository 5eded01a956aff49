package grpcauth_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

// newCallers returns a guard of an Authenticator that accounts for callers, of whom some
// come by a proxy.
func newCallers(t *testing.T) (*oidcauth.Authenticator, *grpcauth.Guard) {
	t.Helper()
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
	return auth, guard
}

// With AnyIssuer a call's context has the address of the call's peer, so that
// callers do not use up each other's turns; it is there for a token that comes
// later on a stream, too.
func TestGuard_Caller(t *testing.T) {
	t.Parallel()
	auth, guard := newCallers(t)
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

// accounted is how a context prints the address that a call is accounted to.
var accounted = regexp.MustCompile(`callerAddrKey, ([^)]*)\)`)

// The address is that of the peer, or what a proxy that is named says of it.
func TestGuard_CallerOfProxy(t *testing.T) {
	t.Parallel()
	_, guard := newCallers(t)
	for _, tt := range []struct {
		from string
		says metadata.MD
		want string
	}{
		{"10.0.0.1:1", nil, "10.0.0.1"},
		{"10.0.0.1:1", metadata.Pairs("x-forwarded-for", "192.0.2.1"), "192.0.2.1"},
		{"10.0.0.1:1", metadata.Pairs("x-forwarded-for", "192.0.2.2", "x-forwarded-for", "192.0.2.3"), "192.0.2.3"},
		{"10.0.0.1:1", metadata.Pairs("forwarded", "for=192.0.2.4"), "192.0.2.4"},
		{"192.0.2.9:1", metadata.Pairs("x-forwarded-for", "192.0.2.1"), "192.0.2.9"},
	} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.from))})
		_, err := guard.Unary(metadata.NewIncomingContext(ctx, tt.says), nil, &grpc.UnaryServerInfo{FullMethod: unary}, func(ctx context.Context, _ any) (any, error) {
			if got := accounted.FindStringSubmatch(fmt.Sprint(ctx)); got == nil || got[1] != tt.want {
				t.Errorf("from %s, which says %v: the call is accounted to %q, want %s", tt.from, tt.says, got, tt.want)
			}
			return nil, nil
		})
		if err != nil {
			t.Errorf("Unary() error = %v", err)
		}
	}
}
