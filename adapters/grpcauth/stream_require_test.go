package grpcauth_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

// A handler that works on after its client has broken the stream off is refused all the same
// once the client is revoked.
func TestStream_RequireAfterTheClientLeft(t *testing.T) {
	begun, gone, revoked := make(chan struct{}), make(chan struct{}), make(chan struct{})
	got := make(chan error, 1)
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		close(begun)
		<-s.Context().Done() // the client has gone
		close(gone)
		<-revoked
		session, _ := grpcauth.Session(s.Context())
		<-session.Context().Done()
		got <- oidcauth.Require(s.Context())
		return nil
	})
	ctx, cancel := context.WithCancel(sending(t, "authorization", "Bearer "+w.issuer.Token(nil)))
	w.open(ctx)
	<-begun
	cancel()
	<-gone
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	close(revoked)
	if err := <-got; !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Require() = %v, want ErrRevoked", err)
	}
}

// From the moment at which the session has ended its stream is refused, and not only from when
// the stream's own context has.
func TestStream_RequireAfterTheSession(t *testing.T) {
	passed := 0
	for range 50 {
		begun, again := make(chan struct{}), make(chan struct{})
		got := make(chan error, 1)
		w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
			session, _ := grpcauth.Session(s.Context())
			close(begun)
			<-again
			<-session.Context().Done()
			got <- oidcauth.Require(s.Context())
			return nil
		})
		w.open(sending(t, "authorization", "Bearer "+w.issuer.Token(nil)))
		<-begun
		close(again)
		if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err == nil {
			passed++
		}
	}
	if passed > 0 {
		t.Errorf("Require passed %d of 50 after the session's end", passed)
	}
}

// A handler that works on by the token that opened the stream is refused when that is revoked,
// though the stream goes on by another one.
func TestStream_RequireRevokedAfterRenewal(t *testing.T) {
	renew, renewed, revoked := make(chan string), make(chan error, 1), make(chan struct{})
	got := make(chan [3]error, 1)
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		session, _ := grpcauth.Session(s.Context())
		_, err := session.Renew(s.Context(), <-renew)
		before := oidcauth.Require(s.Context())
		renewed <- err
		<-revoked
		got <- [3]error{before, oidcauth.Require(s.Context()), oidcauth.Require(session.CallContext())}
		return nil
	})
	w.open(sending(t, "authorization", "Bearer "+w.issuer.Token(map[string]any{"jti": "one"})))
	renew <- w.issuer.Token(map[string]any{"jti": "two"})
	if err := <-renewed; err != nil {
		t.Fatal(err)
	}
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "one"}); err != nil {
		t.Fatal(err)
	}
	close(revoked)
	if err := <-got; err[0] != nil || !errors.Is(err[1], oidcauth.ErrRevoked) || err[2] != nil {
		t.Errorf("Require() = %v before, %v afterwards, %v of a new call, want nil, ErrRevoked, nil", err[0], err[1], err[2])
	}
}
