package spacetime_test

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// A signer counts what it signs.
type signer struct {
	crypto.Signer
	signed atomic.Int64
	broken atomic.Bool // signs nothing
}

func (s *signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.broken.Load() {
		return nil, errors.New("the key is away")
	}
	s.signed.Add(1)
	return s.Signer.Sign(random, digest, opts)
}

// newCountingWorld is newWorld with keys that count what is issued.
func newCountingWorld(t *testing.T, cfg spacetime.Config) (*world, *signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{Signer: key}
	return newWorldOf(t, cfg, localissuer.Config{Signer: s}, -1), s
}

// ask sends a request as it is written, and returns the answer's head.
func (w *world) ask(t *testing.T, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// handshakes are what a client may write, with what must come of it.
var handshakes = []struct {
	name   string
	method string
	change func(http.Header)
	want   int
}{
	{"a good one", "GET", func(h http.Header) {}, 101},
	{"headers in small letters", "GET", func(h http.Header) { h.Set("Upgrade", "WebSocket"); h.Set("Connection", "keep-alive, upgrade") }, 101},
	{"HEAD", "HEAD", func(h http.Header) {}, 405},
	{"no Upgrade", "GET", func(h http.Header) { h.Del("Upgrade") }, 426},
	{"another Upgrade", "GET", func(h http.Header) { h.Set("Upgrade", "h2c") }, 426},
	{"no Connection", "GET", func(h http.Header) { h.Del("Connection") }, 426},
	{"another Connection", "GET", func(h http.Header) { h.Set("Connection", "keep-alive") }, 426},
	{"no version", "GET", func(h http.Header) { h.Del("Sec-WebSocket-Version") }, 400},
	{"an old version", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Version", "8") }, 400},
	{"no key", "GET", func(h http.Header) { h.Del("Sec-WebSocket-Key") }, 400},
	{"an empty key", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Key", "") }, 400},
	{"a short key", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Key", "AAAA") }, 400},
	{"a key that is not base64", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Key", strings.Repeat("!", 24)) }, 400},
	{"two keys", "GET", func(h http.Header) { h.Add("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==") }, 400},
	{"no subprotocol", "GET", func(h http.Header) { h.Del("Sec-WebSocket-Protocol") }, 400},
	{"another subprotocol", "GET", func(h http.Header) { h.Set("Sec-WebSocket-Protocol", "chat") }, 400},
	{"another page", "GET", func(h http.Header) { h.Set("Origin", "https://evil.example") }, 403},
}

// handshake returns the header of a good handshake.
func handshake() http.Header {
	return http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"AAECAwQFBgcICQoLDA0ODw=="}, "Sec-Websocket-Protocol": {"v2.bsatn.spacetimedb"},
	}
}

func written(method, target string, h http.Header) string {
	var b strings.Builder
	b.WriteString(method + " " + target + " HTTP/1.1\nHost: db.example")
	for name, values := range h {
		for _, value := range values {
			b.WriteString("\n" + name + ": " + value)
		}
	}
	return b.String()
}

// A handshake that comes to nothing uses no ticket up and issues nothing, whoever
// makes it, and its answer says what was wrong and bears no token.
func TestHandshake_CostsNothing(t *testing.T) {
	w, signer := newCountingWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true})
	token := w.issuer.Token(nil)
	for _, tt := range handshakes {
		t.Run(tt.name, func(t *testing.T) {
			ticket := w.buy(t, token)
			before := signer.signed.Load()
			for _, query := range []string{"?token=" + ticket, ""} {
				h := handshake()
				tt.change(h)
				resp := w.ask(t, written(tt.method, "/v1/database/chat/subscribe"+query, h))
				if resp.StatusCode != tt.want {
					t.Errorf("%q: status %d, want %d", query, resp.StatusCode, tt.want)
				}
				if got := resp.Header.Get("Spacetime-Identity-Token"); got != "" && tt.want != 101 {
					t.Errorf("%q: the refusal bears a token", query)
				}
				if got := resp.Header.Get("Upgrade"); (got != "") != (tt.want == 426 || tt.want == 101) {
					t.Errorf("%q: Upgrade is %q", query, got)
				}
			}
			issued, want := signer.signed.Load()-before, int64(0)
			if tt.want == 101 {
				want = 1 // for nobody
			}
			if issued != want {
				t.Errorf("%d tokens were issued, want %d", issued, want)
			}
			_, err := w.auth.AuthenticateTicket(httptest.NewRequest("GET", "/", nil), ticket, "chat")
			if used := errors.Is(err, oidcauth.ErrTicketUsed); used != (tt.want == 101) {
				t.Errorf("the ticket is used up: %t, error %v", used, err)
			}
		})
	}
}

// What is judged to be a handshake, the WebSocket library takes for one, too.
func TestHandshake_AsAccept(t *testing.T) {
	for _, tt := range handshakes {
		for _, major := range []int{1, 2} {
			r := httptest.NewRequest(tt.method, "/", nil)
			r.Header = handshake()
			tt.change(r.Header)
			if major == 2 {
				r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0
			}
			ours := spacetime.CheckHandshake(r) == nil
			rec := httptest.NewRecorder() // which cannot be taken over
			websocket.Accept(rec, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
			if theirs := rec.Code == http.StatusNotImplemented; ours && !theirs {
				t.Errorf("%s, HTTP/1.%d: accepted here, and there %d", tt.name, r.ProtoMinor, rec.Code)
			} else if theirs && !ours {
				t.Errorf("%s, HTTP/1.%d: refused here, and accepted there", tt.name, r.ProtoMinor)
			}
		}
	}
}

// A server that is closed, and one behind a handler that hides the connection,
// leave tickets alone.
func TestHandshake_ServersFault(t *testing.T) {
	w, signer := newCountingWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true})
	ticket := w.buy(t, w.issuer.Token(nil))
	before := signer.signed.Load()
	open := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		for _, query := range []string{"", "?token=" + ticket} {
			r := httptest.NewRequest("GET", "/v1/database/chat/subscribe"+query, nil)
			r.Header = handshake()
			rec = httptest.NewRecorder()
			w.server.ServeHTTP(rec, r)
		}
		return rec
	}
	if rec := open(); rec.Code != 500 || !strings.Contains(w.log.String(), "http.Hijacker") {
		t.Errorf("hidden: status %d, log %s", rec.Code, w.log)
	}
	if err := w.server.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"", "?token=" + ticket} {
		if resp := w.ask(t, written("GET", "/v1/database/chat/subscribe"+query, handshake())); resp.StatusCode != 503 || resp.Header.Get("Spacetime-Identity-Token") != "" {
			t.Errorf("closed: status %d", resp.StatusCode)
		}
	}
	if issued := signer.signed.Load() - before; issued != 0 {
		t.Errorf("%d tokens were issued", issued)
	}
	if _, err := w.auth.AuthenticateTicket(httptest.NewRequest("GET", "/", nil), ticket, "chat"); err != nil {
		t.Errorf("the ticket: error = %v", err)
	}
}

// A wrapped is an answer that something in front of the server has wrapped.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A connection can be taken over through whatever wraps it and says so, and one that
// cannot be is told from one that the client has left.
func TestHandshake_Wrapped(t *testing.T) {
	t.Parallel()
	plain := httptest.NewRecorder()
	for name, tt := range map[string]struct {
		w    http.ResponseWriter
		want bool
	}{
		"as it is":              {socket{plain}, true},
		"wrapped":               {wrapped{socket{plain}}, true},
		"wrapped twice":         {wrapped{wrapped{socket{plain}}}, true},
		"hidden":                {struct{ http.ResponseWriter }{socket{plain}}, false},
		"hidden within another": {wrapped{struct{ http.ResponseWriter }{socket{plain}}}, false},
	} {
		r := httptest.NewRequest("GET", "/v1/database/chat/subscribe", nil)
		r.SetPathValue("name", "chat")
		r.Header = handshake()
		if _, err := spacetime.ReadHandshake(tt.w, r); (err == nil) != tt.want {
			t.Errorf("%s: ReadHandshake() error = %v, want none: %t", name, err, tt.want)
		}
		conn, _, err := spacetime.Upgrade(tt.w, r, "v2.bsatn.spacetimedb")
		if (err == nil) != tt.want || (conn != nil) != tt.want {
			t.Errorf("%s: Upgrade() error = %v, want none: %t", name, err, tt.want)
		}
		if conn != nil {
			conn.CloseNow()
		}
	}
}

// A token that is no ticket is told from a ticket that is refused.
func TestIsNoTicket(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		check string
		err   error
		want  bool
	}{
		{"type", oidcauth.ErrTokenType, true},
		{"form", oidcauth.ErrMalformedToken, true},
		{"ticket", oidcauth.ErrTokenType, false},
		{"ticket", oidcauth.ErrMalformedToken, false},
		{"type", oidcauth.ErrClaim, false},
		{"form", oidcauth.ErrClaim, false},
		{"ticket", oidcauth.ErrTicketUsed, false},
	} {
		if got := spacetime.IsNoTicket(&oidcauth.Refusal{Check: tt.check, Err: tt.err}); got != tt.want {
			t.Errorf("%v of the check %q: IsNoTicket() = %t, want %t", tt.err, tt.check, got, tt.want)
		}
		if spacetime.IsNoTicket(tt.err) {
			t.Errorf("%v of no check: IsNoTicket() = true", tt.err)
		}
	}
}

// The subprotocol is echoed as it is spelt, whatever else is offered.
func TestSubscribe_Subprotocol(t *testing.T) {
	w := newWorld(t, spacetime.Config{Anonymous: true})
	h := handshake()
	h.Set("Sec-WebSocket-Protocol", "V2.BSATN.SPACETIMEDB, v2.bsatn.spacetimedb")
	if resp := w.ask(t, written("GET", "/v1/database/chat/subscribe", h)); resp.Header.Get("Sec-WebSocket-Protocol") != "v2.bsatn.spacetimedb" {
		t.Errorf("echoed %q", resp.Header.Get("Sec-WebSocket-Protocol"))
	}
}

// The program decides which databases there are, of those callers alone who may
// come in, and before anything is used up or issued.
func TestConfig_Database(t *testing.T) {
	cause := errors.New("the catalogue is away")
	var asked atomic.Int64
	cfg := spacetime.Config{NoExpiry: true, Database: func(ctx context.Context, name string) error {
		asked.Add(1)
		switch name {
		case "gone":
			return spacetime.ErrNoDatabase
		case "staff":
			return oidcauth.Require(ctx, oidcauth.HasRole("staff"))
		case "away":
			return cause
		}
		return nil
	}}
	private, _ := newCountingWorld(t, cfg)
	cfg.Anonymous = true
	public, signer := newCountingWorld(t, cfg)
	for _, tt := range []struct {
		name     string
		database string
		roles    []string
		private  bool // answers of a server that lets nobody in without a token
		want     int  // with a token, a ticket
		nobody   int
	}{
		{"one that is there", "chat", nil, false, 101, 101},
		{"one that is there, private server", "chat", nil, true, 101, 401},
		{"none", "gone", nil, false, 404, 404},
		{"none, private server", "gone", nil, true, 404, 401},
		{"not for everybody", "staff", nil, false, 403, 401},
		{"for these", "staff", []string{"staff"}, false, 101, 401},
		{"nobody knows", "away", nil, false, 500, 500},
		{"a name that is too long", strings.Repeat("x", 257), nil, false, 400, 400},
		{"the longest name", strings.Repeat("x", 256), nil, false, 101, 101},
		{"a name that is no text", "%ff", nil, false, 400, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := public
			if tt.private {
				w = private
			}
			token := w.issuer.Token(map[string]any{"roles": tt.roles})
			ticket, target := w.buy(t, token), "/v1/database/"+tt.database+"/subscribe"
			before, askedBefore := signer.signed.Load(), asked.Load()
			h := handshake()
			if resp := w.ask(t, written("GET", target, h)); resp.StatusCode != tt.nobody {
				t.Errorf("nobody: status %d, want %d", resp.StatusCode, tt.nobody)
			}
			if tt.private && asked.Load() != askedBefore {
				t.Error("the program was asked for somebody who may not come in")
			}
			if issued := signer.signed.Load() - before; !tt.private && issued != map[bool]int64{true: 1}[tt.nobody == 101] {
				t.Errorf("nobody: %d tokens were issued", issued)
			}
			if resp := w.ask(t, written("GET", target+"?token="+ticket, h)); resp.StatusCode != tt.want {
				t.Errorf("ticket: status %d, want %d", resp.StatusCode, tt.want)
			}
			_, err := w.auth.AuthenticateTicket(httptest.NewRequest("GET", "/", nil), ticket, "chat")
			if used := errors.Is(err, oidcauth.ErrTicketUsed); used != (tt.want == 101) {
				t.Errorf("the ticket is used up: %t, error %v", used, err)
			}
			h.Set("Authorization", "Bearer "+token)
			if resp := w.ask(t, written("GET", target, h)); resp.StatusCode != tt.want {
				t.Errorf("header: status %d, want %d", resp.StatusCode, tt.want)
			}
			askedBefore = asked.Load()
			h.Set("Authorization", "Bearer "+token+"x")
			if resp := w.ask(t, written("GET", target, h)); resp.StatusCode != 401 && tt.want != 400 {
				t.Errorf("a bad token: status %d, want 401", resp.StatusCode)
			}
			if asked.Load() != askedBefore {
				t.Error("the program was asked for a bad token")
			}
		})
	}
	// Each of the requests is one line, and says which request it was.
	lines := strings.Count(public.log.String(), cause.Error())
	if want := strings.Count(public.log.String(), "path=/v1/database/away/subscribe"); lines == 0 || lines != want-1 { // one had a bad token
		t.Errorf("why nobody knows is in the log %d times, and the request %d times:\n%s", lines, want, public.log)
	}
	if failed := strings.Count(public.log.String(), `level=ERROR msg="request failed" status=500`); failed != lines {
		t.Errorf("%d lines tell of failures, want %d", failed, lines)
	}
}
