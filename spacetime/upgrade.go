package spacetime

import (
	"bufio"
	"crypto/fips140"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// upgrade completes the opening handshake, and returns the connection below, too. Its
// answer has a SHA-1 sum (RFC 6455, section 4.2.2), which keeps nothing secret and vouches
// for nothing; with GODEBUG=fips140=only Go panics at it unless it is let pass. Nothing
// else is: Accept starts no goroutine, which would inherit that.
func upgrade(w http.ResponseWriter, r *http.Request, protocol string) (socket *websocket.Conn, below net.Conn, err error) {
	taken := &takenOver{ResponseWriter: w}
	fips140.WithoutEnforcement(func() {
		socket, err = websocket.Accept(taken, r, &websocket.AcceptOptions{
			Subprotocols: []string{protocol},
			// checkOrigin has done it.
			InsecureSkipVerify: true,
		})
	})
	return socket, taken.conn, err
}

// takenOver is an answer that keeps the connection which is taken over.
type takenOver struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements [http.Hijacker]. An answer that holds its header back, as Gin's does,
// has the method that the library looks for, and would not see behind this one.
func (t *takenOver) Hijack() (conn net.Conn, buffers *bufio.ReadWriter, err error) {
	if late, ok := t.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		late.WriteHeaderNow()
	}
	t.conn, buffers, err = http.NewResponseController(t.ResponseWriter).Hijack()
	return t.conn, buffers, err
}
