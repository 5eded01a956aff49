package gorilla_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/gorilla"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestSubscribe_AnswerAfterEnd: a call that has its answer when the session has ended takes
// nothing of the time in which the client is told why, and goes.
func TestSubscribe_AnswerAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		begun, finish := make(chan bool), make(chan bool)
		server, client := pipes.Listen(auth.Middleware(gorilla.Subscribe(auth, func(context.Context, string) string {
			begun <- true
			<-finish
			return "late"
		})))
		defer server.Close()
		defer client.CloseIdleConnections()
		dialer := websocket.Dialer{NetDialContext: client.Transport.(*http.Transport).DialContext}
		conn, _, err := dialer.DialContext(t.Context(), "ws://db.test/", http.Header{"Authorization": {"Bearer " + issuer.Token(nil)}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetCloseHandler(func(int, string) error { return nil }) // it takes its time
		if err := conn.WriteMessage(websocket.TextMessage, []byte("slow")); err != nil {
			t.Fatal(err)
		}
		<-begun
		if err := auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: issuer.URL(), Subject: oidctest.DefaultSubject}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, 3000) {
			t.Fatalf("end: got %v, want close code 3000", err)
		}
		told := time.Now()
		finish <- true
		if _, err := conn.NetConn().Read(make([]byte, 1)); err == nil || time.Since(told) < 5*time.Second {
			t.Errorf("error = %v after %v, want that the connection ends after five seconds", err, time.Since(told))
		}
	})
}
