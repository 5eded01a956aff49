package spacetime

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
)

const (
	writeTimeout = 10 * time.Second
	pingInterval = 30 * time.Second
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
}

// Read returns the client's next message. Once the session has ended it returns
// none, and the session's cause as error. If ctx ends first, the connection is
// broken off: use the ctx of Serve, or one derived from it.
func (c *Conn) Read(ctx context.Context) ([]byte, error) {
	_, message, err := c.socket.Read(ctx)
	if c.Session.Context().Err() != nil {
		return nil, context.Cause(c.Session.Context())
	}
	return message, err
}

// Write sends a message, as text in a JSON subprotocol and else as bytes. It waits
// for a slow client until ctx ends, and then breaks the connection off.
func (c *Conn) Write(ctx context.Context, message []byte) error {
	kind := websocket.MessageBinary
	if c.Protocol == protocolV1JSON {
		kind = websocket.MessageText
	}
	return c.socket.Write(ctx, kind, message)
}

// SetReadLimit bounds the size in bytes of a message that is read, 32 KiB at first.
// A larger one closes the connection.
func (c *Conn) SetReadLimit(bytes int64) { c.socket.SetReadLimit(bytes) }

// ignoreMessages serves a connection that nobody listens to. It notices a client
// that has vanished.
func ignoreMessages(ctx context.Context, c *Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with ctx
		defer cancel()
		for c.ping(ctx) == nil {
			select {
			case <-time.After(pingInterval):
			case <-ctx.Done():
			}
		}
	}()
	for {
		if _, err := c.Read(ctx); err != nil {
			return
		}
	}
}

func (c *Conn) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingInterval)
	defer cancel()
	return c.socket.Ping(ctx)
}

// A caller is who opens a connection, and the token to tell it.
type caller struct {
	claims *oidcauth.Claims
	token  string // for the first message; empty for a ticket
}

// subscribe answers GET /v1/database/{name}/subscribe. Everything that can be
// wrong with the request is found out before a ticket is used up.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	c := &Conn{Database: r.PathValue("name")}
	who, err := s.open(c, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if !s.enter() {
		s.refuse(w, r, oidcauth.ErrClosed)
		return
	}
	defer s.conns.Done()
	name(w, who.claims, who.token)
	c.socket, err = websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{c.Protocol},
		// checkOrigin has done it.
		InsecureSkipVerify: true,
	})
	if err != nil {
		return // Accept has answered
	}
	defer c.socket.CloseNow()
	c.Session = s.cfg.Auth.NewSession(r.Context(), who.claims)
	defer c.Session.Close()
	s.run(c, who)
}

// open reads everything that the request says.
func (s *Server) open(c *Conn, r *http.Request) (caller, error) {
	token, tokenErr := oidcauth.QueryToken("token")(r)
	if err := s.checkOrigin(r); err != nil {
		return caller{}, err
	}
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return caller{}, malformed("no WebSocket handshake", "one")
	}
	var err error
	if c.Protocol, err = chooseProtocol(r); err != nil {
		return caller{}, err
	}
	if c.ID, err = connectionID(r.URL.Query()); err != nil {
		return caller{}, err
	}
	if _, present := r.Header["Authorization"]; present {
		claims, token, err := s.bearer(r)
		return caller{claims, token}, err
	}
	switch {
	case tokenErr == nil:
		claims, err := s.cfg.Auth.AuthenticateTicket(r, token, c.Database)
		return caller{claims: claims}, err
	case errors.Is(tokenErr, oidcauth.ErrNoToken) && s.cfg.Anonymous:
		token, claims, err := s.issue(r.Context())
		return caller{claims, token}, err
	}
	return caller{}, tokenErr
}

// chooseProtocol returns the subprotocol that the server likes best of those
// offered (RFC 6455, section 4.2.2).
func chooseProtocol(r *http.Request) (string, error) {
	var offered []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(line, ",") {
			offered = append(offered, strings.TrimSpace(p))
		}
	}
	for _, p := range protocols {
		if slices.Contains(offered, p) {
			return p, nil
		}
	}
	return "", malformed("no subprotocol of SpacetimeDB's", "one of "+strings.Join(protocols[:], ", "))
}

// connectionID returns the number that the client has chosen, or a random one.
func connectionID(query url.Values) (ConnectionID, error) {
	chosen := query["connection_id"]
	switch len(chosen) {
	case 0:
		var id ConnectionID
		rand.Read(id[:])
		return id, nil
	case 1:
		return parseConnectionID(chosen[0])
	}
	return ConnectionID{}, malformed("several connection_id parameters", "one")
}

// run serves an open connection until its session ends, the server is closed or
// Serve returns.
func (s *Server) run(c *Conn, who caller) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// The client is told why before its socket goes: so ctx, with which reads and
	// writes break the connection off, ends after that.
	end := func(cause error) func() {
		return func() {
			code, reason := oidcauth.CloseCode(cause)
			c.socket.Close(websocket.StatusCode(code), reason)
			cancel()
		}
	}
	session := c.Session.Context()
	stopSession := context.AfterFunc(session, func() { end(context.Cause(session))() })
	defer stopSession()
	stopServer := context.AfterFunc(s.ctx, end(oidcauth.ErrClosed))
	defer stopServer()

	if err := s.greet(ctx, c, who); err != nil {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "first message not sent", slog.String("error", err.Error()))
		return
	}
	s.cfg.Serve(ctx, c)
	if stopSession() && stopServer() {
		c.socket.Close(websocket.StatusNormalClosure, "")
		return
	}
	<-ctx.Done() // until the client has been told why
}

// greet sends the first message.
func (s *Server) greet(ctx context.Context, c *Conn, who caller) error {
	message, err := firstMessage(c.Protocol, who.claims.Identity(), c.ID, who.token)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return c.Write(ctx, message)
}
