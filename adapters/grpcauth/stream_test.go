package grpcauth_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
)

const patience = 30 * time.Second

// However a handler spends its time, a stream ends with its session, and the
// client is told why.
func TestStream_Ends(t *testing.T) {
	t.Parallel()
	causes := make(chan error, 1)
	waitForContext := func(s grpc.ServerStream) error {
		<-s.Context().Done()
		causes <- context.Cause(s.Context())
		return nil
	}
	receiving := func(s grpc.ServerStream) error {
		err := whoAmIAgain(s)
		causes <- context.Cause(s.Context())
		return err
	}
	sending := func(s grpc.ServerStream) error {
		for {
			// Soon nobody takes any more.
			if err := s.SendMsg(wrapperspb.String(strings.Repeat("x", 1<<16))); err != nil {
				causes <- context.Cause(s.Context())
				return errors.New("an error of the handler's own")
			}
		}
	}
	for _, handler := range []struct {
		name   string
		handle streamHandler
	}{{"waiting for its context", waitForContext}, {"receiving", receiving}, {"sending", sending}} {
		for _, end := range []struct {
			name    string
			do      func(*world) error
			want    error
			code    codes.Code
			message string
		}{
			{"revoked", func(w *world) error {
				return w.auth.Revoke(context.Background(), oidcauth.Revocation{Subject: "alice"})
			}, oidcauth.ErrRevoked, codes.Unauthenticated, "the token was revoked"},
			{"key withdrawn", func(w *world) error {
				w.issuer.Replace()
				_, err := w.auth.Authenticate(context.Background(), w.issuer.Token(nil))
				return err
			}, oidcauth.ErrUnknownKey, codes.Unauthenticated, "the token is not accepted"},
			{"authenticator closed", func(w *world) error { return w.auth.Close() }, oidcauth.ErrClosed, codes.Unavailable, "the server is shutting down"},
		} {
			t.Run(handler.name+", "+end.name, func(t *testing.T) {
				started := make(chan struct{})
				w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
					close(started)
					return handler.handle(s)
				})
				s := w.open(as(t.Context(), "Bearer "+w.issuer.Token(nil)))
				<-started
				if err := end.do(w); err != nil {
					t.Fatal(err)
				}
				if cause := <-causes; !errors.Is(cause, end.want) {
					t.Errorf("context.Cause() = %v, want %v", cause, end.want)
				}
				err := drain(s)
				check(t, "stream", "", err, end.code, end.message)
			})
		}
	}
}

// drain reads a stream to its end and returns why it ended.
func drain(s grpc.ClientStream) error {
	for {
		if _, err := receive(s); err != nil {
			return err
		}
	}
}

// A stream whose token expires ends then, with the leeway. If the machine is too
// busy to open it within the token's life, the next token lives for twice as long.
func TestStream_Expires(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	for life := 2 * time.Second; ; life *= 2 {
		end := time.Now().Add(life).Truncate(time.Second)
		s := w.open(as(t.Context(), "Bearer "+w.issuer.Token(map[string]any{"exp": end.Add(-30 * time.Second).Unix()})))
		got, err := receive(s)
		if err != nil && time.Now().After(end) {
			continue
		}
		if got != "alice" {
			t.Fatalf("got %q, %v", got, err)
		}
		check(t, "stream", "", drain(s), codes.Unauthenticated, "the token has expired")
		if early := time.Until(end); early > 0 {
			t.Errorf("ended %v before the token", early)
		}
		return
	}
}

// A stream that is renewed outlives its first token.
func TestStream_Renewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, func(s grpc.ServerStream) error {
		session, ok := grpcauth.Session(s.Context())
		if !ok {
			return errors.New("no session")
		}
		for {
			m := new(message)
			if err := s.RecvMsg(m); err != nil {
				return err
			}
			if m.GetValue() != "" {
				if _, err := session.Renew(s.Context(), m.GetValue()); err != nil {
					return err
				}
			}
			if err := s.SendMsg(wrapperspb.String(session.Claims().TokenID())); err != nil {
				return err
			}
		}
	})
	s := w.open(as(t.Context(), "Bearer "+w.issuer.Token(map[string]any{"jti": "first"})))
	if got, err := receive(s); got != "first" {
		t.Fatalf("got %q, %v, want the first token", got, err)
	}
	if err := s.SendMsg(wrapperspb.String(w.issuer.Token(map[string]any{"jti": "second"}))); err != nil {
		t.Fatal(err)
	}
	if got, err := receive(s); got != "second" {
		t.Fatalf("got %q, %v, want the second token", got, err)
	}
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "first"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SendMsg(new(message)); err != nil {
		t.Fatal(err)
	}
	if got, err := receive(s); got != "second" {
		t.Fatalf("got %q, %v after the first token was revoked", got, err)
	}
	if err := s.SendMsg(wrapperspb.String(w.issuer.Token(map[string]any{"sub": "mallory"}))); err != nil {
		t.Fatal(err)
	}
	check(t, "stream", "", drain(s), codes.PermissionDenied, "another identity")
}

// A stream that ends well says so, and leaves no session behind.
func TestStream_EndsWell(t *testing.T) {
	t.Parallel()
	sessions := make(chan *oidcauth.Session, 2)
	w := newWorld(t, grpcauth.Config{Optional: func(string) bool { return true }}, nil, func(s grpc.ServerStream) error {
		session, ok := grpcauth.Session(s.Context())
		if claims, known := oidcauth.FromContext(s.Context()); ok != known || known && claims != session.Claims() {
			return errors.New("session and claims disagree")
		}
		sessions <- session
		return whoAmIAgain(s)
	})
	for _, known := range []bool{true, false} {
		ctx := t.Context()
		if known {
			ctx = as(ctx, "Bearer "+w.issuer.Token(nil))
		}
		s := w.open(ctx)
		if err := s.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := drain(s); err != io.EOF {
			t.Errorf("the stream ended with %v", err)
		}
		session := <-sessions
		if (session != nil) != known {
			t.Fatalf("session: %v, known: %v", session, known)
		}
		if session == nil {
			continue
		}
		select {
		case <-session.Context().Done():
		case <-time.After(patience):
			t.Error("the session goes on after the stream")
		}
	}
}

// A server that stops waits for streams that go on, and for no longer than the Authenticator
// is open: then their clients are told to go elsewhere.
func TestStream_GracefulStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	s := w.open(as(t.Context(), "Bearer "+w.issuer.Token(nil)))
	if _, err := receive(s); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		w.server.GracefulStop()
		close(stopped)
	}()
	if err := s.SendMsg(new(message)); err != nil {
		t.Fatal(err)
	}
	if got, err := receive(s); got != "alice" {
		t.Fatalf("got %q, %v, want the stream to go on", got, err)
	}
	w.auth.Close()
	check(t, "stream", "", drain(s), codes.Unavailable, "shutting down")
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("the server waits on")
	}
}

func TestSession_None(t *testing.T) {
	t.Parallel()
	if s, ok := grpcauth.Session(t.Context()); ok || s != nil {
		t.Errorf("Session() = %v, %v of a context without one", s, ok)
	}
}

// What a message costs on a stream that is guarded, beside one that is not.
func BenchmarkStream(b *testing.B) {
	for _, known := range []bool{false, true} {
		name := map[bool]string{false: "nobody", true: "session"}[known]
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, grpcauth.Config{Optional: func(string) bool { return true }}, nil, nil)
			ctx := b.Context()
			if known {
				ctx = as(ctx, "Bearer "+w.issuer.Token(nil))
			}
			s := w.open(ctx)
			receive(s)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.SendMsg(new(message)); err != nil {
					b.Fatal(err)
				}
				if _, err := receive(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
