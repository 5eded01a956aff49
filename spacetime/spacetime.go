// Package spacetime speaks SpacetimeDB's way of signing in, so that the clients
// published for SpacetimeDB connect to a server written in Go and keep the
// identities they have: the routes below /v1/identity, and the beginning of the
// WebSocket at /v1/database/{name}/subscribe. What comes after the first message
// is the server's own.
//
// # What is stricter
//
// The bytes are those of SpacetimeDB, and less is accepted: tokens need the right
// audience and an issuer that is trusted, a ticket is good for one connection and
// buys no other ticket, a connection ends with its token, and nobody gets in
// without one unless [Config.Anonymous] says so.
//
// A request for a ticket names no database, so the ticket is good for every one of
// the server ([localissuer.AnyDatabase]), for a minute and once: [Config.Database]
// is where a program says who may open which.
//
// # The token of the first message
//
// Clients hand it to the application, and many applications store it for the next
// visit, in place of the one that they had. To whoever came with a token the server
// sends that token, to somebody new that of their identity. To whoever came with a
// ticket it sends the token that bought the ticket if Local issued it, or if
// [Config.RememberTokens] permits, and else the ticket, which is used up: at the next
// visit it is refused with 401, and nobody becomes somebody else without noticing.
// So a ticket for a token of Local is worth that token until it is used: serve
// addresses over TLS alone. Used, it is worth nothing but to a thief of Local's key
// directory, or TicketSecret, who has a log of addresses as well: remove the keys by
// which those tokens were signed, not only the stolen one.
//
// # Bound tokens
//
// SpacetimeDB's clients send bearer tokens, and prove nothing beside. A token that is
// bound to a certificate or a key is refused, unless a handler in front of the [Server]
// says by [github.com/oidcauth/oidcauth/possession.NewContext] what was proved: the
// certificate of the connection, for instance.
//
// # Web pages
//
// A page whose script uses the server must be among [Config.Origins], the server's
// own pages included: a name in a request proves nothing, since its owner can point
// it at any server. At an IP address and at localhost the server's own pages need
// not be named.
package spacetime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/origin"
	"github.com/oidcauth/oidcauth/internal/quote"
	"github.com/oidcauth/oidcauth/localissuer"
)

// Config says what a [Server] is like.
type Config struct {
	// Auth decides about tokens. The Issuer of Local must be among its issuers.
	// Required.
	Auth *oidcauth.Authenticator

	// Local issues tickets, and identities to those who have none. Required.
	Local *localissuer.Issuer

	// Anonymous gives whoever comes without a token a new identity, which costs
	// them nothing: what it may do is for the server to limit. False means that
	// a token is required.
	Anonymous bool

	// NoExpiry makes the tokens of new identities last for ever, as SpacetimeDB's
	// do. Local must permit it. False means its default lifetime.
	NoExpiry bool

	// Origins are the pages, such as "https://app.example.com", whose scripts may
	// use the server; "*" stands for all. A client that is no browser names none
	// and is not asked.
	//
	// Name the server's own pages here, too. Without that they count as its own
	// only at an IP address or at localhost, with the scheme of the connection
	// (behind a proxy that ends TLS, that is http): any other name could belong to
	// an attacker whose name server points it at this server, to get an anonymous
	// identity on a network that only the visitor of the attacker's page can reach.
	//
	// An origin that no browser sends, such as one that ends with a slash, is an
	// error.
	Origins []string

	// Serve serves a connection after the first message, which the Server has
	// sent; each connection has a goroutine of its own. The connection is closed
	// when Serve returns, and ctx ends when the connection does: that the client
	// has left is noticed by reading, so have something read. It acts for
	// nobody: take the caller of each message from the session's CallContext. Nil
	// means that messages are read and ignored.
	//
	// A client that does not answer a ping within half a minute has vanished, and its
	// connection is broken off. It is asked only while Serve waits for a message, since
	// nobody sees the answer otherwise, and is there while its message arrives. One that
	// takes so little of what was written before that it cannot be asked within five
	// seconds has vanished, too: write no faster than a client reads.
	Serve func(ctx context.Context, c *Conn)

	// Database is asked before a connection is upgraded, a ticket used up or an
	// identity issued, whether the caller may open the database of that name. The
	// name is what the address says: 1 to 256 bytes of UTF-8. With the context,
	// which acts for the caller, [oidcauth.Require] and [oidcauth.FromContext] tell
	// who that is: nobody, if they are going to get a new identity. It is asked by
	// those alone who may come in at all, so that others do not learn which
	// databases there are.
	//
	// [ErrNoDatabase] is answered with 404, an error of package oidcauth as
	// [oidcauth.Answer] says, and any other error, or a panic, with 500. Nil means
	// that every name is a database.
	Database func(ctx context.Context, name string) error

	// RememberTokens keeps a token of another issuer in memory, for a minute after it
	// was exchanged for a ticket, and gives it back in the first message to whoever
	// comes with the ticket. For clients that store what that message says, in place
	// of the token that they had: those for C# in a browser and for Rust in a browser
	// do. Then a ticket that is caught before its owner uses it is worth the token.
	//
	// Without, that message has the used-up ticket, which is refused at the next
	// visit with 401, and the application has to get a token as it did at first.
	// That happens, too, where another process of a cluster sold the ticket, and
	// beyond 64 MiB of tokens in a minute. A token of Local itself is given back
	// either way: the ticket has it, sealed.
	RememberTokens bool

	// InsecureQueryToken accepts a whole token as "?token=", where a ticket belongs:
	// for clients that cannot exchange it. Addresses are kept in logs and histories,
	// and a token there is good for more than one connection.
	InsecureQueryToken bool

	// MaxNameBytes bounds the length in bytes of a caller's issuer and of their
	// subject. Zero means 128, beyond which SpacetimeDB refuses a token, so that an
	// identity that gets in here would get in there. Negative means no more than Auth
	// demands: the identity is a hash, and the wire does not carry the names.
	MaxNameBytes int

	// Logger receives a line for each failure that is the server's own, and for each
	// refusal that is this package's; Auth's logger has those of tokens. Nil means no
	// logging.
	Logger *slog.Logger
}

// A Server answers SpacetimeDB's routes, and all that it does not know with 404, also a
// route's path in another spelling. Mount it at "/v1/identity", "/v1/identity/" and
// "/v1/database/{name}/subscribe", or at "/", and not inside of Middleware or Optional of
// the Authenticator, which take the token out of the request. It is safe for concurrent use.
//
// Of a token in the Authorization header and a ticket in the address the token
// counts, as with SpacetimeDB, and the ticket is not used up. The token is judged
// alone: if it is refused, so is the request.
type Server struct {
	cfg    Config
	mux    *http.ServeMux
	tokens *memory         // of other issuers; nil unless they are remembered
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.Mutex // guards closed, and conns against it
	closed bool
	conns  sync.WaitGroup
}

// New checks cfg and makes a Server. To find out early that Auth does not accept
// what Local issues, it issues a token and authenticates it, which is an error if
// it is refused. It is none where nobody can tell yet: where the revocations of a
// cluster are required, for instance, and not known. Where it is revoked, with the key that
// signs for instance, the log says so, and whoever wants an identity is answered 503.
func New(cfg Config) (*Server, error) {
	if cfg.Auth == nil || cfg.Local == nil {
		return nil, errors.New("spacetime: Config: want both Auth and Local")
	}
	for _, text := range cfg.Origins {
		if err := origin.Check(text); err != nil && text != "*" {
			return nil, fmt.Errorf("spacetime: Config.Origins: got %s: %w: want \"*\", or one as a browser sends it, such as \"https://app.example.com\"", quote.Address(text), err)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Serve == nil {
		cfg.Serve = ignoreMessages
	}
	cfg.Origins = slices.Clone(cfg.Origins)
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	if cfg.RememberTokens {
		s.tokens = newMemory(maxRemembered)
	}
	if err := s.tryIssuer(); err != nil {
		return nil, fmt.Errorf("spacetime: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for path, h := range map[string]struct {
		method string
		serve  http.HandlerFunc
	}{
		"/v1/identity":                   {http.MethodPost, s.newIdentity},
		exchangePath:                     {http.MethodPost, s.ticket},
		"/v1/identity/public-key":        {http.MethodGet, s.publicKey},
		"/v1/identity/{identity}/verify": {http.MethodGet, s.verify},
	} {
		s.mux.Handle(h.method+" "+path, s.shared(h.serve))
		s.mux.Handle("OPTIONS "+path, s.preflight(h.method))
	}
	s.mux.HandleFunc("GET /v1/database/{name}/subscribe", s.subscribe)
	return s, nil
}

// tryIssuer makes sure that what Local issues, Auth accepts, if that can be told yet. That it
// is revoked is no mistake of the configuration: those with tokens of other issuers must not
// be left without a server that starts again.
func (s *Server) tryIssuer() error {
	err := within(context.Background(), 10*time.Second, func(ctx context.Context) error {
		_, _, err := s.issue(ctx)
		return err
	})
	if errors.Is(err, errOwnRevoked) {
		s.cfg.Logger.LogAttrs(context.Background(), slog.LevelError, "nobody gets an identity", slog.String("error", err.Error()))
		return nil
	}
	if unknown(err) && !errors.Is(err, oidcauth.ErrClosed) {
		return nil
	}
	return err
}

// within calls a function with a context that ends after a time, and with the call.
func within(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}

// ServeHTTP answers one request. That of a WebSocket returns when the connection
// has ended.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.isMade() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "this server was not made by spacetime.New", http.StatusServiceUnavailable)
		return
	}
	if !isClean(r.URL.EscapedPath()) {
		http.NotFound(w, r)
		return
	}
	s.mux.ServeHTTP(w, r.WithContext(s.cfg.Auth.CallerContext(r)))
}

// isClean reports whether a path is in the one spelling that routes have. From any other
// the mux would lead on to that one, by an answer that repeats a ticket of the query.
func isClean(escaped string) bool {
	clean := path.Clean("/" + escaped)
	return escaped == clean || clean != "/" && escaped == clean+"/"
}

// Close ends all connections and waits until they are closed, no longer than
// ctx permits: then it returns the cause of ctx. Later connections are refused
// with status 503; the routes below /v1/identity are still served. The
// Authenticator and the local issuer stay open. It may be called more than once.
func (s *Server) Close(ctx context.Context) error {
	if !s.isMade() {
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	done := make(chan struct{})
	go func() { // ends with the last connection
		s.conns.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// isMade reports whether New made the server.
func (s *Server) isMade() bool { return s != nil && s.mux != nil }

// enter counts a connection unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns.Add(1)
	return true
}
