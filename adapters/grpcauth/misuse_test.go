package grpcauth_test

import (
	"context"
	"log/slog"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A badHandler is one of a log that panics.
type badHandler struct{ slog.Handler }

func (badHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (badHandler) Handle(context.Context, slog.Record) error { panic("of Handle") }

// Whatever is wrong with a Guard or its Optional, no call passes and no process ends.
func TestGuard_Misuse(t *testing.T) {
	t.Parallel()
	issuer, trusted := authtest.NewIssuer(t, oidctest.Config{})
	auth := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	guard := func(auth *oidcauth.Authenticator, optional func(string) bool) *grpcauth.Guard {
		g, err := grpcauth.New(grpcauth.Config{Authenticator: auth, Optional: optional})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	logging := func(h slog.Handler) *grpcauth.Guard {
		g, err := grpcauth.New(grpcauth.Config{Authenticator: auth, Logger: slog.New(h)})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for name, tt := range map[string]struct {
		guard *grpcauth.Guard
		want  codes.Code
	}{
		"the zero value":       {new(grpcauth.Guard), codes.Unavailable},
		"a zero Authenticator": {guard(new(oidcauth.Authenticator), nil), codes.Unauthenticated},
		"a panic of Optional":  {guard(auth, func(string) bool { panic("of Optional") }), codes.Unknown},
		"the word of Optional": {guard(auth, func(string) bool { return true }), codes.OK},
		"no token":             {guard(auth, nil), codes.Unauthenticated},
		"a log that panics":    {logging(badHandler{slog.DiscardHandler}), codes.Unauthenticated},
	} {
		called := false
		_, err := tt.guard.Unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/a/b"}, func(context.Context, any) (any, error) {
			called = true
			return nil, nil
		})
		if status.Code(err) != tt.want || called != (tt.want == codes.OK) {
			t.Errorf("%s: %v, want %v; called: %t", name, err, tt.want, called)
		}
	}
}
