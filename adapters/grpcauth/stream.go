package grpcauth

import (
	"context"

	"google.golang.org/grpc"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/call"
)

// Stream is a [grpc.StreamServerInterceptor]. It calls the handler only with an
// accepted token, whose session the stream ends with.
func (g *Guard) Stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, claims, err := g.authenticate(stream.Context(), info.FullMethod)
	if err != nil {
		return g.refuse(ctx, info.FullMethod, err)
	}
	ctx = oidcauth.NewContext(ctx, claims)
	if claims == nil {
		err = handler(service, &serverStream{ServerStream: stream, ctx: ctx})
		return g.refuse(ctx, info.FullMethod, err)
	}
	session := g.auth.NewSession(ctx, claims)
	defer session.Close()
	ended := session.Context()
	ctx, cancel := context.WithCancelCause(context.WithValue(call.On(ctx, ended), sessionKey{}, session))
	defer cancel(nil)
	stop := context.AfterFunc(ended, func() { cancel(context.Cause(ended)) })
	defer stop()

	err = handler(service, &serverStream{ServerStream: stream, ctx: ctx, ended: ended, guard: g, method: info.FullMethod})
	if ended.Err() != nil {
		// Whatever the handler made of it, the stream was cut short.
		err = context.Cause(ended)
	}
	return g.refuse(ctx, info.FullMethod, err)
}

type sessionKey struct{}

// Session returns the session of the stream that ctx belongs to, to renew it or
// to be warned before it ends. There is none for unary calls, nor where nobody is
// known. The session is closed when the handler returns.
func Session(ctx context.Context) (*oidcauth.Session, bool) {
	s, ok := ctx.Value(sessionKey{}).(*oidcauth.Session)
	return s, ok
}

// CallContext returns a context for what is done for one message of the stream that ctx
// belongs to. It acts for whom [oidcauth.Session.CallContext] does, the bearer of the token
// that is current at this moment, and it ends with ctx as well, which that does not: when
// the client has left, or its deadline is over. Without a session, in a unary call for
// instance, it is ctx.
func CallContext(ctx context.Context) context.Context {
	session, ok := Session(ctx)
	if !ok {
		return ctx
	}
	current := session.CallContext()
	claims, ok := oidcauth.FromContext(current)
	if !ok {
		return current // which has ended, and says why
	}
	return call.On(oidcauth.NewContext(ctx, claims), session.Context())
}

// A serverStream is a stream whose calls end with a session.
type serverStream struct {
	grpc.ServerStream
	ctx   context.Context
	ended context.Context // the session's; nil if there is none, and then what follows is not set

	guard  *Guard
	method string
}

// Context implements [grpc.ServerStream].
func (s *serverStream) Context() context.Context { return s.ctx }

// RecvMsg implements [grpc.ServerStream].
func (s *serverStream) RecvMsg(m any) error { return s.call(s.ServerStream.RecvMsg, m) }

// SendMsg implements [grpc.ServerStream].
func (s *serverStream) SendMsg(m any) error { return s.call(s.ServerStream.SendMsg, m) }

// call waits for f no longer than the session lives. f itself ends when the
// handler has returned: gRPC ends what is under way on a stream that is over.
func (s *serverStream) call(f func(any) error, m any) error {
	if s.ended == nil {
		return f(m)
	}
	if s.ended.Err() != nil {
		return s.over()
	}
	select {
	case o := <-s.outcomeOf(f, m):
		return o.here()
	case <-s.ended.Done():
		return s.over()
	}
}

// over returns the error of a stream whose session has ended. The handler's
// context, which ends a moment later, has ended when it does.
func (s *serverStream) over() error {
	<-s.ctx.Done()
	return Error(context.Cause(s.ended))
}
