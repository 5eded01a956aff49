package database_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
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

// received is a frame from the server: a reply or a warning.
type received struct {
	database.Reply
	Result  json.RawMessage `json:"result"`
	Warning string          `json:"warning"`
	Expires time.Time       `json:"expires_at"`
}

// next reads one frame.
func next(t *testing.T, conn *websocket.Conn) (got received) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := wsjson.Read(ctx, conn, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

// ask sends a frame and returns the reply, and passes over warnings.
func ask(t *testing.T, conn *websocket.Conn, frame any) (got received) {
	t.Helper()
	if err := wsjson.Write(t.Context(), conn, frame); err != nil {
		t.Fatal(err)
	}
	for got = next(t, conn); got.Warning != ""; {
		got = next(t, conn)
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
	t.Parallel()
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
			token := b.token(t, row.client)
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
	t.Parallel()
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
			token := b.token(t, row.client)
			conn, _ := dial(t, b, token)
			row.frame.ID = 7
			if got := ask(t, conn, row.frame); got.Status != row.want || got.ID != 7 {
				t.Errorf("reply = %+v, want status %d to frame 7", got, row.want)
			}
		})
	}
}

func TestSocket_WantsItsSubprotocol(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn, _, err := websocket.Dial(t.Context(), b.server.URL+"/v1/connect", &websocket.DialOptions{Subprotocols: []string{"other.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	expectClose(t, conn, websocket.StatusPolicyViolation, "want subprotocol messages.v1")
}

func TestSocket_NoFrame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn, _ := dial(t, b, b.token(t, "writer"))
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("x")); err != nil {
		t.Fatal(err)
	}
	expectClose(t, conn, websocket.StatusInvalidFramePayloadData, "want a frame")
}

func TestSocket_FrameTooBig(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, row := range []struct {
		name string
		size int
		want int // status of the reply; 0 if the socket is closed
	}{
		{"bigger than any token may be", 31 << 10, http.StatusUnauthorized},
		{"bigger than any frame may be", 33 << 10, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, _ := dial(t, b, b.token(t, "writer"))
			frame := database.Frame{Renew: strings.Repeat("a", row.size)}
			if row.want != 0 {
				if got := ask(t, conn, frame); got.Status != row.want {
					t.Errorf("reply = %+v, want status %d", got, row.want)
				}
				return
			}
			// The server need not read the frame to its end.
			_ = wsjson.Write(t.Context(), conn, frame)
			expectEnd(t, conn, websocket.StatusMessageTooBig)
		})
	}
}

// expectEnd reads until the socket ends, passing over what comes before.
func expectEnd(t *testing.T, conn *websocket.Conn, want websocket.StatusCode) (end websocket.CloseError) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
	if !errors.As(err, &end) || end.Code != want {
		t.Errorf("socket ended with %v, want close status %d", err, want)
	}
	return end
}

func expectClose(t *testing.T, conn *websocket.Conn, want websocket.StatusCode, reason string) {
	t.Helper()
	if end := expectEnd(t, conn, want); end.Reason != reason {
		t.Errorf("socket closed for %q, want %q", end.Reason, reason)
	}
}
