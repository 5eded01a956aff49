package gorilla_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/gorilla"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestSubscribe renews a socket, while others write to it, and has it ended.
func TestSubscribe(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db", "sid": "login-1"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	finish := make(chan bool)
	server := httptest.NewServer(auth.Middleware(gorilla.Subscribe(auth, func(ctx context.Context, message string) string {
		claims, known := oidcauth.FromContext(ctx)
		if !known {
			return "nobody"
		}
		if message == "slow" {
			<-finish
		}
		return claims.Subject() + " called " + message
	})))
	defer server.Close()
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"),
		http.Header{"Authorization": {"Bearer " + issuer.Token(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(message, want string) {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.ReadMessage(); err != nil || string(got) != want {
			t.Fatalf("answer to %.10q: got %q, %v, want %q", message, got, err, want)
		}
	}
	say("add", "alice called add")
	say("token "+issuer.Token(nil), "token renewed")
	say("token "+issuer.Token(map[string]any{"sub": "mallory"}), "token error 403: the token is another identity's")
	say("add", "alice called add")
	if err := conn.WriteMessage(websocket.TextMessage, []byte("slow")); err != nil {
		t.Fatal(err)
	}
	say("token "+issuer.Token(nil), "token renewed") // while the call goes on
	finish <- true
	if _, got, err := conn.ReadMessage(); err != nil || string(got) != "alice called slow" {
		t.Fatalf("got %q, %v", got, err)
	}
	var ending sync.WaitGroup
	ending.Go(func() {
		if err := auth.Revoke(context.Background(), oidcauth.Revocation{SessionID: "login-1"}); err != nil {
			t.Error(err)
		}
	})
	_, _, err = conn.ReadMessage()
	if !websocket.IsCloseError(err, 3000) {
		t.Errorf("end: got %v, want close code 3000", err)
	}
	ending.Wait()
}

// TestSubscribe_Left: what a client that has left had sent is called by nobody.
func TestSubscribe_Left(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
		Client:  issuer.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()
	begun, finish := make(chan context.Context), make(chan bool)
	var called atomic.Int32 // by somebody, after the first
	served := make(chan bool)
	handler := auth.Middleware(gorilla.Subscribe(auth, func(ctx context.Context, message string) string {
		switch {
		case message == "first":
			begun <- ctx
			<-finish
		case oidcauth.Require(ctx) == nil:
			called.Add(1)
		}
		return message
	}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(served)
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"),
		http.Header{"Authorization": {"Bearer " + issuer.Token(nil)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"first", "second", "third"} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	first := <-begun
	conn.Close()
	<-first.Done() // the server knows that the client has left
	finish <- true
	<-served
	if n := called.Load(); n != 0 {
		t.Errorf("%d calls after the client had left", n)
	}
}
