package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// enterByHand opens a socket as a client does that goes its own way, and returns what
// reads behind the answer.
func (w *world) enterByHand(t *testing.T, name string) (net.Conn, *bufio.Reader) {
	t.Helper()
	host := strings.TrimPrefix(w.address, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		host, w.token(t, name), subprotocol)
	answers := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(answers, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v, want status 101", resp, err)
	}
	if _, err := answers.ReadString('}'); err != nil { // "welcome"
		t.Fatal(err)
	}
	return conn, answers
}

// TestSocket_ToldToGo: a client is told why it has to go, and is gone soon, though it says
// nothing to that.
func TestSocket_ToldToGo(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*testing.T, *world, net.Conn)
		code websocket.StatusCode
	}{
		"its token is revoked": {func(t *testing.T, w *world, _ net.Conn) {
			if err := w.withdraw(t.Context(), Account{Issuer: w.provider.Issuer(), Subject: "bob"}); err != nil {
				t.Error(err)
			}
		}, 3000},
		"it sends no frame": {func(_ *testing.T, _ *world, conn net.Conn) { io.WriteString(conn, textFrame("x")) }, websocket.StatusInvalidFramePayloadData},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2*time.Minute, warnBefore)
			conn, answers := w.enterByHand(t, "bob")
			tt.end(t, w, conn)
			code := string([]byte{byte(tt.code >> 8), byte(tt.code)})
			for told := ""; !strings.Contains(told, code); {
				b, err := answers.ReadByte()
				if err != nil {
					t.Fatalf("not told why it ends: %v", err)
				}
				told += string([]byte{b})
			}
			if _, err := io.Copy(io.Discard, answers); isTimeout(err) {
				t.Errorf("the connection is still open: %v", err)
			}
			w.socketsAre(t, 0)
		})
	}
}

func isTimeout(err error) bool {
	failed, ok := errors.AsType[net.Error](err)
	return ok && failed.Timeout()
}
