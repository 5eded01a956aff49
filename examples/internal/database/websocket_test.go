package database_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// dial opens a WebSocket as a browser would, the token in a subprotocol.
func dial(t *testing.T, b *bench, token string) (*websocket.Conn, int) {
	t.Helper()
	offered := []string{database.Subprotocol}
	if token != "" {
		offered = append(offered, "bearer."+base64.RawURLEncoding.EncodeToString([]byte(token)))
	}
	conn, response, err := websocket.Dial(t.Context(), b.server.URL+"/v1/connect", &websocket.DialOptions{Subprotocols: offered})
	if err != nil && response == nil {
		t.Fatal(err)
	}
	if conn != nil {
		t.Cleanup(func() { conn.CloseNow() })
	}
	return conn, response.StatusCode
}

func ask(t *testing.T, conn *websocket.Conn, frame any) (got database.Reply) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := errors.Join(wsjson.Write(ctx, conn, frame), wsjson.Read(ctx, conn, &got)); err != nil {
		t.Fatal(err)
	}
	return got
}

// socketCall sends a message over a WebSocket, if the token lets it.
func socketCall(t *testing.T, b *bench, token string) {
	t.Helper()
	conn, status := dial(t, b, token)
	if status != http.StatusSwitchingProtocols {
		return
	}
	ask(t, conn, database.Frame{ID: 1, Call: "send_message", Args: json.RawMessage(`{"text":"a message to find"}`)})
	conn.Close(websocket.StatusNormalClosure, "")
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestSocket_Handshake(t *testing.T) {
	b := newBench(t)
	for _, row := range []struct {
		name, client string
		want         int
	}{
		{"token for this database", "reader", http.StatusSwitchingProtocols},
		{"no token", "", http.StatusSwitchingProtocols},
		{"token for another database of the server", "reports", http.StatusForbidden},
		{"token for somebody else", "billing", http.StatusUnauthorized},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := ""
			if row.client != "" {
				token = b.token(t, row.client)
			}
			conn, status := dial(t, b, token)
			if status != row.want {
				t.Fatalf("status = %d, want %d", status, row.want)
			}
			if conn != nil && conn.Subprotocol() != database.Subprotocol {
				t.Errorf("subprotocol = %q, want %q", conn.Subprotocol(), database.Subprotocol)
			}
		})
	}
}

func TestSocket_Frames(t *testing.T) {
	b := newBench(t)
	hello := json.RawMessage(`{"text":"hello"}`)
	for _, row := range []struct {
		name, client string
		frame        database.Frame
		want         int
	}{
		{"writer calls", "writer", database.Frame{Call: "send_message", Args: hello}, 200},
		{"writer views", "writer", database.Frame{View: "my_messages"}, 200},
		{"writer runs", "writer", database.Frame{Run: "export_messages"}, 200},
		{"reader may not call", "reader", database.Frame{Call: "send_message", Args: hello}, 403},
		{"nobody may not call", "", database.Frame{Call: "send_message", Args: hello}, 401},
		{"nobody views what is public", "", database.Frame{View: "board"}, 200},
		{"no such function", "writer", database.Frame{Call: "nothing"}, 404},
		{"frame that names nothing", "writer", database.Frame{}, 400},
		{"frame that names two", "writer", database.Frame{Call: "send_message", View: "my_messages", Args: hello}, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := ""
			if row.client != "" {
				token = b.token(t, row.client)
			}
			conn, _ := dial(t, b, token)
			row.frame.ID = 7
			if got := ask(t, conn, row.frame); got.Status != row.want || got.ID != 7 {
				t.Errorf("reply = %+v, want status %d to frame 7", got, row.want)
			}
		})
	}
}

func TestSocket_EndsWithItsToken(t *testing.T) {
	b := newBench(t)
	conn, _ := dial(t, b, b.token(t, "brief"))
	if got := ask(t, conn, database.Frame{ID: 1, View: "my_messages"}); got.Status != http.StatusOK {
		t.Fatalf("before the expiry: reply = %+v, want status 200", got)
	}
	expectClose(t, conn, 3000)
}

// TestSocket_Renew: a socket lives beyond its first token if it is shown
// another one of the same caller, for the same database.
func TestSocket_Renew(t *testing.T) {
	b := newBench(t)
	conn, _ := dial(t, b, b.token(t, "brief"))
	for _, row := range []struct {
		name, token string
		want        int
	}{
		{"another caller's token", b.token(t, "writer"), http.StatusForbidden},
		{"token for somebody else", b.token(t, "billing"), http.StatusUnauthorized},
		{"token for another database of the server", b.token(t, "reports"), http.StatusForbidden},
		{"no token", "x", http.StatusUnauthorized},
		{"the same caller's next token", b.token(t, "brief"), http.StatusOK},
	} {
		if got := ask(t, conn, database.Frame{ID: 1, Renew: row.token}); got.Status != row.want {
			t.Errorf("%s: reply = %+v, want status %d", row.name, got, row.want)
		}
	}
	for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(time.Second) {
		if got := ask(t, conn, database.Frame{ID: 2, Renew: b.token(t, "brief")}); got.Status != http.StatusOK {
			t.Fatalf("after %v: reply = %+v, want status 200", time.Since(began), got)
		}
	}
	if got := ask(t, conn, database.Frame{ID: 3, View: "my_messages"}); got.Status != http.StatusOK {
		t.Errorf("under the last token: reply = %+v, want status 200", got)
	}
	expectClose(t, conn, 3000)

	nobody, _ := dial(t, b, "")
	if got := ask(t, nobody, database.Frame{ID: 4, Renew: b.token(t, "writer")}); got.Status != http.StatusBadRequest {
		t.Errorf("socket without a token: reply = %+v, want status 400", got)
	}
}

func TestSocket_EndsWithTheServer(t *testing.T) {
	b := newBench(t)
	conn, _ := dial(t, b, b.token(t, "writer"))
	go b.stop()
	expectClose(t, conn, websocket.StatusGoingAway)
}

func TestSocket_WantsItsSubprotocol(t *testing.T) {
	b := newBench(t)
	conn, _, err := websocket.Dial(t.Context(), b.server.URL+"/v1/connect", &websocket.DialOptions{Subprotocols: []string{"other.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	expectClose(t, conn, websocket.StatusPolicyViolation)
}

func expectClose(t *testing.T, conn *websocket.Conn, want websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != want {
		t.Errorf("socket ended with %v, want close status %d", err, want)
	}
}
