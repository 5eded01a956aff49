package spacetime

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
)

const (
	writeTimeout = 10 * time.Second
	// closeTimeout is for the client to take why it ends, and to go. It is less than the
	// library waits where it has a limit.
	closeTimeout = 4 * time.Second
)

// A Conn is one client's WebSocket. Read and Write may be used at the same time,
// each by one goroutine.
type Conn struct {
	// Database is the name in the address.
	Database string

	// ID is the connection's number, the client's choice or a random one.
	ID ConnectionID

	// Protocol is the subprotocol that the client and the server agreed on, one
	// of "v3.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v1.bsatn.spacetimedb"
	// and "v1.json.spacetimedb".
	Protocol string

	// Session is what the client may do and for how long. The connection is
	// closed when it ends, and it ends with the connection.
	Session *oidcauth.Session

	socket *websocket.Conn
	below  net.Conn           // on which the socket is
	end    context.CancelFunc // of the context that Serve gets

	reads  atomic.Int64 // one more when Read begins, and when it ends: odd between; two for each piece
	writes atomic.Int64 // how many go on
}

// Read returns the client's next message. Once the session has ended it returns
// none, and the session's cause as error. If ctx ends first, the connection is
// broken off: use the ctx of Serve, or one derived from it.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	c.reads.Add(1)
	message, err := c.readPieces(ctx)
	c.reads.Add(1)
	if c.Session.Context().Err() != nil {
		return nil, context.Cause(c.Session.Context())
	}
	if err != nil {
		c.end() // the library has closed the connection, or the client has
	}
	return message, err
}

// Write sends a message, as text in a JSON subprotocol and else as bytes. It waits
// for a slow client until ctx ends, and then breaks the connection off. Once the session
// has ended it sends nothing, and returns the session's cause: the client has no more
// right to what the message says.
func (c *Conn) Write(ctx context.Context, message []byte) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	if c.Session.Context().Err() != nil {
		return context.Cause(c.Session.Context())
	}
	return c.write(ctx, message)
}

// write is Write whatever the session.
func (c *Conn) write(ctx context.Context, message []byte) error {
	kind := websocket.MessageBinary
	if c.Protocol == protocolV1JSON {
		kind = websocket.MessageText
	}
	c.writes.Add(1)
	defer c.writes.Add(-1)
	return c.socket.Write(ctx, kind, message)
}

// Close closes the connection with a code (RFC 6455, section 7.4) and a reason of at most
// 123 bytes. Without it a client gets code 1000 when Serve returns. It waits up to four
// seconds for the client, and does nothing where the connection is being closed already.
func (c *Conn) Close(code int, reason string) error {
	if !c.isMade() {
		return errUnmade
	}
	return c.close(code, reason)
}

// close has the library close the connection, and breaks it off where that takes too long:
// the library alone may wait without end for a client to go, which would hold the connection
// open, and all that serves it. It is broken off below the library, which waits for itself,
// for fifteen seconds, where its CloseRead is called for that and finds a message.
func (c *Conn) close(code int, reason string) error {
	defer time.AfterFunc(closeTimeout, func() { c.below.Close() }).Stop()
	return c.socket.Close(websocket.StatusCode(code), reason)
}

// SetReadLimit bounds the size in bytes of a message that is read, 32 KiB at first.
// A larger one closes the connection. Negative means that there is no bound.
func (c *Conn) SetReadLimit(bytes int64) {
	if c.isMade() {
		c.socket.SetReadLimit(bytes)
	}
}

// errUnmade is the error of a connection that is none, and errNoContext of a call
// without a context.
var (
	errUnmade    = errors.New("spacetime: a Conn that no Server made")
	errNoContext = errors.New("spacetime: got a nil context, want the one of Serve")
)

func (c *Conn) isMade() bool { return c != nil && c.socket != nil }

// check refuses what would panic, in a goroutine that ends the process perhaps.
func (c *Conn) check(ctx context.Context) error {
	switch {
	case !c.isMade():
		return errUnmade
	case ctx == nil:
		return errNoContext
	}
	return nil
}

// ignoreMessages serves a connection that nobody listens to.
func ignoreMessages(ctx context.Context, c *Conn) {
	for {
		if _, err := c.Read(ctx); err != nil {
			return
		}
	}
}

// subscribe answers GET /v1/database/{name}/subscribe. All that the request says is
// judged before a ticket is used up, or a token issued.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	token, tokenErr := oidcauth.QueryToken("token")(r)
	if err := s.checkOrigin(r); err != nil {
		s.refuse(w, r, err)
		return
	}
	c, err := s.readHandshake(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if !s.enter() {
		s.refuse(w, r, oidcauth.ErrClosed)
		return
	}
	defer s.conns.Done()
	who, err := s.identify(r, c, token, tokenErr)
	if err == nil {
		err = s.admit(r.Context(), c, &who)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.serve(w, r, c, who)
}

// serve upgrades the connection and serves it.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *Conn, who caller) {
	h := w.Header()
	h.Set(headerIdentity, who.claims.Identity().String())
	h.Set(headerToken, who.token)
	h.Set("Cache-Control", "no-store")
	r.Header.Set("Sec-WebSocket-Protocol", c.Protocol)
	var err error
	if c.socket, c.below, err = upgrade(w, r, c.Protocol); err != nil {
		return // the client has gone
	}
	c.Session = s.cfg.Auth.NewSession(r.Context(), who.claims)
	defer c.Session.Close()
	s.run(c, who)
}

// run serves an open connection until its session ends, the server is closed or
// Serve returns.
func (s *Server) run(c *Conn, who caller) {
	defer c.socket.CloseNow() // before the session ends, of which nobody is told then
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.end = cancel
	ending, end := context.WithCancelCause(c.Session.Context())
	stopServer := context.AfterFunc(s.ctx, func() { end(oidcauth.ErrClosed) })
	defer stopServer()
	// The client is told why before its socket goes: so ctx, with which reads and
	// writes break the connection off, ends after that.
	stopEnding := context.AfterFunc(ending, func() {
		code, reason := oidcauth.CloseCode(context.Cause(ending))
		c.close(code, reason)
		cancel()
	})

	if err := s.greet(ctx, c, who); err != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "first message not sent", slog.String("error", err.Error()))
		return
	}
	forget := c.watch(ctx, func() {
		c.socket.CloseNow()
		cancel()
	})
	defer forget()
	defer cancel() // before that
	s.cfg.Serve(ctx, c)
	if stopEnding() {
		c.close(int(websocket.StatusNormalClosure), "")
		return
	}
	<-ctx.Done() // until the client has been told why
}

// greet sends the first message.
func (s *Server) greet(ctx context.Context, c *Conn, who caller) error {
	return within(ctx, writeTimeout, func(ctx context.Context) error {
		return c.write(ctx, firstMessage(c.Protocol, who.claims.Identity(), c.ID, who.token))
	})
}
