package grpcauth_test

import (
	"context"
	"log/slog"
	"strings"
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
		"a panic of Optional":  {guard(auth, func(string) bool { panic("of Optional") }), codes.Internal},
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

// Of a panic of Optional the log has where it was, and the client is not told.
func TestGuard_OptionalPanics(t *testing.T) {
	t.Parallel()
	var lines authtest.Log
	w := newWorld(t, grpcauth.Config{
		Logger:   slog.New(slog.NewTextHandler(&lines, nil)),
		Optional: func(string) bool { var none map[string][]bool; return none["method"][0] },
	}, nil, nil)
	for kind, call := range map[string]func() error{
		"unary":  func() error { _, err := w.call(t.Context()); return err },
		"stream": func() error { _, err := receive(w.open(t.Context())); return err },
	} {
		before := len(lines.String())
		err := call()
		if said := status.Convert(err).Message(); status.Code(err) != codes.Internal || strings.Contains(said, ".go:") || strings.Contains(said, "index") {
			t.Errorf("%s: the client is told %v", kind, err)
		}
		if line := lines.String()[before:]; !strings.Contains(line, "misuse_test.go:") || !strings.Contains(line, "level=ERROR") || !strings.Contains(line, "method=") {
			t.Errorf("%s: the log has %q, want where it was", kind, line)
		}
	}
}
