package grpcauth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

// What a handler does for one message ends when its client has left, and has the deadline
// that the client has set: nobody waits for it any more.
func TestCallContext_EndsWithTheStream(t *testing.T) {
	t.Parallel()
	began, ended := make(chan time.Time, 1), make(chan error, 1)
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		ctx := grpcauth.CallContext(s.Context())
		deadline, _ := ctx.Deadline()
		began <- deadline
		select {
		case <-ctx.Done():
			ended <- context.Cause(ctx)
		case <-time.After(patience):
			ended <- errors.New("it goes on")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	w.open(as(ctx, "Bearer "+w.issuer.Token(nil)))
	if deadline := <-began; time.Until(deadline) > time.Hour || time.Until(deadline) < time.Minute {
		t.Errorf("the deadline is %v, want the client's", deadline)
	}
	cancel()
	if cause := <-ended; !errors.Is(cause, context.Canceled) {
		t.Errorf("the call ended with %v, want context.Canceled", cause)
	}
}

// A call acts for the bearer of the token that the stream goes on by at that moment, and ends
// with the session.
func TestCallContext_OfTheCurrentToken(t *testing.T) {
	t.Parallel()
	type tag struct{}
	got := make(chan error, 1)
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		m := new(message)
		if err := s.RecvMsg(m); err != nil { // the first one is empty
			return err
		}
		ctx := context.WithValue(s.Context(), tag{}, "kept")
		first := grpcauth.CallContext(ctx)
		if err := s.RecvMsg(m); err != nil {
			return err
		}
		session, _ := grpcauth.Session(ctx)
		if _, err := session.Renew(ctx, m.GetValue()); err != nil {
			return err
		}
		second := grpcauth.CallContext(ctx)
		if second.Value(tag{}) != "kept" {
			return errors.New("a value of the handler's is lost")
		}
		if err := errors.Join(oidcauth.Require(first, oidcauth.HasRole("writer")), oidcauth.Require(second)); err != nil {
			return err
		}
		if err := oidcauth.Require(second, oidcauth.HasRole("writer")); !errors.Is(err, oidcauth.ErrForbidden) {
			return errors.New("a role that was lost counts")
		}
		s.SendMsg(wrapperspb.String("")) // once the client has it the session may end, and with it this
		<-second.Done()
		got <- context.Cause(second)
		got <- oidcauth.Require(second)
		got <- oidcauth.Require(grpcauth.CallContext(ctx))
		return nil
	})
	s := w.open(as(t.Context(), "Bearer "+w.issuer.Token(map[string]any{"roles": []string{"writer"}})))
	if err := s.SendMsg(wrapperspb.String(w.issuer.Token(nil))); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(s); err != nil {
		t.Fatal(err)
	}
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"the end of the call", "Require", "Require of a new call"} {
		if err := <-got; !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("%s: %v, want ErrRevoked", what, err)
		}
	}
	check(t, "stream", "", drain(s), codes.Unauthenticated, "the token was revoked")
}

// Where there is no session the context is all there is.
func TestCallContext_None(t *testing.T) {
	t.Parallel()
	if ctx := t.Context(); grpcauth.CallContext(ctx) != ctx {
		t.Error("CallContext() is another context than that of a call without session")
	}
}

// What waits for a message when the session ends is told why, and so is each call after it: a
// handler that looks at nothing else stops.
func TestStream_CallsAfterTheEnd(t *testing.T) {
	t.Parallel()
	waits, got := make(chan struct{}), make(chan []error, 1)
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		if err := s.RecvMsg(new(message)); err != nil {
			return err
		}
		close(waits)
		got <- []error{s.RecvMsg(new(message)), s.SendMsg(new(message)), s.RecvMsg(new(message))}
		return nil
	})
	stream := w.open(as(t.Context(), "Bearer "+w.issuer.Token(nil)))
	<-waits
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	for i, err := range <-got {
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("call %d: error = %v, want that the token is revoked", i, err)
		}
	}
	if _, err := receive(stream); status.Code(err) != codes.Unauthenticated {
		t.Errorf("the client is told %v", err)
	}
}
