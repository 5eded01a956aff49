package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
)

// Subprotocol is what a WebSocket client offers, beside "bearer." and its token
// if it can set no header.
const Subprotocol = "messages.v1"

// statusUnauthorized closes a socket whose token is no longer good. It is
// registered with IANA for that.
const statusUnauthorized websocket.StatusCode = 3000

// Frame is what a client sends: one of Call, View and Run names a function.
type Frame struct {
	ID   uint64          `json:"id"`
	Call string          `json:"call,omitempty"`
	View string          `json:"view,omitempty"`
	Run  string          `json:"run,omitempty"`
	Args json.RawMessage `json:"args,omitempty"`
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

// connect serves one WebSocket until the client leaves, the server stops, or
// the token that opened it expires.
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
	ctx, cancel := untilExpiry(r.Context())
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close(closeReason(ctx)) })()
	s.serveFrames(ctx, conn)
}

// serveFrames answers one frame after the other. Reading ends with the
// connection and not with ctx, so that there is still somebody to tell why.
func (s *Server) serveFrames(ctx context.Context, conn *websocket.Conn) {
	reading := context.WithoutCancel(ctx)
	for {
		var frame Frame
		if err := wsjson.Read(reading, conn, &frame); err != nil {
			return
		}
		if err := wsjson.Write(ctx, conn, s.reply(ctx, frame)); err != nil {
			return
		}
	}
}

func (s *Server) reply(ctx context.Context, frame Frame) Reply {
	result, err := s.invoke(ctx, frame)
	if err == nil {
		return Reply{ID: frame.ID, Status: http.StatusOK, Result: result}
	}
	s.report(ctx, err)
	f := faultOf(err)
	return Reply{ID: frame.ID, Status: f.Status, Error: f.Code, Description: f.Description}
}

func (s *Server) invoke(ctx context.Context, frame Frame) (any, error) {
	switch {
	case frame.Call != "" && frame.View == "" && frame.Run == "":
		return s.db.Call(ctx, frame.Call, frame.Args)
	case frame.View != "" && frame.Call == "" && frame.Run == "":
		return s.db.View(ctx, frame.View)
	case frame.Run != "" && frame.Call == "" && frame.View == "":
		return s.db.Run(ctx, frame.Run, frame.Args)
	}
	return nil, fmt.Errorf("%w: want one of call, view and run", ErrArguments)
}

// untilExpiry returns a context that ends when the caller's token does.
func untilExpiry(ctx context.Context) (context.Context, context.CancelFunc) {
	claims, known := oidcauth.FromContext(ctx)
	if !known || claims.Expiry().IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, claims.Expiry(), oidcauth.ErrExpired)
}

func closeReason(ctx context.Context) (websocket.StatusCode, string) {
	if errors.Is(context.Cause(ctx), oidcauth.ErrExpired) {
		return statusUnauthorized, "token expired"
	}
	return websocket.StatusGoingAway, "server stops"
}
