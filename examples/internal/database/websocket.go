package database

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
)

// Subprotocol is what a WebSocket client offers, beside "bearer." and its token
// if it can set no header.
const Subprotocol = "messages.v1"

// Frame is what a client sends: one of Call, View and Run names a function, or
// Renew is a new token of the same caller, under which the socket goes on.
type Frame struct {
	ID   uint64          `json:"id"`
	Call string          `json:"call,omitempty"`
	View string          `json:"view,omitempty"`
	Run  string          `json:"run,omitempty"`
	Args json.RawMessage `json:"args,omitempty"`

	Renew string `json:"renew,omitempty"`
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

// socket is one WebSocket and its caller.
type socket struct {
	*Server
	conn    *websocket.Conn
	request context.Context   // ends with the server
	session *oidcauth.Session // nil for a caller without a token
}

// connect serves one WebSocket until the client leaves, the server stops, or
// the caller's token is no longer good and has not been renewed.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	s.sockets.Add(1)
	defer s.sockets.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}})
	if err != nil {
		return // Accept has answered.
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != Subprotocol {
		conn.Close(websocket.StatusPolicyViolation, "want subprotocol "+Subprotocol)
		return
	}
	k := &socket{Server: s, conn: conn, request: r.Context()}
	if claims, known := oidcauth.FromContext(r.Context()); known {
		k.session = s.auth.NewSession(r.Context(), claims)
		defer k.session.Close()
		defer context.AfterFunc(r.Context(), k.session.Close)()
		defer context.AfterFunc(k.session.Context(), k.sayWhy)()
	} else {
		defer context.AfterFunc(r.Context(), k.sayWhy)()
	}
	k.serveFrames()
}

// sayWhy closes the socket with the reason for which its caller may not go on.
func (k *socket) sayWhy() {
	cause := oidcauth.ErrClosed
	if k.session != nil {
		cause = context.Cause(k.session.Context())
	}
	code, reason := oidcauth.CloseCode(cause)
	k.conn.Close(websocket.StatusCode(code), reason)
}

// callContext returns a context for one call of the caller.
func (k *socket) callContext() context.Context {
	if k.session == nil {
		return k.request
	}
	return k.session.CallContext()
}

// serveFrames answers one frame after the other. Reading ends with the
// connection and not with the session, so that there is still somebody to tell
// why.
func (k *socket) serveFrames() {
	reading := context.WithoutCancel(k.request)
	for {
		var frame Frame
		if err := wsjson.Read(reading, k.conn, &frame); err != nil {
			return
		}
		ctx := k.callContext()
		if err := wsjson.Write(ctx, k.conn, k.reply(ctx, frame)); err != nil {
			return
		}
	}
}

func (k *socket) reply(ctx context.Context, frame Frame) Reply {
	result, err := k.invoke(ctx, frame)
	if err == nil {
		return Reply{ID: frame.ID, Status: http.StatusOK, Result: result}
	}
	k.report(ctx, err)
	f := faultOf(err)
	return Reply{ID: frame.ID, Status: f.Status, Error: f.Code, Description: f.Description}
}

func (k *socket) invoke(ctx context.Context, frame Frame) (any, error) {
	asked := 0
	for _, name := range []string{frame.Call, frame.View, frame.Run, frame.Renew} {
		if name != "" {
			asked++
		}
	}
	switch {
	case asked != 1:
	case frame.Call != "":
		return k.db.Call(ctx, frame.Call, frame.Args)
	case frame.View != "":
		return k.db.View(ctx, frame.View)
	case frame.Run != "":
		return k.db.Run(ctx, frame.Run, frame.Args)
	case frame.Renew != "":
		return k.renew(ctx, frame.Renew)
	}
	return nil, fmt.Errorf("%w: want one of call, view, run and renew", ErrArguments)
}

// renew puts the session under another token of the same caller, which the
// database must admit like the first.
func (k *socket) renew(ctx context.Context, token string) (any, error) {
	if k.session == nil {
		return nil, fmt.Errorf("%w: a socket that was opened without a token cannot be renewed", ErrArguments)
	}
	claims, err := k.auth.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := k.db.Connect(oidcauth.NewContext(ctx, claims)); err != nil {
		return nil, err
	}
	if claims, err = k.session.Renew(ctx, token); err != nil {
		return nil, err
	}
	return map[string]any{"expires_at": claims.Expiry().UTC()}, nil
}
