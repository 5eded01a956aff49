// Package gorilla serves a WebSocket under a session with gorilla/websocket.
package gorilla

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/oidcauth/oidcauth"
)

// A socket is a connection that several goroutines may write to, which a Conn of
// gorilla/websocket does not bear.
type socket struct {
	mu   sync.Mutex
	conn *websocket.Conn
}

func (s *socket) send(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	err := s.conn.WriteMessage(websocket.TextMessage, []byte(text))
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) { // then the client has yet to take why
		s.conn.Close() // so that the reader notices
	}
	return err
}

// close tells the client why, and gives it five seconds to go.
func (s *socket) close(cause error) {
	code, reason := oidcauth.CloseCode(cause)
	deadline := time.Now().Add(5 * time.Second)
	s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), deadline)
	s.conn.SetReadDeadline(deadline)
}

// Subscribe serves a WebSocket for as long as its client's token is good. Origins are
// for whatever took the token out of the request to check: see CookieToken.
func Subscribe(auth *oidcauth.Authenticator, call func(ctx context.Context, message string) string) http.HandlerFunc {
	upgrader := websocket.Upgrader{
		Subprotocols: []string{"notes.v1"}, // never the one that holds the token
		CheckOrigin:  func(*http.Request) bool { return true },
	}
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		defer conn.Close()
		conn.SetReadLimit(32 << 10)
		s := &socket{conn: conn}
		claims, _ := oidcauth.FromContext(r.Context())
		session := auth.NewSession(r.Context(), claims)
		defer session.Close()
		session.OnExpiring(time.Minute, func() { s.send("send a new token") })
		context.AfterFunc(session.Context(), func() { s.close(context.Cause(session.Context())) })
		calls := make(chan string, 16)
		go func() { // apart from the calls: a renewal must not wait for slow ones
			defer close(calls)
			defer session.Close() // what waits is called by nobody any more
			s.read(r.Context(), session, calls)
		}()
		for message := range calls {
			s.send(call(session.CallContext(), message))
		}
	}
}

// read takes in what the client sends, until it leaves.
func (s *socket) read(ctx context.Context, session *oidcauth.Session, calls chan<- string) {
	for {
		_, message, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if token, renewal := strings.CutPrefix(string(message), "token "); renewal {
			answer := "renewed"
			if _, err := session.Renew(ctx, token); err != nil {
				status, _, description := oidcauth.Answer(err) // the client acts by the status
				answer = fmt.Sprintf("error %d: %s", status, description)
			}
			s.send("token " + answer) // a call may be answered with an error, too
			continue
		}
		select {
		case calls <- string(message):
		default:
			s.send("error 429: too many calls wait")
		}
	}
}
