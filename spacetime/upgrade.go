package spacetime

import (
	"crypto/fips140"
	"net/http"

	"github.com/coder/websocket"
)

// upgrade completes the opening handshake. Its answer has a SHA-1 sum (RFC 6455,
// section 4.2.2), which keeps nothing secret and vouches for nothing; with
// GODEBUG=fips140=only Go panics at it unless it is let pass. Nothing else is: Accept
// starts no goroutine, which would inherit that.
func upgrade(w http.ResponseWriter, r *http.Request, protocol string) (conn *websocket.Conn, err error) {
	fips140.WithoutEnforcement(func() {
		conn, err = websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{protocol},
			// checkOrigin has done it.
			InsecureSkipVerify: true,
		})
	})
	return conn, err
}
