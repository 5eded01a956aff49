package spacetime_test

import (
	"context"
	"crypto/fips140"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/spacetime"
)

// dial opens a WebSocket; headers alternate names and values.
func (w *world) dial(t *testing.T, query string, protocols []string, headers ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	var socket *websocket.Conn
	var resp *http.Response
	var err error
	fips140.WithoutEnforcement(func() { // the client's half of the handshake has a SHA-1 sum, too
		socket, resp, err = websocket.Dial(t.Context(), w.url+"/v1/database/chat/subscribe"+query,
			&websocket.DialOptions{HTTPHeader: header(headers), Subprotocols: protocols})
	})
	if err == nil {
		t.Cleanup(func() { socket.CloseNow() })
	}
	return socket, resp, err
}

// A greeting is a first message of v2 or v3, read.
type greeting struct{ identity, connection, token string }

func greeted(t *testing.T, socket *websocket.Conn) greeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	kind, m, err := socket.Read(ctx)
	if err != nil || kind != websocket.MessageBinary || len(m) < 54 || m[0] != 0 || m[1] != 0 {
		t.Fatalf("first message: %v, %x, %v", kind, m, err)
	}
	id, conn := slices.Clone(m[2:34]), slices.Clone(m[34:50])
	slices.Reverse(id)
	slices.Reverse(conn)
	if n := binary.LittleEndian.Uint32(m[50:54]); int(n) != len(m)-54 {
		t.Fatalf("first message: token of %d bytes, %d left", n, len(m)-54)
	}
	return greeting{hex.EncodeToString(id), hex.EncodeToString(conn), string(m[54:])}
}

var v3 = []string{"v3.bsatn.spacetimedb", "v2.bsatn.spacetimedb"}

// buy gets a ticket for a token, as a page would.
func (w *world) buy(t *testing.T, token string, headers ...string) string {
	t.Helper()
	resp, body := w.do(t, "POST", "/v1/identity/websocket-token", append(headers, "Authorization", "Bearer "+token)...)
	if resp.StatusCode != 200 {
		t.Fatalf("no ticket: %d", resp.StatusCode)
	}
	return body["token"]
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true})
	token := w.issuer.Token(nil)
	alice := identity.New(w.issuer.URL(), "alice").String()

	t.Run("header", func(t *testing.T) {
		socket, resp, err := w.dial(t, "?connection_id=0102030405060708090a0b0c0d0e0f10", v3, "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		if want := (greeting{alice, "0102030405060708090a0b0c0d0e0f10", token}); greeted(t, socket) != want || socket.Subprotocol() != v3[0] {
			t.Errorf("greeted wrongly, or with %q", socket.Subprotocol())
		}
		if resp.Header.Get("spacetime-identity") != alice || resp.Header.Get("spacetime-identity-token") != token || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", resp.Header)
		}
	})
	t.Run("ticket", func(t *testing.T) {
		ticket := w.buy(t, token)
		socket, resp, err := w.dial(t, "?token="+ticket+"&compression=Gzip", v3)
		if err != nil {
			t.Fatal(err)
		}
		if g := greeted(t, socket); g.identity != alice || g.token != ticket || strings.Trim(g.connection, "0") == "" {
			t.Errorf("greeted with %+v, want alice, a connection and the ticket", g)
		}
		if resp.Header.Get("spacetime-identity") != alice || resp.Header.Get("spacetime-identity-token") != ticket {
			t.Errorf("headers %v", resp.Header)
		}
		if _, resp, err := w.dial(t, "?token="+ticket, v3); err == nil || resp.StatusCode != 401 {
			t.Errorf("for the second time: %v, want 401", err)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		socket, _, err := w.dial(t, "?compression=None", v3)
		if err != nil {
			t.Fatal(err)
		}
		first := greeted(t, socket)
		socket, _, err = w.dial(t, "?token="+w.buy(t, first.token), v3)
		if err != nil {
			t.Fatal(err)
		}
		if again := greeted(t, socket); again.identity != first.identity || again.connection == first.connection {
			t.Errorf("came as %+v, came back as %+v", first, again)
		}
	})
	if s := w.log.String(); strings.Contains(s, token[len(token)-40:]) {
		t.Errorf("the token is in the log:\n%s", s)
	}
}

// A token in the header counts more than a ticket in the URL, and leaves it whole.
func TestSubscribe_HeaderWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	token, bob := w.issuer.Token(nil), w.issuer.Token(map[string]any{"sub": "bob"})
	ticket := w.buy(t, bob)
	socket, _, err := w.dial(t, "?token="+ticket, v3, "Authorization", "Bearer "+token)
	if err != nil {
		t.Fatal(err)
	}
	if g, alice := greeted(t, socket), identity.New(w.issuer.URL(), "alice").String(); g.identity != alice {
		t.Errorf("greeted as %s, want %s", g.identity, alice)
	}
	if _, _, err := w.dial(t, "?token="+ticket, v3); err != nil {
		t.Errorf("the ticket that did not count is used up: %v", err)
	}
}

func TestSubscribe_Protocols(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true})
	for _, tt := range []struct {
		offered []string
		want    string // empty: 400
		kind    websocket.MessageType
	}{
		{[]string{"v1.json.spacetimedb", "v1.bsatn.spacetimedb", "v2.bsatn.spacetimedb", "v3.bsatn.spacetimedb"}, "v3.bsatn.spacetimedb", websocket.MessageBinary},
		{[]string{"v2.bsatn.spacetimedb"}, "v2.bsatn.spacetimedb", websocket.MessageBinary},
		{[]string{"other", "v1.json.spacetimedb", "v1.bsatn.spacetimedb"}, "v1.bsatn.spacetimedb", websocket.MessageBinary},
		{[]string{"v1.json.spacetimedb"}, "v1.json.spacetimedb", websocket.MessageText},
		{[]string{"V3.BSATN.SPACETIMEDB"}, "", 0},
		{[]string{"chat"}, "", 0},
		{nil, "", 0},
	} {
		socket, resp, err := w.dial(t, "", tt.offered)
		if tt.want == "" {
			if err == nil || resp.StatusCode != 400 {
				t.Errorf("%q: error %v, want 400", tt.offered, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.offered, err)
			continue
		}
		kind, _, err := socket.Read(t.Context())
		if socket.Subprotocol() != tt.want || kind != tt.kind || err != nil {
			t.Errorf("%q: got %q, %v, %v, want %q, %v", tt.offered, socket.Subprotocol(), kind, err, tt.want, tt.kind)
		}
	}
}

// Whatever is wrong is answered before the upgrade, and nothing makes a caller
// with a bad token anonymous.
func TestSubscribe_Refused(t *testing.T) {
	t.Parallel()
	const app, evil = "https://app.example.com", "https://evil.example.com"
	w := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{app}})
	closed := newWorld(t, spacetime.Config{})
	token := w.issuer.Token(nil)
	bearer := []string{"Authorization", "Bearer " + token}
	again := w.buy(t, token)
	for _, tt := range []struct {
		name    string
		w       *world
		query   string
		headers []string
		want    int
	}{
		{"nobody, where that is allowed", w, "", nil, 101},
		{"nobody, where it is not", closed, "", nil, 401},
		{"a bad token in the header", w, "", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"a bad token in the header beside a good ticket", w, "?token=" + w.buy(t, token), []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"another scheme", w, "", []string{"Authorization", "Basic YTpi"}, 400},
		{"no token after the scheme", w, "", []string{"Authorization", "Bearer "}, 400},
		{"two headers, one token", w, "", append(bearer, bearer...), 101},
		{"two headers, two tokens", w, "", append(bearer, "Authorization", "Bearer x"), 400},
		{"a bad ticket", w, "?token=x", nil, 401},
		{"an empty ticket", w, "?token=", nil, 400},
		{"two tickets", w, "?token=x&token=y", nil, 400},
		{"one ticket twice", w, "?token=" + again + "&token=" + again, nil, 101},
		{"a token in place of a ticket", w, "?token=" + token, nil, 401},
		{"a ticket bought by another page", w, "?token=" + w.buy(t, token, "Origin", app), nil, 403},
		{"a ticket used by its page", w, "?token=" + w.buy(t, token, "Origin", app), []string{"Origin", app}, 101},
		{"another page", w, "", append([]string{"Origin", evil}, bearer...), 403},
		{"a listed page", w, "", append([]string{"Origin", app}, bearer...), 101},
		{"connection 0", w, "?connection_id=00000000000000000000000000000000", bearer, 400},
		{"connection 1", w, "?connection_id=00000000000000000000000000000001", bearer, 101},
		{"a short connection", w, "?connection_id=01", bearer, 400},
		{"a connection that is no number", w, "?connection_id=0000000000000000000000000000000g", bearer, 400},
		{"two connections", w, "?connection_id=00000000000000000000000000000001&connection_id=00000000000000000000000000000001", bearer, 400},
	} {
		_, resp, err := tt.w.dial(t, tt.query, v3, tt.headers...)
		if resp == nil || resp.StatusCode != tt.want {
			t.Errorf("%s: got %v, want %d", tt.name, err, tt.want)
		}
	}
}

// closeOf returns how the server ended a connection.
func closeOf(t *testing.T, socket *websocket.Conn) websocket.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := socket.Read(ctx); err != nil {
			closed, ok := errors.AsType[websocket.CloseError](err)
			if !ok {
				t.Fatalf("Read() error = %v, want a close frame", err)
			}
			return closed
		}
	}
}

// A connection ends with its token, whichever way it came in.
func TestSubscribe_EndsWithToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	for _, way := range []string{"header", "ticket"} {
		socket, end := w.dialBriefly(t, way)
		if got := closeOf(t, socket); got.Code != 3000 || got.Reason != "the token has expired" {
			t.Errorf("%s: closed with %d %q, want 3000 and why", way, got.Code, got.Reason)
		}
		if early := time.Until(end); early > 0 {
			t.Errorf("%s: closed %v before the token's expiry", way, early)
		}
	}
}

// dialBriefly opens a WebSocket with a token that soon expires. If the machine is
// too busy to do so within the token's life, the next lives for twice as long.
func (w *world) dialBriefly(t *testing.T, way string) (*websocket.Conn, time.Time) {
	t.Helper()
	for life := 2 * time.Second; ; life *= 2 {
		end := time.Now().Add(life).Truncate(time.Second)
		token := w.issuer.Token(map[string]any{"exp": end.Unix()})
		query, headers := "", []string{"Authorization", "Bearer " + token}
		if way == "ticket" {
			_, body := w.do(t, "POST", "/v1/identity/websocket-token", headers...)
			query, headers = "?token="+body["token"], nil
		}
		socket, _, err := w.dial(t, query, v3, headers...)
		if err == nil {
			return socket, end
		}
		if time.Now().Before(end) {
			t.Fatalf("%s: %v", way, err)
		}
	}
}

// Serve sees who is there, and messages go both ways.
func TestSubscribe_Serve(t *testing.T) {
	t.Parallel()
	seen := make(chan *spacetime.Conn, 1)
	w := newWorld(t, spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
		seen <- c
		for {
			m, err := c.Read(ctx)
			if err != nil || string(m) == "bye" {
				return
			}
			if c.Write(ctx, append([]byte("got "), m...)) != nil {
				return
			}
		}
	}})
	socket, _, err := w.dial(t, "", v3, "Authorization", "Bearer "+w.issuer.Token(nil))
	if err != nil {
		t.Fatal(err)
	}
	g := greeted(t, socket)
	if c := <-seen; c.Database != "chat" || c.ID.String() != g.connection || c.Protocol != v3[0] || c.Session.Claims().Subject() != "alice" {
		t.Errorf("Serve saw %+v", c)
	}
	if err := socket.Write(t.Context(), websocket.MessageBinary, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if kind, m, err := socket.Read(t.Context()); kind != websocket.MessageBinary || string(m) != "got hello" || err != nil {
		t.Errorf("Read() = %v, %q, %v", kind, m, err)
	}
	if err := socket.Write(t.Context(), websocket.MessageBinary, []byte("bye")); err != nil {
		t.Fatal(err)
	}
	if got := closeOf(t, socket); got.Code != websocket.StatusNormalClosure {
		t.Errorf("closed with %d, want %d", got.Code, websocket.StatusNormalClosure)
	}
}

func TestServer_Close(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true})
	socket, _, err := w.dial(t, "", v3)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, socket)
	closed := make(chan error, 1)
	go func() { closed <- w.server.Close(t.Context()) }()
	if got := closeOf(t, socket); got.Code != websocket.StatusGoingAway {
		t.Errorf("closed with %d, want %d", got.Code, websocket.StatusGoingAway)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close() error = %v", err)
	}
	if _, resp, err := w.dial(t, "", v3); err == nil || resp.StatusCode != 503 {
		t.Errorf("after Close: %v, want 503", err)
	}
}

// Without a context Close waits for as long as it takes.
func TestServer_CloseNil(t *testing.T) {
	t.Parallel()
	var none context.Context
	if err := newWorld(t, spacetime.Config{}).server.Close(none); err != nil {
		t.Errorf("Close() error = %v", err)
	}
}

// Close waits until the last connection is served no more, as long as it may.
func TestServer_CloseWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var left atomic.Bool
	w := newWorld(t, spacetime.Config{Anonymous: true, Serve: func(context.Context, *spacetime.Conn) {
		<-release
		time.Sleep(50 * time.Millisecond)
		left.Store(true)
	}})
	socket, _, err := w.dial(t, "", v3)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, socket)
	ctx, cancel := context.WithCancelCause(t.Context())
	impatient := errors.New("no longer")
	cancel(impatient)
	if err := w.server.Close(ctx); !errors.Is(err, impatient) {
		t.Errorf("Close() error = %v, want %v", err, impatient)
	}
	close(release)
	if err := w.server.Close(t.Context()); err != nil || !left.Load() {
		t.Errorf("Close() error = %v, and the connection is served: %v", err, !left.Load())
	}
}

// A connection ends when its token is revoked, and a message that was under way
// is not served any more.
func TestSubscribe_Revoked(t *testing.T) {
	t.Parallel()
	served := make(chan string, 4)
	w := newWorld(t, spacetime.Config{Serve: func(ctx context.Context, c *spacetime.Conn) {
		for {
			m, err := c.Read(ctx)
			if err != nil {
				served <- err.Error()
				return
			}
			served <- string(m)
		}
	}})
	token := w.issuer.Token(map[string]any{"sid": "s1"})
	socket, _, err := w.dial(t, "?token="+w.buy(t, token), v3)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, socket)
	if err := socket.Write(t.Context(), websocket.MessageBinary, []byte("before")); err != nil {
		t.Fatal(err)
	}
	if got := <-served; got != "before" {
		t.Fatalf("served %q", got)
	}
	if err := w.auth.Revoke(t.Context(), oidcauth.Revocation{SessionID: "s1"}); err != nil {
		t.Fatal(err)
	}
	socket.Write(t.Context(), websocket.MessageBinary, []byte("after"))
	if got := closeOf(t, socket); got.Code != 3000 {
		t.Errorf("closed with %d %q, want 3000", got.Code, got.Reason)
	}
	if got := <-served; !strings.Contains(got, "revoked") {
		t.Errorf("served %q after the revocation", got)
	}
}
