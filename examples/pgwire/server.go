package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oauthbearer"
)

const (
	// handshakeTime is how long a client has from the connection to its token.
	handshakeTime = 10 * time.Second

	// partingTime is how long the last message to a client may take.
	partingTime = 5 * time.Second

	// acceptPause is how long the server waits when it has no descriptor left.
	acceptPause = 100 * time.Millisecond

	// maxMessage bounds what a client sends at once, its token among it. It has to
	// be above the Authenticator's own limit for tokens.
	maxMessage = 64 << 10
)

// SQLSTATE codes.
const (
	adminShutdown       = "57P01"
	cannotConnectNow    = "57P03"
	featureNotSupported = "0A000"
	invalidAuth         = "28000"
	insufficient        = "42501"
	internalError       = "XX000"
	protocolViolation   = "08P01"
	syntaxError         = "42601"
)

// A server speaks the PostgreSQL protocol, version 3, to clients whose password is a
// token, or who send one by SASL OAUTHBEARER: the protocol has a server ask for one of
// these, and not for either.
type server struct {
	auth      *oidcauth.Authenticator
	tls       *tls.Config            // nil: none, so that only clients of this machine may come
	challenge *oauthbearer.Challenge // of OAUTHBEARER; nil: the password is the token
	logger    *slog.Logger
}

// serve accepts connections until ctx ends, and waits for them to end too.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case isPassing(err):
			s.logger.LogAttrs(ctx, slog.LevelWarn, "no connection accepted for a moment", slog.String("reason", err.Error()))
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		case err != nil:
			return err
		}
		wg.Go(func() { s.handle(ctx, conn) })
	}
}

// isPassing reports whether a listener that failed is good for more: whoever opens so
// many connections that no descriptor is left must not end the server for all.
func isPassing(err error) bool {
	failed, ok := errors.AsType[interface {
		error
		Temporary() bool // which net/http goes by, too
	}](err)
	return ok && failed.Temporary()
}

// handle speaks to one client.
func (s *server) handle(ctx context.Context, conn net.Conn) {
	defer func() { conn.Close() }()
	conn.SetDeadline(time.Now().Add(handshakeTime))
	conn, backend, err := s.greet(conn)
	if err != nil {
		return
	}
	ctx = fromAddress(ctx, conn)
	c := &client{server: s, conn: conn, backend: backend}
	claims, err := c.logIn(ctx)
	if errors.Is(err, errAsked) {
		c.fatal(err)
		return
	}
	if err != nil {
		c.fatal(err)
		s.logger.LogAttrs(ctx, slog.LevelInfo, "client refused", slog.String("reason", err.Error()))
		return
	}
	conn.SetDeadline(time.Time{})
	c.session = s.auth.NewSession(ctx, claims)
	defer c.session.Close()
	defer context.AfterFunc(ctx, c.session.Close)()
	// A client that waits for nothing is told too, and one that takes nothing
	// does not hold the connection.
	defer context.AfterFunc(c.session.Context(), func() {
		c.fatal(context.Cause(c.session.Context()))
		conn.Close()
	})()
	c.answerQueries()
	if ended := c.session.Context(); ended.Err() != nil {
		c.fatal(context.Cause(ended)) // before the connection is closed
	}
}

// A client is one connection whose startup message was read.
type client struct {
	server  *server
	conn    net.Conn
	session *oidcauth.Session

	backend *pgproto3.Backend

	mu   sync.Mutex // guards sending, over
	over bool       // the last message was sent
}

var errOver = errors.New("the connection is over")

// send sends messages together.
func (c *client) send(messages ...pgproto3.BackendMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return errOver
	}
	return c.sendLocked(messages...)
}

func (c *client) sendLocked(messages ...pgproto3.BackendMessage) error {
	for _, m := range messages {
		c.backend.Send(m)
	}
	return c.backend.Flush()
}

// fatal sends the last message of a connection, unless it was sent before.
func (c *client) fatal(err error) {
	c.conn.SetWriteDeadline(time.Now().Add(partingTime))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	code, message := fatalText(err)
	c.sendLocked(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
}

// A violation is an error of the client that is no refusal of a token.
type violation struct{ code, message string }

func (v *violation) Error() string { return v.message }

// fatalText returns the message that ends a connection. The text is fixed for each kind of
// refusal; what exactly was got and wanted is not for the client.
func fatalText(err error) (code, message string) {
	if v, ok := errors.AsType[*violation](err); ok {
		return v.code, v.message
	}
	status, _, message := oidcauth.Answer(err)
	switch {
	case errors.Is(err, oidcauth.ErrClosed):
		return adminShutdown, message
	case status == http.StatusServiceUnavailable:
		return cannotConnectNow, message
	case status == http.StatusInternalServerError:
		return internalError, message
	}
	return invalidAuth, message
}

// answerQueries answers what the client asks until either side has enough.
func (c *client) answerQueries() {
	skipping := false // until the client synchronizes
	for {
		message, err := c.backend.Receive()
		if err != nil {
			if !errors.Is(err, io.EOF) && c.session.Context().Err() == nil {
				c.fatal(&violation{protocolViolation, "a message that cannot be read"})
			}
			return
		}
		switch m := message.(type) {
		case *pgproto3.Query:
			answer := c.answer(m.String)
			if answer == nil {
				return
			}
			err = c.send(append(answer, readyForQuery)...)
		case *pgproto3.Sync:
			skipping = false
			err = c.send(readyForQuery)
		case *pgproto3.Terminate:
			return
		default:
			if !skipping {
				skipping = true
				err = c.send(failure(featureNotSupported, "the extended query protocol is not part of this example"))
			}
		}
		if err != nil {
			return
		}
	}
}
