package database

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
)

const (
	// Subprotocol is what a WebSocket client offers, beside "bearer." and its
	// token if it can set no header.
	Subprotocol = "messages.v1"

	// maxFrame bounds a frame, a new token included.
	maxFrame = 32 << 10

	// maxWaiting is how many frames of a socket wait for the one that is served.
	maxWaiting = 16

	// writeLimit is how long a client may take to receive a frame.
	writeLimit = 10 * time.Second

	// closeLimit is how long a client may take to be told why its socket ends, and to go:
	// less than the library waits where it has a limit.
	closeLimit = 4 * time.Second
)

// Frame is what a client sends. One of Call, View and Run names a function, or
// Renew is a token for the socket to go on with. A Frame may hold a token: do not
// log it.
type Frame struct {
	ID    uint64          `json:"id"`
	Call  string          `json:"call,omitempty"`
	View  string          `json:"view,omitempty"`
	Run   string          `json:"run,omitempty"`
	Args  json.RawMessage `json:"args,omitempty"`
	Renew string          `json:"renew,omitempty"`
}

// Reply answers the frame with the same ID: Result if Status is 200, or else
// Error and Description.
type Reply struct {
	ID          uint64 `json:"id"`
	Status      int    `json:"status"`
	Result      any    `json:"result,omitempty"`
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// Warning is what the server sends unasked, before it closes a socket whose
// token expires: the moment to send another in [Frame].Renew.
type Warning struct {
	Warning string    `json:"warning"`    // always "expiring"
	Expires time.Time `json:"expires_at"` // the token's expiry
}

// Renewed is the result of a frame that renewed its socket.
type Renewed struct {
	Expires time.Time `json:"expires_at"`
}

// connect serves one WebSocket until the client leaves, the server stops, or
// the client's token would no longer be accepted.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	s.sockets.Add(1)
	defer s.sockets.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}})
	if err != nil {
		return // Accept has answered.
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != Subprotocol {
		goodbye(conn, websocket.StatusPolicyViolation, "want subprotocol "+Subprotocol)
		return
	}
	conn.SetReadLimit(maxFrame)
	s.newSocket(r.Context(), conn).serve(r.Context())
}

// A socket is one client's connection. It lives as long as ctx, and a frame acts
// for whomever it acts for when the frame is served.
type socket struct {
	server  *Server
	conn    *websocket.Conn
	session *oidcauth.Session // nil for a client without a token
	ctx     context.Context
	end     func()
}

// newSocket takes the caller from the context of the request. That ends with the
// server, and the session does not end with it: see serve.
func (s *Server) newSocket(request context.Context, conn *websocket.Conn) *socket {
	k := &socket{server: s, conn: conn}
	claims, known := oidcauth.FromContext(request)
	if !known {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(request))
		k.ctx, k.end = ctx, func() { cancel(oidcauth.ErrClosed) }
		return k
	}
	k.session = s.auth.NewSession(request, claims)
	k.ctx, k.end = k.session.Context(), k.session.Close
	if s.WarnBefore > 0 {
		k.session.OnExpiring(s.WarnBefore, k.warn)
	}
	return k
}

// serve returns when the client has left, or has been told why the socket ends.
func (k *socket) serve(request context.Context) {
	defer k.end()
	defer context.AfterFunc(request, k.end)()
	told := make(chan struct{})
	stop := context.AfterFunc(k.ctx, func() {
		defer close(told)
		code, reason := oidcauth.CloseCode(context.Cause(k.ctx))
		goodbye(k.conn, websocket.StatusCode(code), reason)
	})
	k.serveFrames()
	if !stop() {
		<-told
	}
}

// serveFrames answers one frame after the other, but for new tokens: whoever reads takes
// these, since a slow function must not hold up a renewal until the session has ended.
func (k *socket) serveFrames() {
	frames := make(chan Frame, maxWaiting)
	go func() {
		defer close(frames)
		defer k.end() // what waits is called by nobody any more
		k.read(frames)
	}()
	for frame := range frames {
		_ = k.send(k.reply(frame)) // a client that left is noticed by the reader
	}
}

// read takes in frames. It ends with the connection and not with the session, so that
// there is still somebody to tell why.
func (k *socket) read(frames chan<- Frame) {
	for {
		_, text, err := k.conn.Read(context.WithoutCancel(k.ctx))
		if err != nil {
			return
		}
		var frame Frame
		if err := json.Unmarshal(text, &frame); err != nil {
			goodbye(k.conn, websocket.StatusInvalidFramePayloadData, "want a frame")
			return
		}
		if frame.Renew != "" {
			_ = k.send(k.reply(frame))
			continue
		}
		select {
		case frames <- frame:
		default:
			_ = k.send(Reply{ID: frame.ID, Status: http.StatusTooManyRequests, Error: "busy", Description: "too many calls wait"})
		}
	}
}

// goodbye tells a client why its socket ends, and breaks the connection off where that takes
// too long: Close alone may wait for the client without end.
func goodbye(conn *websocket.Conn, code websocket.StatusCode, reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.CloseRead(ctx) })()
	conn.Close(code, reason)
}

// send writes one frame. It does not stop when the session ends: a write that is
// broken off takes the connection with it, before the client is told why.
func (k *socket) send(frame any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.ctx), writeLimit)
	defer cancel()
	return wsjson.Write(ctx, k.conn, frame)
}

// warn tells the client that its token expires. It runs in its own goroutine,
// which ends with the connection.
func (k *socket) warn() {
	// The only error is a client that left.
	_ = k.send(Warning{Warning: "expiring", Expires: k.session.Claims().Expiry()})
}
