package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// client is a service's connection to the database.
type client struct {
	url    string
	source oauth2.TokenSource
	early  time.Duration // how long before the expiry the socket is renewed; 0 for never
	pause  time.Duration // between two calls on the socket
}

// insert calls a reducer over HTTP. The transport puts a token that is good for
// a while yet into each request.
func (c *client) insert(ctx context.Context, text string) (status int, err error) {
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/call/send_message", strings.NewReader(string(body)))
	if err != nil {
		return 0, err
	}
	caller := &http.Client{Transport: &oauth2.Transport{Source: c.source}}
	response, err := caller.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// reply is the server's answer to a frame.
type reply struct {
	ID     uint64 `json:"id"`
	Status int    `json:"status"`
	Error  string `json:"error"`
}

// held is what became of a socket.
type held struct {
	calls    int // answered with 200
	renewals int
	lasted   time.Duration
	closed   websocket.StatusCode // by the server, or closedByService
}

// hold keeps a socket open for so long, calls a view on it again and again, and
// shows the server each new token before the last one expires.
func (c *client) hold(ctx context.Context, long time.Duration) (held, error) {
	token, err := c.source.Token()
	if err != nil {
		return held{}, err
	}
	header := http.Header{"Authorization": {token.Type() + " " + token.AccessToken}}
	conn, _, err := websocket.Dial(ctx, c.url+"/v1/connect", &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{database.Subprotocol},
	})
	if err != nil {
		return held{}, err
	}
	defer conn.CloseNow()
	s := &socket{client: c, conn: conn, token: token, began: time.Now()}
	err = s.serve(ctx, long)
	s.held.lasted = time.Since(s.began)
	s.held.closed = websocket.CloseStatus(err)
	if s.held.closed != closedByService {
		return s.held, nil // that it was closed is a result
	}
	if err == nil {
		err = conn.Close(websocket.StatusNormalClosure, "")
	}
	return s.held, err
}

// socket is an open WebSocket.
type socket struct {
	*client
	conn   *websocket.Conn
	token  *oauth2.Token
	began  time.Time
	frames uint64
	held   held
}

// serve works on the socket until the time is over.
func (s *socket) serve(ctx context.Context, long time.Duration) error {
	over := time.NewTimer(long)
	defer over.Stop()
	work := time.NewTicker(s.pause)
	defer work.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-over.C:
			return nil
		case <-work.C:
		}
		if s.early > 0 && time.Until(s.token.Expiry) <= s.early {
			if err := s.renew(ctx); err != nil {
				return err
			}
		}
		switch err := s.ask(ctx, database.Frame{View: "my_messages"}); {
		case errors.Is(err, errLater):
		case err != nil:
			return err
		default:
			s.held.calls++
		}
	}
}

// renew shows the server a new token, if there is one yet: whoever keeps a file
// fresh has their own idea of when, and a provider may be away, from this program or
// from the server. Then the next round tries again, as long as the token that there is
// lasts.
func (s *socket) renew(ctx context.Context) error {
	token, err := s.source.Token()
	if err != nil && time.Now().Before(s.token.Expiry) {
		return nil
	}
	if err != nil {
		return err
	}
	if token.AccessToken == s.token.AccessToken {
		return nil
	}
	switch err := s.ask(ctx, database.Frame{Renew: token.AccessToken}); {
	case errors.Is(err, errLater):
		return nil
	case err != nil:
		return err
	}
	s.token = token
	s.held.renewals++
	return nil
}

// errLater says that the server cannot tell at present, which says nothing of the token or
// its bearer: the socket goes on, and the same is asked again.
var errLater = errors.New("the server cannot tell at present")

// ask sends a frame and waits for its reply, which must be 200, or 503 for errLater. A call that arrives just as
// the token ends is refused, and then the server says why it closes the socket.
func (s *socket) ask(ctx context.Context, frame database.Frame) error {
	s.frames++
	frame.ID = s.frames
	if err := wsjson.Write(ctx, s.conn, frame); err != nil {
		return err
	}
	var got reply
	if err := wsjson.Read(ctx, s.conn, &got); err != nil {
		return err
	}
	if got.Status == http.StatusUnauthorized && frame.Renew == "" {
		if _, _, err := s.conn.Read(ctx); err != nil {
			return err
		}
	}
	if got.ID == frame.ID && got.Status == http.StatusServiceUnavailable {
		return errLater
	}
	if got.ID != frame.ID || got.Status != http.StatusOK {
		return fmt.Errorf("frame %d: got a reply to %d with status %d (%s), want 200", frame.ID, got.ID, got.Status, got.Error)
	}
	return nil
}
