// Package grpcauth authenticates the calls of a gRPC server with
// [github.com/oidcauth/oidcauth]:
//
//	guard, err := grpcauth.New(grpcauth.Config{Authenticator: auth})
//	…
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(guard.Unary),
//		grpc.ChainStreamInterceptor(guard.Stream),
//	)
//
// A client sends its token as "authorization: Bearer <token>" in the metadata,
// as [google.golang.org/grpc/credentials/oauth] does. Handlers find the caller
// with [oidcauth.FromContext] and ask for permission with [oidcauth.Require],
// whose error they may return as it is. The token is taken out of the metadata
// before the handler, and interceptors after this one, see it, with every copy of
// it, under whatever key; binary logging of gRPC, if it is turned on, sees it before.
//
// What a call may bring is gRPC's to bound, before this package sees it: unless
// [grpc.MaxHeaderListSize] says less, 64 KiB for instance, that is 16 MiB of metadata of
// anybody's.
//
// Behind grpc-gateway the token arrives twice, as "grpcgateway-authorization" too.
// The same token in both, or twice in one, is one token. Two that differ are
// refused as malformed, and the gateway's copy alone is no token. The gateway has to call the
// server by a connection, as what its Register…HandlerFromEndpoint registers does: what
// Register…HandlerServer registers calls the handlers without any interceptor, and whoever
// sends nothing gets through to those that ask for no permission.
//
// A token that is bound to a key or a certificate needs proof: see [Config.DPoP] for
// keys. The certificate is that of the call's own connection; what a proxy says of one
// does not count here.
//
// # Streams
//
// A stream has an [oidcauth.Session]: it lasts as long as its token would be
// accepted. When that ends, the handler's context does, with the reason as its
// [context.Cause], and so do its Recv and Send; the client gets Unauthenticated
// and the reason once the handler has returned. A message that RecvMsg was to fill when
// the session ended may be filled yet, and one that SendMsg was to send may be read: let go
// of both, also where messages are pooled.
//
// gRPC has no way to send other metadata on a stream that is open. A client that
// wants to keep one for longer than its token has a choice of two: to open
// another stream with the new token and close the first, or to send the new token
// in a message of the application's own, for which the handler calls
// [oidcauth.Session.Renew] on what [Session] returns:
//
//	session, _ := grpcauth.Session(stream.Context())
//	session.OnExpiring(time.Minute, func() { askForToken() })
//	for {
//		message, err := stream.Recv()
//		…
//		if token := message.GetToken(); token != "" {
//			_, err = session.Renew(stream.Context(), token)
//			…
//		}
//		ctx := grpcauth.CallContext(stream.Context()) // of the current token; once for each message
//		if err := oidcauth.Require(ctx, oidcauth.HasRole("writer")); err != nil {
//			…
//		}
//	}
//
// The claims in the stream's own context stay those of the token that opened it:
// where sessions are renewed, ask for permission with [CallContext], or a role that
// the new token has lost goes on counting. [oidcauth.Require] refuses it once that first
// token is revoked. What a session itself gives for a call, [oidcauth.Session.CallContext],
// knows neither the client's deadline nor that the client has left, and work would go on
// that nobody waits for.
//
// A server that stops with [grpc.Server.GracefulStop] waits for its streams as well, which last
// as long as their clients renew them. Close the Authenticator when they have had time enough,
// while that waits: streams end with Unavailable, and clients go to another server.
package grpcauth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/panics"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/possession"
)

// Config says how calls are authenticated.
type Config struct {
	// Authenticator decides which tokens are accepted. Required.
	Authenticator *oidcauth.Authenticator

	// Optional names the methods, by their full name as in
	// "/grpc.health.v1.Health/Check", that also serve callers without a token: in
	// their context nobody is known. A token that is not accepted is refused all
	// the same. It must be safe for concurrent use. Nil means that every call needs
	// a token.
	Optional func(method string) bool

	// DPoP is the Verifier of the Authenticator, oidcauth.Config.DPoP, where calls may
	// have tokens that are bound to a key (RFC 9449): "authorization: DPoP <token>" with
	// the proof in "dpop", for the method POST and the address of the call, as in
	// https://db.example.com/package.Service/Method. A client that needs a nonce finds
	// it in "dpop-nonce" of the header, or with a refusal of the trailer. A client of
	// grpc-gateway makes its proof for another address, and is refused. Nil means that the
	// scheme DPoP is none.
	DPoP *dpop.Verifier

	// Logger gets a line for each call that is refused, with what exactly was got
	// and wanted, which the client is not told; with the full method; "peer", the
	// address of the connection, which may be a proxy's; "request_id", the metadata
	// x-request-id; and issuer and subject of a token whose signature held. It gets one as
	// well, with the place, for a panic under RecvMsg or SendMsg of a stream, in a codec for
	// instance, which is the handler's then. Nil means no logging.
	Logger *slog.Logger
}

// A Guard is a pair of interceptors. It is safe for concurrent use.
type Guard struct {
	auth     *oidcauth.Authenticator
	optional func(method string) bool
	logger   *slog.Logger
	dpop     *dpop.Verifier // nil if the scheme is none
}

// New checks the configuration. Without an Authenticator it is an error.
func New(cfg Config) (*Guard, error) {
	if cfg.Authenticator == nil {
		return nil, errors.New("grpcauth: Config.Authenticator is missing")
	}
	g := &Guard{auth: cfg.Authenticator, optional: cfg.Optional, logger: panics.Logger(cfg.Logger), dpop: cfg.DPoP}
	if g.optional == nil {
		g.optional = func(string) bool { return false }
	}
	return g, nil
}

// Unary is a [grpc.UnaryServerInterceptor]. It calls the handler only with an
// accepted token, and turns the errors of oidcauth that the handler returns into
// statuses, in the manner of [Error].
func (g *Guard) Unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, claims, err := g.authenticate(ctx, info.FullMethod)
	if err != nil {
		return nil, g.refuse(ctx, info.FullMethod, err)
	}
	ctx = oidcauth.NewContext(ctx, claims)
	response, err := handler(ctx, request)
	if err != nil {
		return nil, g.refuse(ctx, info.FullMethod, err)
	}
	return response, nil
}

// authenticate returns the context without the token, and the claims of it: nil
// for a caller without one, where that is fine.
func (g *Guard) authenticate(ctx context.Context, method string) (context.Context, *oidcauth.Claims, error) {
	if g.auth == nil {
		_, err := g.auth.Authenticate(ctx, "") // which says that nobody made it
		return ctx, nil, err
	}
	ctx, token, proof, err := g.takeToken(g.withCaller(ctx))
	if errors.Is(err, oidcauth.ErrNoToken) {
		needless, panicked := g.needsNone(method)
		if needless {
			return ctx, nil, nil
		}
		err = cmp.Or(panicked, err)
	}
	switch {
	case err != nil:
		return ctx, nil, err
	}
	g.complete(ctx, &proof, method)
	claims, err := g.auth.Authenticate(possession.NewContext(ctx, proof), token)
	g.offerNonce(ctx, proof, err)
	return ctx, claims, err
}

// needsNone reports whether a method needs no token. The program's function runs in a
// goroutine in which a panic would end the process; it is an error, which lets nobody
// pass, and of which the client is told nothing more.
func (g *Guard) needsNone(method string) (needless bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &oidcauth.Refusal{Check: refusal.Request, Err: panics.Error(v)}
		}
	}()
	return g.optional(method), nil
}

// refuse logs an error of oidcauth and words it for the client. Any other error
// is the handler's own.
func (g *Guard) refuse(ctx context.Context, method string, err error) error {
	refused, ok := statusOf(err)
	if !ok {
		return err
	}
	level, text := slog.LevelInfo, "call refused"
	if status.Code(refused) == codes.Internal { // the program failed at it
		level, text = slog.LevelError, "call failed"
	}
	if g.logger != nil && g.logger.Enabled(ctx, level) {
		g.logger.LogAttrs(ctx, level, text, append([]slog.Attr{
			slog.String("code", status.Code(refused).String()), slog.String("reason", err.Error()),
		}, attrsOf(ctx, method, err)...)...)
	}
	return refused
}
