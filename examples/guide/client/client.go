// Package client keeps a WebSocket to the guide's server open for days.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/oauth2"
)

// A Client is a program that stays connected.
type Client struct {
	Address string
	HTTP    *http.Client // nil means one of the WebSocket library's own
	Receive func(message string)

	// Source makes a source that has no token yet. A TokenSource keeps its token until that
	// expires, also one that the server has refused. Give it a client with a Timeout, by
	// oauth2.HTTPClient: http.DefaultClient waits for ever for a provider that hangs, and
	// of a source that is given up one goroutine waits on.
	Source func() oauth2.TokenSource

	mu     sync.Mutex         // guards source
	source oauth2.TokenSource // nil after a refusal
}

// Run is connected until ctx ends, or the server says that this caller may not.
func (c *Client) Run(ctx context.Context) error {
	for tries := 0; ; tries++ {
		begun := time.Now()
		code, err := c.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case code == 3000 || code == http.StatusUnauthorized:
			c.forget() // where another token is refused, too, the pause grows
		case code == 3003 || code == http.StatusForbidden || code == http.StatusBadRequest:
			return err
		}
		if time.Since(begun) > time.Minute {
			tries = 0
		}
		longest := min(time.Second<<min(tries, 6), time.Minute)
		select {
		case <-time.After(rand.N(longest)): // never the same for all whom a server has left
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// connect serves one connection, and returns the code that it was closed with or the
// status that refused it, or neither.
func (c *Client) connect(ctx context.Context) (code int, err error) {
	token, err := c.token(ctx)
	if err != nil {
		return 0, err
	}
	begin, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, answer, err := websocket.Dial(begin, c.Address, &websocket.DialOptions{
		HTTPClient: c.HTTP, Subprotocols: []string{"notes.v1"},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	})
	if err != nil {
		if answer != nil {
			code = answer.StatusCode
		}
		return code, err
	}
	defer conn.CloseNow()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go ping(ctx, conn)
	due := make(chan time.Duration, 1)
	go c.renew(ctx, conn, due) // reading goes on: a provider may take its time
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return int(websocket.CloseStatus(err)), err
		}
		switch text := string(message); {
		case text == "send a new token":
			ask(due, 0)
		case text == "token renewed":
		case strings.HasPrefix(text, "token error 401:"):
			c.forget()
			ask(due, pause())
		case strings.HasPrefix(text, "token error 503:"): // it could not tell
			ask(due, pause())
		default:
			c.Receive(text)
		}
	}
}

// ask has a renewal sent after a while, unless one is due that has not begun: however often
// the client hears that it should, it sends one after the other.
func ask(due chan<- time.Duration, after time.Duration) {
	select {
	case due <- after:
	default:
	}
}

// renew sends the next token whenever that is due, until the connection has ended.
func (c *Client) renew(ctx context.Context, conn *websocket.Conn, due <-chan time.Duration) {
	for ctx.Err() == nil {
		select {
		case after := <-due:
			c.renewOnce(ctx, conn, after)
		case <-ctx.Done():
		}
	}
}

// renewOnce sends the next token after a while. It tries until there is one, or the
// connection has ended: the server asks again after a renewal, and not where none came.
func (c *Client) renewOnce(ctx context.Context, conn *websocket.Conn, after time.Duration) {
	for {
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return
		}
		if token, err := c.token(ctx); err == nil {
			conn.Write(ctx, websocket.MessageText, []byte("token "+token)) // the reader notices a failure
			return
		}
		after = pause()
	}
}

// pause is what lies between two tries of a renewal, never the same for all clients.
func pause() time.Duration { return 3*time.Second + rand.N(4*time.Second) }

// forget has the next token be another one than was refused.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.source = nil
}

// token returns the token that the source has, or gets. A source that takes too long is
// given up: a TokenSource ends with no context of its caller's, and whoever asks it again
// waits for the same answer.
func (c *Client) token(ctx context.Context) (string, error) {
	source := c.current()
	answer := make(chan func() (*oauth2.Token, error), 1)
	go func() {
		token, err := source.Token()
		answer <- func() (*oauth2.Token, error) { return token, err }
	}()
	select {
	case got := <-answer:
		token, err := got()
		if err != nil {
			return "", fmt.Errorf("no token: %w", err)
		}
		return token.AccessToken, nil
	case <-time.After(30 * time.Second):
		c.forget()
		return "", errors.New("no token: the source does not answer")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// current returns the source, or another one after a refusal.
func (c *Client) current() oauth2.TokenSource {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.source == nil {
		c.source = c.Source()
	}
	return c.source
}

// ping keeps proxies from closing what is idle, and notices a server that has vanished.
func ping(ctx context.Context, conn *websocket.Conn) {
	for ctx.Err() == nil {
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
			return
		}
		answered, cancel := context.WithTimeout(ctx, 10*time.Second)
		if conn.Ping(answered) != nil {
			conn.CloseNow()
		}
		cancel()
	}
}
