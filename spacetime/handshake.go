package spacetime

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDatabaseBytes bounds the name of a database: what a ticket can say.
const maxDatabaseBytes = 256

// readHandshake reads what the request says of the connection, and refuses what
// websocket.Accept would refuse, and more: once it has returned, nothing that the
// client wrote stands against the upgrade.
func (s *Server) readHandshake(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	if err := checkHandshake(r); err != nil {
		return nil, err
	}
	if !canUpgrade(w) {
		return nil, errors.New("the ResponseWriter cannot be taken over (http.Hijacker): what wraps it needs a method Unwrap")
	}
	c := &Conn{Database: r.PathValue("name")}
	if c.Database == "" || len(c.Database) > maxDatabaseBytes || !utf8.ValidString(c.Database) {
		return nil, malformed(fmt.Sprintf("database %.80q", c.Database), fmt.Sprintf("1 to %d bytes of UTF-8", maxDatabaseBytes))
	}
	var err error
	if c.Protocol, err = chooseProtocol(r); err != nil {
		return nil, err
	}
	c.ID, err = connectionID(r.URL.Query())
	return c, err
}

// checkHandshake is the server's half of the opening handshake (RFC 6455, section
// 4.2.1).
func checkHandshake(r *http.Request) error {
	switch keys := r.Header["Sec-Websocket-Key"]; {
	case r.Method != http.MethodGet:
		return &answer{status: http.StatusMethodNotAllowed, code: "invalid_request", text: "want GET",
			headers: map[string]string{"Allow": http.MethodGet}, reason: malformed("method "+r.Method, "GET")}
	case r.ProtoMajor > 1: // where the headers of 426 are malformed (RFC 9113, section 8.2.2)
		return &answer{status: http.StatusBadRequest, code: "invalid_request", text: "want a WebSocket handshake over HTTP/1.1",
			reason: malformed(r.Proto, "HTTP/1.1")}
	case !r.ProtoAtLeast(1, 1) || !hasToken(r, "Connection", "upgrade") || !hasToken(r, "Upgrade", "websocket"):
		return &answer{status: http.StatusUpgradeRequired, code: "invalid_request", text: "want a WebSocket handshake",
			headers: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, reason: malformed("no WebSocket handshake", "one")}
	case r.Header.Get("Sec-Websocket-Version") != "13" || len(r.Header["Sec-Websocket-Version"]) != 1:
		return &answer{status: http.StatusBadRequest, code: "invalid_request", text: "want Sec-WebSocket-Version 13",
			headers: map[string]string{"Sec-WebSocket-Version": "13"}, reason: malformed("another Sec-WebSocket-Version", "13, once")}
	case len(keys) != 1 || !isKey(textproto.TrimString(keys[0])):
		return malformed("no Sec-WebSocket-Key, or a bad one", "16 bytes in base64, once")
	}
	return nil
}

// hasToken reports whether a header that is a list has this member, in any case of
// letters.
func hasToken(r *http.Request, header, want string) bool {
	for _, line := range r.Header[header] {
		for token := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(textproto.TrimString(token), want) {
				return true
			}
		}
	}
	return false
}

func isKey(text string) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(b) == 16
}

// canUpgrade reports whether the connection behind w can be taken over. Over
// HTTP/2 there is nothing to take over, and no Upgrade header either.
func canUpgrade(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapped.Unwrap()
	}
}

// chooseProtocol returns the subprotocol that the server likes best of those
// offered (RFC 6455, section 4.2.2).
func chooseProtocol(r *http.Request) (string, error) {
	var offered []string
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for p := range strings.SplitSeq(line, ",") {
			offered = append(offered, textproto.TrimString(p))
		}
	}
	for _, p := range protocols {
		if slices.Contains(offered, p) {
			return p, nil
		}
	}
	return "", malformed("no subprotocol of SpacetimeDB's", "one of "+strings.Join(protocols[:], ", "))
}

// connectionID returns the number that the client has chosen, or a random one.
func connectionID(query url.Values) (ConnectionID, error) {
	chosen := query["connection_id"]
	switch len(chosen) {
	case 0:
		var id ConnectionID
		rand.Read(id[:])
		return id, nil
	case 1:
		return parseConnectionID(chosen[0])
	}
	return ConnectionID{}, malformed("several connection_id parameters", "one")
}
