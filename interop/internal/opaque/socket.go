package opaque

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
)

// Age is how long answers count in the tests, so that they need not wait for a minute.
const Age = 5 * time.Second

// patience is how long a socket may take to end once its token has.
const patience = 6 * Age

// New returns an Authenticator of one issuer, which ends with the test.
func New(t *testing.T, i oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	i.AnswerAge = Age
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// Serve serves sockets that live as long as their tokens. A text that is sent to one
// is a token to renew it with.
func Serve(t *testing.T, auth *oidcauth.Authenticator) (url string) {
	t.Helper()
	s := httptest.NewServer(auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		claims, _ := oidcauth.FromContext(r.Context())
		session := auth.NewSession(r.Context(), claims)
		defer session.Close()
		go func() {
			<-session.Context().Done()
			code, reason := oidcauth.CloseCode(context.Cause(session.Context()))
			_ = conn.Close(websocket.StatusCode(code), reason)
		}()
		answer := "hello " + claims.Subject()
		for conn.Write(context.Background(), websocket.MessageText, []byte(answer)) == nil {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			answer = "renewed"
			if _, err := session.Renew(context.Background(), string(text)); err != nil {
				answer = "not renewed: " + err.Error()
			}
		}
	})))
	t.Cleanup(s.Close)
	return s.URL
}

// A Socket is a connection to what Serve serves.
type Socket struct {
	t    *testing.T
	conn *websocket.Conn
}

// Dial opens a socket with a token, and wants it to be a subject's.
func Dial(t *testing.T, url, token, subject string) Socket {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatalf("no socket: %v (%v)", err, response)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := Socket{t, conn}
	s.Want("hello " + subject)
	return s
}

// Refused wants a token to open no socket.
func Refused(t *testing.T, url, token string, status int) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err == nil {
		_ = conn.CloseNow()
		t.Error("a token that is not good opened a socket")
	} else if response == nil || response.StatusCode != status {
		t.Errorf("a token that is not good: %v, want status %d", err, status)
	}
}

// Renew sends a token.
func (s Socket) Renew(token string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, []byte(token)); err != nil {
		s.t.Fatal(err)
	}
	s.Want("renewed")
}

// Want wants a message.
func (s Socket) Want(message string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if _, text, err := s.conn.Read(ctx); err != nil || string(text) != message {
		s.t.Fatalf("got %q, %v, want %q", text, err, message)
	}
}

// Lives wants the socket of a token to live through several answers.
func (s Socket) Lives(token string) {
	s.t.Helper()
	time.Sleep(Age + Age/2)
	s.Renew(token)
}

// Ends wants the server to close the socket because of its token.
func (s Socket) Ends() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := s.conn.Read(ctx); err != nil {
			if code := websocket.CloseStatus(err); code != 3000 {
				s.t.Errorf("the socket ended with %v, want code 3000", err)
			}
			return
		}
	}
}
