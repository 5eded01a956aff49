// Package firstmessage takes the token of a WebSocket from its first message, as clients
// of GraphQL send it ("connection_init").
package firstmessage

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
)

// patience is how long a connection of nobody is kept.
const patience = 10 * time.Second

// Begin waits for the first message of a connection that r has opened, and begins the
// session of the token in it. Otherwise it closes the connection, and says why.
func Begin(auth *oidcauth.Authenticator, r *http.Request, conn *websocket.Conn) (*oidcauth.Session, error) {
	ctx, cancel := context.WithTimeout(auth.CallerContext(r), patience)
	defer cancel()
	// Close alone may wait for a client without end.
	defer context.AfterFunc(ctx, func() { conn.CloseRead(ctx) })()
	var first struct {
		Payload struct {
			Authorization string `json:"Authorization"`
		} `json:"payload"`
	}
	if err := wsjson.Read(ctx, conn, &first); err != nil {
		conn.CloseNow()
		return nil, err
	}
	token, _ := strings.CutPrefix(first.Payload.Authorization, "Bearer ")
	claims, err := auth.Authenticate(ctx, token)
	if token == "" {
		err = oidcauth.ErrNoToken // no token is not a bad one
	}
	if err != nil {
		code, reason := oidcauth.CloseCode(err)
		conn.Close(websocket.StatusCode(code), reason)
		return nil, err
	}
	// It keeps the caller's address, on whose account renewals are, and not the end of ctx.
	return auth.NewSession(ctx, claims), nil
}
