package grpcauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/internal/said"
)

// An innerStream is the stream of an interceptor that stands before the guard.
type innerStream struct {
	grpc.ServerStream
	ctx  context.Context
	each func() error // what becomes of a message
}

func (s innerStream) Context() context.Context { return s.ctx }
func (s innerStream) RecvMsg(any) error        { return s.each() }
func (s innerStream) SendMsg(any) error        { return s.each() }

// serveInner has a guard serve a stream of which each message becomes what each says, and
// returns how the handler and all before it ended: with an error, or with a panic that the
// interceptor before the guard catches.
func serveInner(t *testing.T, cfg grpcauth.Config, each func() error, handle func(*world, grpc.ServerStream) error) (panicked any, err error) {
	t.Helper()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	cfg.Authenticator = w.auth
	guard, err := grpcauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+w.issuer.Token(nil)))
	defer func() { panicked = recover() }()
	return nil, guard.Stream(nil, innerStream{ctx: ctx, each: each}, &grpc.StreamServerInfo{FullMethod: stream},
		func(_ any, s grpc.ServerStream) error { return handle(w, s) })
}

// A panic of what is under the guard, a codec or the stream of an interceptor before it, is the
// handler's, as without the guard: whoever recovers from the panics of handlers does from this.
func TestStream_MessagePanics(t *testing.T) {
	t.Parallel()
	for name, exchange := range map[string]func(grpc.ServerStream) error{
		"receiving": func(s grpc.ServerStream) error { return s.RecvMsg(new(message)) },
		"sending":   func(s grpc.ServerStream) error { return s.SendMsg(new(message)) },
	} {
		var lines bytes.Buffer
		cfg := grpcauth.Config{Logger: slog.New(slog.NewTextHandler(io.MultiWriter(&lines, said.Writer{}), nil))}
		panicked, err := serveInner(t, cfg, func() error { panic("a message of alice's") }, func(_ *world, s grpc.ServerStream) error { return exchange(s) })
		if panicked != "a message of alice's" {
			t.Errorf("%s: error %v, panic %v, want that of the message", name, err, panicked)
		}
		if line := lines.String(); !strings.Contains(line, "message_test.go:") || !strings.Contains(line, "method="+stream) || strings.Contains(line, "of alice's") {
			t.Errorf("%s: the log has %q, want where it was, and not the value", name, line)
		}
	}
}

// An end of the goroutine, as of a test's that fails, is the handler's as well.
func TestStream_MessageEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	ended := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { ended <- !returned }()
		serveInner(t, grpcauth.Config{}, func() error { runtime.Goexit(); return nil }, func(_ *world, s grpc.ServerStream) error { return s.RecvMsg(new(message)) })
		returned = true
	}()
	if !<-ended {
		t.Error("the handler goes on")
	}
}

// A panic that comes when nobody waits for the message any more is nobody's.
func TestStream_MessagePanicsAfterTheSession(t *testing.T) {
	t.Parallel()
	reads, over, told := make(chan struct{}), make(chan struct{}), make(chan struct{})
	cfg := grpcauth.Config{Logger: slog.New(lineHandler{slog.DiscardHandler, func() { close(told) }})}
	each := func() error {
		close(reads)
		<-over
		panic("late")
	}
	panicked, err := serveInner(t, cfg, each, func(w *world, s grpc.ServerStream) error {
		got := make(chan error, 1)
		go func() { got <- s.RecvMsg(new(message)) }()
		<-reads
		if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
			return err
		}
		err := <-got
		close(over)
		<-told
		return err
	})
	if status.Code(err) != codes.Unauthenticated || panicked != nil {
		t.Errorf("error %v, panic %v, want the end of the session", err, panicked)
	}
}

// A message that comes when nobody waits for it any more leaves no goroutine behind: the
// bubble of the test would not end.
func TestStream_MessageComesAfterTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		panicked, err := serveInner(t, grpcauth.Config{}, func() error { <-over; return nil }, func(w *world, s grpc.ServerStream) error {
			go w.auth.Revoke(w.t.Context(), oidcauth.Revocation{Subject: "alice"})
			return s.RecvMsg(new(message))
		})
		close(over)
		if status.Code(err) != codes.Unauthenticated || panicked != nil {
			t.Errorf("error %v, panic %v, want the end of the session", err, panicked)
		}
	})
}

// A lineHandler tells of the lines of the log that are errors.
type lineHandler struct {
	slog.Handler
	failed func()
}

func (lineHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h lineHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelError {
		h.failed()
	}
	return nil
}

// What a message comes to is the handler's otherwise, too.
func TestStream_MessageFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("of the codec")
	panicked, err := serveInner(t, grpcauth.Config{}, func() error { return failure }, func(_ *world, s grpc.ServerStream) error { return s.RecvMsg(new(message)) })
	if err != failure || panicked != nil {
		t.Errorf("error %v, panic %v, want the codec's error", err, panicked)
	}
}
