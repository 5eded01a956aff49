package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

const answerLimit = 1 << 20

// caller is a client of the database: a name for the story and a token, which
// may be none.
type caller struct {
	name  string
	base  string // URL of the server
	token string
}

// outcome is what a call came to.
type outcome struct {
	status      int
	description string
	result      json.RawMessage
}

func (c caller) call(ctx context.Context, reducer, args string) (outcome, error) {
	return c.send(ctx, http.MethodPost, "/v1/call/"+reducer, args)
}

func (c caller) view(ctx context.Context, view string) (outcome, error) {
	return c.send(ctx, http.MethodGet, "/v1/view/"+view, "")
}

func (c caller) run(ctx context.Context, procedure string) (outcome, error) {
	return c.send(ctx, http.MethodPost, "/v1/run/"+procedure, "")
}

func (c caller) send(ctx context.Context, method, path, body string) (outcome, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return outcome{}, err
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return outcome{}, err
	}
	defer response.Body.Close()
	var answer struct {
		Result      json.RawMessage `json:"result"`
		Description string          `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, answerLimit)).Decode(&answer); err != nil {
		return outcome{}, fmt.Errorf("%s %s: answer: %w", method, path, err)
	}
	return outcome{response.StatusCode, answer.Description, answer.Result}, nil
}

// socket opens a WebSocket the way a page in a browser has to: the token goes
// beside the subprotocol, for there is no header a page could set.
func (c caller) socket(ctx context.Context) (*websocket.Conn, error) {
	bearer := "bearer." + base64.RawURLEncoding.EncodeToString([]byte(c.token))
	conn, response, err := websocket.Dial(ctx, c.base+"/v1/connect", &websocket.DialOptions{
		Subprotocols: []string{database.Subprotocol, bearer},
	})
	if err != nil && response != nil {
		return nil, fmt.Errorf("WebSocket refused with status %d", response.StatusCode)
	}
	return conn, err
}

// exchange sends one frame and waits for its reply.
func exchange(ctx context.Context, conn *websocket.Conn, frame database.Frame) (outcome, error) {
	if err := wsjson.Write(ctx, conn, frame); err != nil {
		return outcome{}, err
	}
	var reply struct {
		ID          uint64          `json:"id"`
		Status      int             `json:"status"`
		Result      json.RawMessage `json:"result"`
		Description string          `json:"error_description"`
	}
	if err := wsjson.Read(ctx, conn, &reply); err != nil {
		return outcome{}, err
	}
	if reply.ID != frame.ID {
		return outcome{}, fmt.Errorf("reply to another frame: got %d, want %d", reply.ID, frame.ID)
	}
	return outcome{reply.Status, reply.Description, reply.Result}, nil
}
