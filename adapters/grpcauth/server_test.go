package grpcauth_test

import (
	"context"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/grpcauth"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	audience = "my-db"
	unary    = "/test.Database/Call"
	stream   = "/test.Database/Stream"
)

type (
	message       = wrapperspb.StringValue
	unaryHandler  func(context.Context, *message) (*message, error)
	streamHandler func(grpc.ServerStream) error
)

// A world is an issuer, a server that trusts it, and a client on a connection in
// memory.
type world struct {
	t      testing.TB
	issuer *oidctest.Issuer
	auth   *oidcauth.Authenticator
	server *grpc.Server
	client *grpc.ClientConn
}

// newWorld starts a server with the handlers; nil ones answer with the subject.
func newWorld(t testing.TB, cfg grpcauth.Config, u unaryHandler, s streamHandler) *world {
	t.Helper()
	return newWorldWith(t, cfg, func(*oidcauth.Config) {}, u, s)
}

// newWorldWith is newWorld with another configuration of the Authenticator.
func newWorldWith(t testing.TB, cfg grpcauth.Config, change func(*oidcauth.Config), u unaryHandler, s streamHandler) *world {
	t.Helper()
	w := &world{t: t, issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}})}
	trust := oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: w.issuer.URL(), Audiences: []string{audience}}}, Client: w.issuer.Client(),
	}
	change(&trust)
	auth, err := oidcauth.New(trust)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	w.auth, cfg.Authenticator = auth, auth
	guard, err := grpcauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.ChainUnaryInterceptor(guard.Unary), grpc.ChainStreamInterceptor(guard.Stream))
	if u == nil {
		u = whoAmI
	}
	if s == nil {
		s = whoAmIAgain
	}
	register(server, u, s)
	listener := bufconn.Listen(1 << 16)
	go server.Serve(listener) // until Stop
	t.Cleanup(server.Stop)
	w.server = server
	w.client, err = grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.client.Close() })
	return w
}

// register describes a service without generated code.
func register(server *grpc.Server, u unaryHandler, s streamHandler) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Database", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: func(srv any, ctx context.Context, decode func(any) error, next grpc.UnaryServerInterceptor) (any, error) {
			request := new(message)
			if err := decode(request); err != nil {
				return nil, err
			}
			return next(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: unary},
				func(ctx context.Context, request any) (any, error) { return u(ctx, request.(*message)) })
		}}},
		Streams: []grpc.StreamDesc{{
			StreamName: "Stream", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return s(stream) },
		}},
	}, struct{}{})
}

func whoAmI(ctx context.Context, _ *message) (*message, error) {
	return wrapperspb.String(subject(ctx)), nil
}

func subject(ctx context.Context) string {
	claims, ok := oidcauth.FromContext(ctx)
	if !ok {
		return "nobody"
	}
	return claims.Subject()
}

// whoAmIAgain answers each message with the caller.
func whoAmIAgain(s grpc.ServerStream) error {
	for {
		switch err := s.RecvMsg(new(message)); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := s.SendMsg(wrapperspb.String(subject(s.Context()))); err != nil {
			return err
		}
	}
}

// as returns a context that sends values for "authorization".
func as(ctx context.Context, authorization ...string) context.Context {
	md := metadata.MD{}
	md.Append("authorization", authorization...)
	return metadata.NewOutgoingContext(ctx, md)
}

// call makes a unary call.
func (w *world) call(ctx context.Context) (string, error) {
	response := new(message)
	err := w.client.Invoke(ctx, unary, new(message), response)
	said.Error(err)
	return response.GetValue(), err
}

// open opens a stream and sends one message on it.
func (w *world) open(ctx context.Context) grpc.ClientStream {
	w.t.Helper()
	s, err := w.client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, stream)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.SendMsg(new(message)); err != nil && err != io.EOF {
		w.t.Fatal(err)
	}
	return s
}

// receive takes the next message of the stream.
func receive(s grpc.ClientStream) (string, error) {
	m := new(message)
	err := s.RecvMsg(m)
	said.Error(err)
	return m.GetValue(), err
}
