package spacetime_test

import (
	"bufio"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A nowhere is a connection from which nothing comes, and where everything goes.
type nowhere struct{ net.Conn }

func (nowhere) Read([]byte) (int, error)         { return 0, io.EOF }
func (nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (nowhere) Close() error                     { return nil }
func (nowhere) SetDeadline(time.Time) error      { return nil }
func (nowhere) SetReadDeadline(time.Time) error  { return nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }

// A socket is an answer whose connection can be taken over.
type socket struct{ *httptest.ResponseRecorder }

func (socket) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nowhere{}, bufio.NewReadWriter(bufio.NewReader(nowhere{}), bufio.NewWriter(nowhere{})), nil
}

// FuzzHandshake: whatever passes here is a handshake to the WebSocket library, too, so
// that nothing is spent on one that fails; it agrees on a subprotocol that was offered.
func FuzzHandshake(f *testing.F) {
	const key, connection = "AAECAwQFBgcICQoLDA0ODw==", "connection_id=00112233445566778899aabbccddeeff"
	for _, seed := range [][6]string{
		{"Upgrade", "websocket", "13", key, "v2.bsatn.spacetimedb", connection}, {"keep-alive, upgrade", "WebSocket", "13", " " + key, "v1, v1.json.spacetimedb,v3.bsatn.spacetimedb", ""},
		{"Upgrade", "websocket", "13", key, "v1.bsatn.spacetimedb\u0085", ""}, {"Upgrade", "websocket", "8", key, "v2.bsatn.spacetimedb", ""}, {"keep-alive", "websocket", "13", key, "v2.bsatn.spacetimedb", ""}, {"Upgrade", "h2c, websocket", "13", key[:20], "V2.bsatn.spacetimedb", connection + "&" + connection},
		{"\u00a0upgrade", "websocket\t", "13", key[:12] + "\n" + key[12:], "v2.bsatn.spacetimedb\u0085", "connection_id=0"}, {"upgrade;q=1", "\"websocket\"", " 13", key, ",", "connection_id=00000000000000000000000000000000"},
	} {
		f.Add("GET", "chat", seed[0], seed[1], seed[2], seed[3], seed[4], seed[5])
	}
	f.Add("get", "", "Upgrade", "websocket", "13", key, "v2.bsatn.spacetimedb", "")
	known := []string{"v3.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v1.bsatn.spacetimedb", "v1.json.spacetimedb"}
	f.Fuzz(func(t *testing.T, method, database, connection, upgrade, version, key, protocols, query string) {
		r := &http.Request{
			Method: method, URL: &url.URL{Path: "/", RawQuery: query}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "db.test",
			Header: http.Header{"Connection": {connection}, "Upgrade": {upgrade}, "Sec-Websocket-Version": {version}, "Sec-Websocket-Key": {key}, "Sec-Websocket-Protocol": {protocols}},
		}
		r.SetPathValue("name", database)
		w := socket{httptest.NewRecorder()}
		c, err := spacetime.ReadHandshake(w, r)
		if err != nil {
			return
		}
		if c.Database != database || database == "" || c.ID == (spacetime.ConnectionID{}) || !slices.Contains(known, c.Protocol) ||
			!slices.ContainsFunc(strings.Split(protocols, ","), func(p string) bool { return strings.Trim(p, " \t\r\n") == c.Protocol }) {
			t.Fatalf("agreed on %+v", c)
		}
		if chosen := r.URL.Query()["connection_id"]; len(chosen) > 1 || len(chosen) == 1 && c.ID.String() != strings.ToLower(chosen[0]) {
			t.Errorf("connection %v, and the client says %q", c.ID, chosen)
		}
		conn, _, err := spacetime.Upgrade(w, r, c.Protocol)
		if err != nil {
			t.Fatalf("passed, and the library: %v", err)
		}
		defer conn.CloseNow()
		if conn.Subprotocol() != c.Protocol {
			t.Errorf("agreed on %q, and the library on %q", c.Protocol, conn.Subprotocol())
		}
	})
}

// FuzzConnectionID: a number that is read is the one that is written, and no other
// text of 16 bytes in hexadecimal is refused but zero.
func FuzzConnectionID(f *testing.F) {
	for _, seed := range []string{"00112233445566778899aabbccddeeff", "00112233445566778899AABBCCDDEEFF", "00000000000000000000000000000000", "", "0x112233445566778899aabbccddeeff", "00112233445566778899aabbccddeef"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := spacetime.ParseConnectionID(text)
		b, hexErr := hex.DecodeString(text)
		want := hexErr == nil && len(b) == 16 && strings.Trim(text, "0") != ""
		if want != (err == nil) || want && (id.String() != strings.ToLower(text) || string(b) != string(id[:])) {
			t.Errorf("%q is %v, %v", text, id, err)
		}
		if status, _, _ := oidcauth.Answer(err); err != nil && status != http.StatusBadRequest {
			t.Errorf("%q: error = %v", text, err)
		}
	})
}
