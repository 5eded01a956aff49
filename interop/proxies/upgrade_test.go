package proxies_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// upgrade opens a WebSocket with this value of Connection, which a library would not send.
func (w *world) upgrade(t *testing.T, connection, token string) answer {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+w.front)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(c, "GET /socket HTTP/1.1\r\nHost: api.example.com\r\nConnection: %s\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n", connection, token)
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if a.status != http.StatusSwitchingProtocols {
		return a
	}
	a.seen = new(seen)
	if err := json.Unmarshal(firstMessage(t, r), a.seen); err != nil {
		t.Fatal(err)
	}
	return a
}

// firstMessage reads what the service sends first: one frame, of up to 64 KiB (RFC 6455,
// section 5.2).
func firstMessage(t *testing.T, r io.Reader) []byte {
	t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		t.Fatal(err)
	}
	length := int(head[1])
	if length == 126 {
		if _, err := io.ReadFull(r, head[2:]); err != nil {
			t.Fatal(err)
		}
		length = int(head[2])<<8 | int(head[3])
	}
	message := make([]byte, length)
	if _, err := io.ReadFull(r, message); err != nil {
		t.Fatal(err)
	}
	return message
}
