package grpcauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/internal/memorylog"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := grpcauth.New(grpcauth.Config{}); err == nil {
		t.Error("New() accepts a configuration without an Authenticator")
	}
}

// What calls are told, by the values that they send for "authorization".
func TestGuard(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	optional := newWorld(t, grpcauth.Config{Optional: func(method string) bool { return method == unary || method == stream }}, nil, nil)
	elsewhere := newWorld(t, grpcauth.Config{Optional: func(method string) bool { return method == "/other/Method" }}, nil, nil)
	good := func(w *world) string { return w.issuer.Token(nil) }
	expired := func(w *world) string {
		return w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
	}
	for _, tt := range []struct {
		name  string
		world *world
		send  []string
		code  codes.Code
		want  string
	}{
		{"a token", w, []string{"Bearer " + good(w)}, codes.OK, "alice"},
		{"scheme in lower case", w, []string{"bearer " + good(w)}, codes.OK, "alice"},
		{"none", w, nil, codes.Unauthenticated, "a bearer token is required"},
		{"another scheme", w, []string{"Basic YTpi"}, codes.Unauthenticated, "a bearer token is required"},
		{"an expired token", w, []string{"Bearer " + expired(w)}, codes.Unauthenticated, "the token has expired"},
		{"garbage", w, []string{"Bearer abc"}, codes.Unauthenticated, "the token is malformed"},
		{"two tokens", w, []string{"Bearer " + good(w), "Bearer " + good(w)}, codes.InvalidArgument, "more than one token"},
		{"a token and another scheme", w, []string{"Basic YTpi", "Bearer " + good(w)}, codes.InvalidArgument, "more than one token"},
		{"the token twice in one value", w, []string{"Bearer " + good(w) + ", Bearer " + good(w)}, codes.InvalidArgument, "malformed"},
		{"optional: a token", optional, []string{"Bearer " + good(optional)}, codes.OK, "alice"},
		{"optional: none", optional, nil, codes.OK, "nobody"},
		{"optional: an expired token", optional, []string{"Bearer " + expired(optional)}, codes.Unauthenticated, "expired"},
		{"optional: two tokens", optional, []string{"Bearer " + good(optional), "Bearer x"}, codes.InvalidArgument, "more than one token"},
		{"optional elsewhere: none", elsewhere, nil, codes.Unauthenticated, "a bearer token is required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer, err := tt.world.call(as(t.Context(), tt.send...))
			check(t, "unary", answer, err, tt.code, tt.want)
			answer, err = receive(tt.world.open(as(t.Context(), tt.send...)))
			check(t, "stream", answer, err, tt.code, tt.want)
		})
	}
}

// check compares an answer, or the message of a refusal, with what it must have.
func check(t *testing.T, kind, answer string, err error, code codes.Code, want string) {
	t.Helper()
	if err != nil {
		answer = status.Convert(err).Message()
	}
	if status.Code(err) != code || !strings.Contains(answer, want) {
		t.Errorf("%s: got %v, %q, want %v, %q", kind, status.Code(err), answer, code, want)
	}
}

// Handlers do not see the token, and see everything else.
func TestGuard_Metadata(t *testing.T) {
	t.Parallel()
	look := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		if got := md.Get("authorization"); len(got) != 0 && got[0] != "Basic YTpi" {
			return status.Error(codes.DataLoss, "the token is in the metadata")
		}
		if got := md.Get("x-other"); len(got) != 1 || got[0] != "kept" {
			return status.Errorf(codes.DataLoss, "x-other: got %q", got)
		}
		if got := metadata.ValueFromIncomingContext(ctx, "authorization"); len(got) != 0 && got[0] != "Basic YTpi" {
			return status.Error(codes.DataLoss, "the token is in the context")
		}
		return nil
	}
	w := newWorld(t, grpcauth.Config{Optional: func(string) bool { return true }},
		func(ctx context.Context, _ *message) (*message, error) { return new(message), look(ctx) },
		func(s grpc.ServerStream) error { return look(s.Context()) })
	for _, value := range []string{"Bearer " + w.issuer.Token(nil), "Basic YTpi"} {
		ctx := metadata.AppendToOutgoingContext(as(t.Context(), value), "x-other", "kept")
		if _, err := w.call(ctx); err != nil {
			t.Errorf("unary: %v", err)
		}
		if _, err := receive(w.open(ctx)); err != io.EOF {
			t.Errorf("stream: %v", err)
		}
	}
}

// Errors of Require, and those that wrap them, become statuses; others stay. So they do where
// nobody is known.
func TestGuard_HandlerErrors(t *testing.T) {
	t.Parallel()
	own := status.Error(codes.NotFound, "no such row")
	for _, tt := range []struct {
		name   string
		handle func(context.Context) error
		code   codes.Code
		guest  codes.Code
	}{
		{"a role the caller has", func(ctx context.Context) error { return oidcauth.Require(ctx, oidcauth.HasRole("writer")) }, codes.OK, codes.Unauthenticated},
		{"a role the caller lacks", func(ctx context.Context) error { return oidcauth.Require(ctx, oidcauth.HasRole("admin")) }, codes.PermissionDenied, codes.Unauthenticated},
		{"wrapped", func(ctx context.Context) error {
			return fmt.Errorf("set the topic: %w", oidcauth.Require(ctx, oidcauth.HasRole("admin")))
		}, codes.PermissionDenied, codes.Unauthenticated},
		{"what the guide's reducers return", func(context.Context) error { return oidcauth.ErrNoToken }, codes.Unauthenticated, codes.Unauthenticated},
		{"that, wrapped", func(context.Context) error { return fmt.Errorf("row 7: %w", oidcauth.ErrForbidden) }, codes.PermissionDenied, codes.PermissionDenied},
		{"a status of its own", func(context.Context) error { return own }, codes.NotFound, codes.NotFound},
		{"an error that cannot be compared", func(context.Context) error { return uncomparable{"x"} }, codes.Unknown, codes.Unknown},
	} {
		w := newWorld(t, grpcauth.Config{Optional: func(string) bool { return true }},
			func(ctx context.Context, _ *message) (*message, error) { return new(message), tt.handle(ctx) },
			func(s grpc.ServerStream) error { return tt.handle(s.Context()) })
		for ctx, code := range map[context.Context]codes.Code{
			as(t.Context(), "Bearer "+w.issuer.Token(map[string]any{"roles": []string{"writer"}})): tt.code,
			t.Context(): tt.guest,
		} {
			if _, err := w.call(ctx); status.Code(err) != code {
				t.Errorf("%s: unary: %v, want %v", tt.name, err, code)
			}
			if _, err := receive(w.open(ctx)); err != io.EOF && status.Code(err) != code || code != codes.OK && err == io.EOF {
				t.Errorf("%s: stream: %v, want %v", tt.name, err, code)
			}
		}
	}
}

type uncomparable []string

func (u uncomparable) Error() string { return u[0] }

// While the issuer's keys cannot be had, the client is told to try again.
func TestGuard_Unavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, grpcauth.Config{}, nil, nil)
	w.issuer.Fail(oidctest.Discovery, oidctest.Fault{Status: http.StatusServiceUnavailable})
	_, err := w.call(as(t.Context(), "Bearer "+w.issuer.Token(nil)))
	if status.Code(err) != codes.Unavailable {
		t.Fatalf("got %v, want %v", err, codes.Unavailable)
	}
	for _, detail := range status.Convert(err).Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok && retry.GetRetryDelay().AsDuration() >= time.Second {
			return
		}
	}
	t.Errorf("no RetryInfo of a second or more in %v", status.Convert(err).Details())
}

// A refusal is logged with its reason, and never with the token.
func TestGuard_Log(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	w := newWorld(t, grpcauth.Config{Logger: slog.New(slog.NewTextHandler(io.MultiWriter(&lines, said.Writer{}), nil))}, nil, nil)
	token := w.issuer.Token(map[string]any{"aud": "another-db"})
	if _, err := w.call(as(t.Context(), "Bearer "+token)); status.Code(err) != codes.Unauthenticated || strings.Contains(err.Error(), "another-db") {
		t.Fatalf("got %v, want Unauthenticated without the audience", err)
	}
	if !strings.Contains(lines.String(), "another-db") || !strings.Contains(lines.String(), unary) || strings.Contains(lines.String(), token) {
		t.Errorf("got the lines\n%swant the audience and the method, and not the token", &lines)
	}
}

// The line about a refusal says whose call it was, and which: by a token that was
// refused after its signature, or by the handler, and nobody's by one that anybody may
// have written.
func TestGuard_LogAttributes(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	forbid := func(ctx context.Context) error { return oidcauth.Require(ctx, oidcauth.HasRole("admin")) }
	w := newWorld(t, grpcauth.Config{Logger: slog.New(slog.NewTextHandler(io.MultiWriter(&lines, said.Writer{}), nil))},
		func(ctx context.Context, _ *message) (*message, error) { return nil, forbid(ctx) },
		func(s grpc.ServerStream) error { return forbid(s.Context()) })
	for name, tt := range map[string]struct {
		token      string
		want, none []string
	}{
		"expired":       {w.issuer.Token(map[string]any{"sub": "bob", "exp": 1}), []string{"issuer=" + w.issuer.URL(), "subject=bob", "code=Unauthenticated"}, nil},
		"without role":  {w.issuer.Token(map[string]any{"sub": "bob"}), []string{"issuer=" + w.issuer.URL(), "subject=bob", "code=PermissionDenied"}, nil},
		"forged":        {w.issuer.Token(map[string]any{"sub": "bob"}) + "AAAA", []string{"code=Unauthenticated"}, []string{"bob", "subject="}},
		"without token": {"", []string{"code=Unauthenticated"}, []string{"subject=", "issuer="}},
	} {
		for _, call := range []struct {
			method string
			make   func(context.Context) error
		}{
			{unary, func(ctx context.Context) error { _, err := w.call(ctx); return err }},
			{stream, func(ctx context.Context) error { _, err := receive(w.open(ctx)); return err }},
		} {
			lines.Reset()
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", "r-7")
			if tt.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+tt.token)
			}
			if call.make(ctx) == nil {
				t.Errorf("%s: %s passed", name, call.method)
			}
			line := lines.String()
			for _, want := range append(tt.want, "method="+call.method, "request_id=r-7", "peer=", "reason=") {
				if !strings.Contains(line, want) {
					t.Errorf("%s: no %s in %s", name, want, line)
				}
			}
			for _, none := range tt.none {
				if strings.Contains(line, none) {
					t.Errorf("%s: there is %s in %s", name, none, line)
				}
			}
			if strings.Count(line, "\n") != 1 {
				t.Errorf("%s: want one line: %s", name, line)
			}
		}
	}
}

// Who sent a token where nobody looks is told of in the log, and the token is not.
func TestGuard_LogHint(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	w := newWorld(t, grpcauth.Config{Logger: slog.New(slog.NewTextHandler(io.MultiWriter(&lines, said.Writer{}), nil))}, nil, nil)
	token := w.issuer.Token(map[string]any{"sub": "bob"})
	for _, tt := range []struct{ key, value, want string }{
		{"authorization", token, "Authorization header, without"},
		{"authorization", "JWT " + token, "Bearer <token>"},
		{"authorization", "DPoP " + token, "DPoP counts with Config.DPoP"},
		{"x-auth-token", token, "X-Auth-Token"},
		{"x-auth-token", "Bearer " + token, "X-Auth-Token"},
		{"authorization", "Basic YTpi", ""},
		{"x-request-id", "r-7", ""},
	} {
		lines.Reset()
		if _, err := w.call(metadata.AppendToOutgoingContext(t.Context(), tt.key, tt.value)); err == nil {
			t.Errorf("%s passed", tt.key)
		}
		line := lines.String()
		if strings.Contains(line, token) || strings.Contains(line, "hint=") != (tt.want != "") || !strings.Contains(line, tt.want) {
			t.Errorf("%s: got %s, want a hint of %q", tt.key, line, tt.want)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, io.EOF, status.Error(codes.Aborted, "x")} {
		if got := grpcauth.Error(err); got != err {
			t.Errorf("Error(%v) = %v, want the same", err, got)
		}
	}
	for sentinel, want := range map[error]codes.Code{
		oidcauth.ErrExpired: codes.Unauthenticated, oidcauth.ErrMalformedRequest: codes.InvalidArgument, oidcauth.ErrForbidden: codes.PermissionDenied,
		oidcauth.ErrKeysUnavailable: codes.Unavailable, oidcauth.ErrClosed: codes.Unavailable, errors.New("other"): codes.Internal,
	} {
		err := &oidcauth.Refusal{Got: "secret", Err: sentinel}
		if got := grpcauth.Error(err); status.Code(got) != want || strings.Contains(got.Error(), "secret") {
			t.Errorf("Error(%v) = %v, want %v", err, got, want)
		}
	}
}

// Errors of oidcauth that are no refusals are answered as over HTTP, and tell nothing else.
func TestError_NoRefusal(t *testing.T) {
	t.Parallel()
	down := memorylog.New[oidcauth.Revocation]()
	down.RefuseAll()
	down.FailWith(errors.New("nats://inside:4222 is down"))
	w := newWorldWith(t, grpcauth.Config{}, func(cfg *oidcauth.Config) { cfg.Revocations = down }, nil, nil)
	waits := w.auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: "x"})
	for err, want := range map[error]codes.Code{
		waits: codes.Unavailable, oidcauth.ErrNoToken: codes.Unauthenticated, oidcauth.ErrOrigin: codes.PermissionDenied,
		fmt.Errorf("inside: %w", oidcauth.ErrMalformedRequest): codes.InvalidArgument,
	} {
		got := grpcauth.Error(err)
		if status.Code(got) != want || strings.Contains(got.Error(), "inside") {
			t.Errorf("Error(%v) = %v, want %v", err, got, want)
		}
		if details := status.Convert(got).Details(); (len(details) == 1) != (want == codes.Unavailable) {
			t.Errorf("Error(%v) has the details %v", err, details)
		}
	}
}

// The context of a call ends with the call's, not later.
func TestGuard_CallEnds(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	handle := func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}
	w := newWorld(t, grpcauth.Config{},
		func(ctx context.Context, _ *message) (*message, error) { return nil, handle(ctx) },
		func(s grpc.ServerStream) error { return handle(s.Context()) })
	for name, start := range map[string]func(context.Context) (end func() error){
		"unary": func(ctx context.Context) func() error {
			failure := make(chan error, 1)
			go func() { // ends with ctx
				_, err := w.call(ctx)
				failure <- err
			}()
			return func() error { return <-failure }
		},
		"stream": func(ctx context.Context) func() error {
			s := w.open(ctx)
			return func() error { return drain(s) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(as(t.Context(), "Bearer "+w.issuer.Token(nil)))
			defer cancel()
			end := start(ctx)
			for _, handler := range []chan struct{}{begun, ended} {
				select {
				case <-handler:
				case <-time.After(patience):
					t.Fatal("the handler does not begin, or does not end with the call")
				}
				cancel()
			}
			if err := end(); status.Code(err) != codes.Canceled {
				t.Errorf("got %v, want %v", err, codes.Canceled)
			}
		})
	}
}
