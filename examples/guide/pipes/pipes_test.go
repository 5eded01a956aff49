package pipes_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/gorilla"
	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestListen lets an hour pass on a request and on a WebSocket, which takes no time.
func TestListen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		mux := http.NewServeMux()
		mux.HandleFunc("GET /hour", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Hour)
			io.WriteString(w, "an hour later")
		})
		mux.Handle("GET /socket", auth.Middleware(gorilla.Subscribe(auth, nil)))
		server, client := pipes.Listen(mux)
		defer server.Close()
		defer client.CloseIdleConnections()
		response, err := client.Get("http://db.test/hour")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); string(body) != "an hour later" {
			t.Errorf("got %q, %v", body, err)
		}
		conn, _, err := websocket.Dial(t.Context(), "ws://db.test/socket", &websocket.DialOptions{
			HTTPClient: client, Subprotocols: []string{"notes.v1"},
			HTTPHeader: http.Header{"Authorization": {"Bearer " + issuer.Token(nil)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, message, err := conn.Read(t.Context()); string(message) != "send a new token" {
			t.Errorf("got %q, %v, want to be asked for a new token", message, err)
		}
		if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != 3000 {
			t.Errorf("the socket ends with %v, want 3000", err)
		}
		if d := time.Since(start); d < time.Hour || d > time.Hour+time.Minute {
			t.Errorf("the socket lived for %v", d)
		}
	})
}
