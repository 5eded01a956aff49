package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

// TestSocket_TooSlow: who does not read holds up nobody, gets what was kept for them,
// and is then told to connect again.
func TestSocket_TooSlow(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	bob.conn.SetReadLimit(-1)
	k := w.sockets.all()[0]
	k.outbox.parting = patience // bob reads all there is, however busy the machine
	message := []byte(`{"notice":"` + strings.Repeat("x", 1<<12) + `"}`)
	began := time.Now()
	for n := 0; k.closed.Err() == nil; n++ {
		if n == 100*maxWaiting {
			t.Fatal("the socket takes messages without end")
		}
		k.outbox.put(message)
	}
	if held := time.Since(began); held >= writeLimit {
		t.Errorf("whoever had something to say was held up for %v", held)
	}
	if cause := context.Cause(k.closed); !errors.Is(cause, errSlow) {
		t.Errorf("the socket ended with %v, want %v", cause, errSlow)
	}
	if code, reason := bob.ends(); code != closeSlow || reason == "" {
		t.Errorf("close: got %d %q, want %d and why", code, reason, closeSlow)
	}
	if got := len(bob.notices); got < maxWaiting {
		t.Errorf("messages before the end: got %d, want at least the %d that waited", got, maxWaiting)
	}
}

// TestSocket_NothingAfterItsEnd: who reads slowly is told what was for them while their
// token was good, and nothing of later.
func TestSocket_NothingAfterItsEnd(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	bob.conn.SetReadLimit(-1)
	bob.does(frame{Subscribe: []string{"messages"}})
	k := w.sockets.all()[0]
	k.outbox.parting = patience
	alice := w.enter(t, "alice")
	large := []byte(`{"notice":"` + strings.Repeat("x", 1<<16) + `"}`)
	for range 14 { // more than the connection holds
		k.outbox.put(large)
	}
	alice.does(frame{Call: "send", Args: args(arguments{Text: "in time"})})
	if err := w.withdraw(t.Context(), Account{Issuer: w.provider.Issuer(), Subject: "bob"}); err != nil {
		t.Fatal(err)
	}
	<-k.closed.Done()
	alice.does(frame{Call: "send", Args: args(arguments{Text: "too late"})})
	if code, _ := bob.ends(); code != 3000 {
		t.Errorf("close: got %d, want 3000", code)
	}
	var told strings.Builder
	for _, rows := range bob.rows {
		for _, c := range rows.Changes {
			told.Write(c.Row)
		}
	}
	if !strings.Contains(told.String(), "in time") || strings.Contains(told.String(), "too late") {
		t.Errorf("bob was told %s, want what was said before his token ended, and nothing of later", told.String())
	}
}

// TestSocket_Waiting: what waits for a client who does not read is bounded in bytes, too.
func TestSocket_Waiting(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.enter(t, "bob")
	k := w.sockets.all()[0]
	message := []byte(`{"notice":"` + strings.Repeat("x", 1<<20) + `"}`)
	for n := 0; k.closed.Err() == nil; n++ {
		if n == maxWaiting {
			t.Fatalf("the socket takes %d messages of a megabyte", n)
		}
		k.outbox.put(message)
	}
	if cause := context.Cause(k.closed); !errors.Is(cause, errSlow) {
		t.Errorf("the socket ended with %v, want %v", cause, errSlow)
	}
}

// TestSocket_WatchesNoLonger: what a socket watches has to be permitted to the token that
// it is renewed with.
func TestSocket_WatchesNoLonger(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	reports := realtime.NewTable("reports", func(c Connection) string { return c.ID }, oidcauth.HasRole(roleMod))
	db, err := realtime.Open(filepath.Join(t.TempDir(), "reports.db"), realtime.Module{Tables: []realtime.TableInfo{reports}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range []string{"alice", "bob"} { // alice is a moderator still
		c := w.enter(t, name)
		all := w.sockets.all()
		k := all[slices.IndexFunc(all, func(k *socket) bool { return k.session.Claims().Subject() == name })]
		watched, err := db.Subscribe(realtime.Caller{Context: oidcauth.NewInternalContext(t.Context())}, []string{"reports"}, k.outbox.pass)
		if err != nil {
			t.Fatal(err)
		}
		k.mu.Lock()
		k.subs = append(k.subs, watched) // by a token of before, which had the role
		k.mu.Unlock()
		if name == "alice" {
			if got := c.does(frame{Renew: w.token(t, name)}); got.Status != http.StatusOK {
				t.Errorf("renewal: got %+v, want 200", got)
			}
			continue
		}
		if err := wsjson.Write(t.Context(), c.conn, frame{Renew: w.token(t, name)}); err != nil {
			t.Fatal(err)
		}
		if code, _ := c.ends(); code != 3003 {
			t.Errorf("close: got %d, want 3003", code)
		}
	}
}

// TestSocket_Stopped: a server that stops tells everybody, also those who come in the
// same moment.
func TestSocket_Stopped(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	told := make(chan websocket.StatusCode, 1)
	go func() {
		code, _ := bob.ends()
		told <- code
	}()
	w.sockets.stop()
	if code := <-told; code != websocket.StatusGoingAway {
		t.Errorf("close: got %d, want 1001", code)
	}
	late, _, err := w.dial(t, http.Header{"Authorization": {"Bearer " + w.token(t, "bob")}})
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := late.ends(); code != websocket.StatusGoingAway {
		t.Errorf("close, for who comes late: got %d, want 1001", code)
	}
	if left := len(w.sockets.all()); left != 0 {
		t.Errorf("sockets: got %d open, want none", left)
	}
}

// TestSocket_StoppedByTheSpoonful: a client that takes what is left message by message
// does not hold up a server that stops.
func TestSocket_StoppedByTheSpoonful(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	bob.conn.SetReadLimit(-1)
	k := w.sockets.all()[0]
	k.outbox.parting = 100 * time.Millisecond
	large := []byte(`{"notice":"` + strings.Repeat("x", 1<<16) + `"}`)
	for range 14 { // more than the connection holds
		k.outbox.put(large)
	}
	for range 2 {
		if err := bob.next(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	w.sockets.stop()
	if took := time.Since(began); took >= writeLimit/2 {
		t.Errorf("the server waited for %v, about as long as one message may take, want less", took)
	}
}

// TestSocket_Vanished: a client that does not answer any more loses its connection.
func TestSocket_Vanished(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.ping, w.pong = time.Millisecond, time.Millisecond
	w.enter(t, "bob") // who reads no more, so that nothing of his answers
	w.socketsAre(t, 0)
}

// TestSocket_KeptAlive: a client that answers is asked again and again.
func TestSocket_KeptAlive(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.ping, w.pong = time.Millisecond, patience
	asked := make(chan struct{}, 3)
	conn, _, err := websocket.Dial(t.Context(), w.address+"/socket", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token(t, "alice")}}, Subprotocols: []string{subprotocol},
		OnPingReceived: func(context.Context, []byte) bool {
			select {
			case asked <- struct{}{}:
			default:
			}
			return true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	alice := &client{t: t, conn: conn, replies: make(map[uint64]reply)}
	for len(asked) < cap(asked) {
		if got := alice.does(frame{View: "me"}); got.Status != http.StatusOK {
			t.Fatalf("between two questions: got %+v, want 200", got)
		}
	}
}

// TestSocket_TooMany: one person's sockets are bounded, and nobody else's count with them.
func TestSocket_TooMany(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	all := make([]*client, maxSockets)
	for i := range all {
		all[i] = w.enter(t, "bob")
	}
	another, _, err := w.dial(t, http.Header{"Authorization": {"Bearer " + w.token(t, "bob")}})
	if err != nil {
		t.Fatal(err)
	}
	if code, reason := another.ends(); code != closeMany || reason == "" {
		t.Errorf("close: got %d %q, want %d and why", code, reason, closeMany)
	}
	w.enter(t, "alice")
	all[0].conn.CloseNow()
	w.socketsAre(t, maxSockets)
	w.enter(t, "bob")
	w.socketsAre(t, maxSockets+1)
}

// socketsAre waits until so many are open.
func (w *world) socketsAre(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(patience); len(w.sockets.all()) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("sockets: got %d open, want %d", len(w.sockets.all()), want)
		}
	}
}

// TestSocket_ToldAtOnce: a browser's sign-in renews its sockets, also one that comes in
// the same moment.
func TestSocket_ToldAtOnce(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	enough := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		told := make(map[*socket]bool)
		for {
			select {
			case <-enough:
				return
			default:
			}
			for _, k := range w.sockets.all() {
				if !told[k] {
					k.say(notice{Notice: "renewed"})
					told[k] = true
				}
			}
		}
	})
	for range 20 {
		bob := w.enter(t, "bob")
		bob.until(func() bool { return len(bob.notices) == 2 }) // "welcome" and "renewed"
		bob.conn.CloseNow()
	}
	close(enough)
	telling.Wait()
}

// TestSocket_FrameBehindTheRequest: a client need not wait for the answer to its
// request before it sends a frame.
func TestSocket_FrameBehindTheRequest(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for _, length := range []int{10, 3 * smallBuffer} {
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			at, err := url.Parse(w.address)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", at.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: %s\r\n\r\n%s",
				at.Host, w.token(t, "bob"), subprotocol, textFrame(`{"id":7,"view":"me"`+strings.Repeat(" ", length)+`}`))
			for lines := bufio.NewReader(conn); ; {
				line, err := lines.ReadString('}')
				if err != nil {
					t.Fatalf("no answer: %v", err)
				}
				if strings.Contains(line, `"id":7,"status":200`) {
					return
				}
			}
		})
	}
}

// textFrame returns a client's frame, masked with zeros.
func textFrame(text string) string {
	const final, masked, long = 0x81, 0x80, 126
	if n := len(text); n >= long {
		return string([]byte{final, masked | long, byte(n >> 8), byte(n), 0, 0, 0, 0}) + text
	}
	return string([]byte{final, byte(masked | len(text)), 0, 0, 0, 0}) + text
}
