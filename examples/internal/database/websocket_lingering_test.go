package database_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/examples/guide/pipes"
	"github.com/oidcauth/oidcauth/examples/internal/database"
)

// TestGoodbye_ClientStays: a client that is told to go cannot stay.
func TestGoodbye_ClientStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		server, client := pipes.Listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			began := time.Now()
			database.Goodbye(conn, 4000, "enough")
			took = time.Since(began)
		}))
		defer server.Close()
		raw, err := client.Transport.(*http.Transport).DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, func() { raw.Close() })
		handshake(t, raw)
		io.Copy(io.Discard, raw)
		synctest.Wait()
		if took == 0 || took > 4*time.Second {
			t.Errorf("the client was gone after %v, want 4s at most, and less than the library waits", took)
		}
	})
}

// handshake opens a WebSocket by hand, and reads why it ends.
func handshake(t *testing.T, conn net.Conn) {
	t.Helper()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: db.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	for told := ""; !strings.HasSuffix(told, "enough"); {
		b := make([]byte, 1)
		if _, err := conn.Read(b); err != nil {
			t.Fatalf("not told why it ends: %v", err)
		}
		told += string(b)
	}
}
