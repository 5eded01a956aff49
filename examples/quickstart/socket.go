package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// socketLimit is how long the story waits for a frame.
const socketLimit = 10 * time.Second

// socket is a client's end of a WebSocket, for one goroutine.
type socket struct {
	conn     *websocket.Conn
	sent     uint64
	warnings []database.Warning // that came while it waited for something else
}

// received is a frame from the server: a warning, or else a reply.
type received struct {
	database.Warning
	ID          uint64          `json:"id"`
	Status      int             `json:"status"`
	Result      json.RawMessage `json:"result"`
	Description string          `json:"error_description"`
}

// dial opens a WebSocket the way a page in a browser has to: the token goes
// beside the subprotocol, for there is no header a page could set.
func (c caller) dial(ctx context.Context) (*socket, error) {
	bearer := "bearer." + base64.RawURLEncoding.EncodeToString([]byte(c.token))
	conn, response, err := websocket.Dial(ctx, c.base+"/v1/connect", &websocket.DialOptions{
		Subprotocols: []string{database.Subprotocol, bearer},
	})
	if err != nil && response != nil {
		return nil, fmt.Errorf("WebSocket refused with status %d", response.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	return &socket{conn: conn}, nil
}

func (k *socket) leave() { k.conn.Close(websocket.StatusNormalClosure, "") }

func (k *socket) read(ctx context.Context) (got received, err error) {
	ctx, cancel := context.WithTimeout(ctx, socketLimit)
	defer cancel()
	err = wsjson.Read(ctx, k.conn, &got)
	return got, err
}

// send is what a step does that sends one frame and waits for its reply.
func (k *socket) send(frame database.Frame) func(context.Context) (outcome, error) {
	return func(ctx context.Context) (outcome, error) {
		k.sent++
		frame.ID = k.sent
		if err := wsjson.Write(ctx, k.conn, frame); err != nil {
			return outcome{}, err
		}
		for {
			got, err := k.read(ctx)
			switch {
			case err != nil:
				return outcome{}, err
			case got.Warning.Warning != "":
				k.warnings = append(k.warnings, got.Warning)
			case got.ID != frame.ID:
				return outcome{}, fmt.Errorf("reply to another frame: got %d, want %d", got.ID, frame.ID)
			default:
				return outcome{got.Status, got.Description, got.Result}, nil
			}
		}
	}
}

// warned waits for the warning that the token with that expiry is about to
// expire.
func (k *socket) warned(expiry time.Time) func(context.Context) (outcome, error) {
	return func(ctx context.Context) (outcome, error) {
		if len(k.warnings) == 0 {
			got, err := k.read(ctx)
			if err != nil {
				return outcome{}, err
			}
			k.warnings = append(k.warnings, got.Warning)
		}
		warning, left := k.warnings[0], time.Until(expiry)
		k.warnings = k.warnings[1:]
		if warning.Warning != "expiring" || !warning.Expires.Equal(expiry) || left <= 0 {
			return outcome{}, fmt.Errorf("got a warning %q of %v, want one of %v before it", warning.Warning, warning.Expires, expiry)
		}
		return outcome{description: fmt.Sprintf("the token expires in %.1f s: send another", left.Seconds())}, nil
	}
}

// closed waits for the server to close the socket, and not before a moment.
func (k *socket) closed(reason string, notBefore time.Time) func(context.Context) (outcome, error) {
	return func(ctx context.Context) (outcome, error) {
		var err error
		for err == nil {
			_, err = k.read(ctx)
		}
		var end websocket.CloseError
		switch {
		case !errors.As(err, &end):
			return outcome{}, err
		case end.Reason != reason:
			return outcome{}, fmt.Errorf("closed for another reason: got %q, want %q", end.Reason, reason)
		case time.Now().Before(notBefore):
			return outcome{}, fmt.Errorf("closed %v before its time", time.Until(notBefore))
		}
		return outcome{status: int(end.Code), description: end.Reason}, nil
	}
}
