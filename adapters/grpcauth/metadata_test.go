package grpcauth_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

const gateway = "grpcgateway-authorization"

// What calls behind grpc-gateway are told, whose copy of the token comes beside
// the token.
func TestGuard_Gateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	optional := newWorld(t, grpcauth.Config{Optional: func(string) bool { return true }}, nil, nil)
	good, bob := w.issuer.Token(nil), w.issuer.Token(map[string]any{"sub": "bob"})
	for _, tt := range []struct {
		name  string
		world *world
		send  []string // keys and values
		code  codes.Code
		want  string
	}{
		{"the token and the copy", w, []string{"authorization", "Bearer " + good, gateway, "Bearer " + good}, codes.OK, "alice"},
		{"the copy before the token", w, []string{gateway, "Bearer " + good, "authorization", "Bearer " + good}, codes.OK, "alice"},
		{"the copy with its scheme in small letters", w, []string{"authorization", "Bearer " + good, gateway, "bearer  " + good}, codes.OK, "alice"},
		{"the token twice", w, []string{"authorization", "Bearer " + good, "authorization", "Bearer " + good}, codes.OK, "alice"},
		{"the token twice, and two copies", w, []string{"authorization", "Bearer " + good, "authorization", "Bearer " + good, gateway, "Bearer " + good, gateway, "Bearer " + good}, codes.OK, "alice"},
		{"another token in the copy", w, []string{"authorization", "Bearer " + good, gateway, "Bearer " + bob}, codes.InvalidArgument, "more than one token"},
		{"another token in the second copy", w, []string{"authorization", "Bearer " + good, gateway, "Bearer " + good, gateway, "Bearer " + bob}, codes.InvalidArgument, "more than one token"},
		{"two tokens", w, []string{"authorization", "Bearer " + good, "authorization", "Bearer " + bob}, codes.InvalidArgument, "more than one token"},
		{"a copy that is badly written", w, []string{"authorization", "Bearer " + good, gateway, "Bearer"}, codes.InvalidArgument, "malformed"},
		{"a copy of another scheme", w, []string{"authorization", "Bearer " + good, gateway, "Basic YTpi"}, codes.InvalidArgument, "more than one token"},
		{"the copy alone", w, []string{gateway, "Bearer " + good}, codes.Unauthenticated, "a bearer token is required"},
		{"optional: the copy alone", optional, []string{gateway, "Bearer " + good}, codes.OK, "nobody"},
		{"optional: another scheme in both", optional, []string{"authorization", "Basic YTpi", gateway, "Basic YTpi"}, codes.OK, "nobody"},
		{"optional: another token in the copy", optional, []string{"authorization", "Bearer " + good, gateway, "Bearer " + bob}, codes.InvalidArgument, "more than one token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := metadata.AppendToOutgoingContext(t.Context(), tt.send...)
			answer, err := tt.world.call(ctx)
			check(t, "unary", answer, err, tt.code, tt.want)
			answer, err = receive(tt.world.open(ctx))
			check(t, "stream", answer, err, tt.code, tt.want)
		})
	}
}

// A call with very many values, of the two keys that are compared, takes no longer than one with
// as many of another key: the time for each with each would be hundreds of times that.
func TestGuard_ManyValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	guard, err := grpcauth.New(grpcauth.Config{Authenticator: w.auth})
	if err != nil {
		t.Fatal(err)
	}
	timed := func(key string) time.Duration {
		const many = 100_000
		ctx := metadata.NewIncomingContext(t.Context(), metadata.MD{
			"authorization": slices.Repeat([]string{"x"}, many), key: slices.Repeat([]string{"y"}, many),
		})
		began := time.Now()
		_, err := guard.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: unary}, func(context.Context, any) (any, error) { return nil, nil })
		check(t, "unary", "", err, codes.InvalidArgument, "more than one token")
		return time.Since(began)
	}
	if others, same := timed("other"), timed(gateway); same > 20*max(others, 100*time.Millisecond) {
		t.Errorf("it took %v, and %v with another key", same, others)
	}
}

// The token leaves every key, whatever else that key has stays.
func TestGuard_EveryCopyIsRemoved(t *testing.T) {
	t.Parallel()
	seen := make(chan metadata.MD, 1)
	look := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		seen <- md
		return nil
	}
	w := newWorld(t, grpcauth.Config{Optional: func(string) bool { return true }},
		func(ctx context.Context, _ *message) (*message, error) { return new(message), look(ctx) },
		func(s grpc.ServerStream) error { return look(s.Context()) })
	token := w.issuer.Token(nil)
	for _, tt := range []struct {
		name string
		send []string
		left map[string][]string
	}{
		{"copies of all kinds", []string{
			"authorization", "Bearer " + token, gateway, "Bearer " + token, "X-Forwarded-Access-Token", token, "copy-bin", token, "scheme-bin", "Bearer " + token,
			"grpcgateway-cookie", "session=" + token + "; theme=dark", "x-forwarded-uri", "/a?token=" + token + "&b=1", "x-many", "kept", "x-many", token, "x-other", "kept",
		}, map[string][]string{
			"grpcgateway-cookie": {"session=; theme=dark"}, "x-forwarded-uri": {"/a?token=&b=1"}, "x-many": {"kept"}, "x-other": {"kept"},
		}},
		{"one within another, and what a proxy adds", []string{
			"authorization", "Bearer " + token, "x-forwarded-for", token[:40] + token + token[40:] + ", 192.0.2.1",
		}, map[string][]string{"x-forwarded-for": {token[:40] + " " + token[40:] + ", 192.0.2.1"}}},
		{"the gateway's copy alone", []string{gateway, "bearer " + token, "x-other", "kept"}, map[string][]string{"x-other": {"kept"}}},
		{"another scheme", []string{"authorization", "Basic YTpi", gateway, "Basic YTpi"}, map[string][]string{"authorization": {"Basic YTpi"}, gateway: {"Basic YTpi"}}},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), tt.send...)
		if _, err := w.call(ctx); err != nil {
			t.Fatalf("%s: unary: %v", tt.name, err)
		}
		compare(t, tt.name+", unary", <-seen, token, tt.left)
		if _, err := receive(w.open(ctx)); err != io.EOF {
			t.Fatalf("%s: stream: %v", tt.name, err)
		}
		compare(t, tt.name+", stream", <-seen, token, tt.left)
	}
}

// compare looks for the token in the metadata, and for what should be left there.
func compare(t *testing.T, name string, got metadata.MD, token string, want map[string][]string) {
	t.Helper()
	if strings.Contains(fmt.Sprint(got), token) {
		t.Errorf("%s: the handler sees the token: %v", name, got)
	}
	maps.DeleteFunc(got, func(key string, _ []string) bool {
		return strings.HasPrefix(key, ":") || key == "content-type" || key == "user-agent" || key == "grpc-accept-encoding"
	})
	if !maps.EqualFunc(got, want, func(a, b []string) bool { return slices.Equal(a, b) }) {
		t.Errorf("%s: the handler sees %v, want %v", name, got, want)
	}
}
