package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

// answerSlowly gives the chat another database, whose one reducer says when it has begun,
// and ends when it may.
func (w *world) answerSlowly(t *testing.T) (began, may chan struct{}) {
	t.Helper()
	began, may = make(chan struct{}), make(chan struct{})
	db, err := realtime.Open(filepath.Join(t.TempDir(), "slow.db"), realtime.Module{Reducers: map[string]realtime.Reducer{
		"slow": {Allow: oidcauth.All(), Run: func(*realtime.ReducerContext, json.RawMessage) (any, error) {
			close(began)
			<-may
			return "done", nil
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	w.db = db // which the world closes
	return began, may
}

// A muteClient is one that does not answer pings, and says when one comes.
type muteClient struct {
	*client
	socket *socket // the server's
	pinged chan struct{}
	hears  chan []byte
}

func (w *world) enterMute(t *testing.T, name string) *muteClient {
	t.Helper()
	m := &muteClient{pinged: make(chan struct{}, 1), hears: make(chan []byte, 10)}
	conn, _, err := websocket.Dial(t.Context(), w.address+"/socket", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token(t, name)}}, Subprotocols: []string{subprotocol},
		OnPingReceived: func(context.Context, []byte) bool {
			m.pinged <- struct{}{}
			return false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	m.client = &client{t: t, conn: conn}
	go func() {
		defer close(m.hears)
		for {
			_, message, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			m.hears <- message
		}
	}()
	<-m.hears // "welcome"
	m.socket = w.sockets.all()[0]
	return m
}

// asked has the server ask the client whether it is there, and returns when it has been
// asked. The server waits for the answer until end is called, which returns whether the
// client counts as gone.
func (m *muteClient) asked() (end func() bool) {
	m.t.Helper()
	m.untilIdle()
	ctx, cancel := context.WithCancel(m.t.Context())
	gone := make(chan bool)
	go func() { gone <- m.socket.gone(ctx) }()
	<-m.pinged
	// What is cancelled while it is being written takes the connection with it. The
	// question no longer is once a message has come behind it.
	m.socket.outbox.put([]byte(`{"notice":"behind"}`))
	<-m.hears
	m.untilIdle()
	return func() bool {
		cancel()
		return <-gone
	}
}

// untilIdle waits until the server knows that its last message is sent.
func (m *muteClient) untilIdle() {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, idle := m.socket.idle(); idle {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatal("the socket is never idle")
		}
	}
}

func (m *muteClient) says(f frame) {
	m.t.Helper()
	if err := wsjson.Write(m.t.Context(), m.conn, f); err != nil {
		m.t.Fatal(err)
	}
}

// TestKeepAlive_SlowAnswer: nobody reads what a client answers to a ping while a frame of
// its own is being answered, and that is not held against it.
func TestKeepAlive_SlowAnswer(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	began, may := w.answerSlowly(t)
	bob := w.enterMute(t, "bob")
	end := bob.asked()
	bob.says(frame{ID: 1, Call: "slow"})
	<-began
	if end() {
		t.Error("asked before the frame came: the client counts as gone")
	}
	asked, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if bob.socket.gone(asked) {
		t.Error("asked while the frame is being answered: the client counts as gone")
	}
	close(may)
	if got := <-bob.hears; !strings.Contains(string(got), "done") {
		t.Errorf("got %q, want the answer", got)
	}
	if len(bob.pinged) > 0 {
		t.Error("a client that waits for an answer was asked")
	}
}

// TestKeepAlive_FrameSince: a client that has sent a frame since it was asked is there,
// and one that has sent nothing is not.
func TestKeepAlive_FrameSince(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enterMute(t, "bob")
	end := bob.asked()
	bob.says(frame{ID: 1, View: "me"})
	<-bob.hears
	bob.untilIdle()
	if end() {
		t.Error("a client that has sent a frame counts as gone")
	}
	if end := bob.asked(); !end() {
		t.Error("a client that has sent nothing counts as there")
	}
}

// TestKeepAlive_FrameArrives: a client whose frame is on its way is there.
func TestKeepAlive_FrameArrives(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enterMute(t, "bob")
	end := bob.asked()
	before, _ := bob.socket.idle()
	long, err := bob.conn.Writer(t.Context(), websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(long, `{"id":1,"view":"me","args":"`+strings.Repeat("x", 16<<10))
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if since, _ := bob.socket.idle(); since != before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing of the frame has come")
		}
	}
	if end() {
		t.Error("the client counts as gone")
	}
	io.WriteString(long, `"}`)
	if err := long.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-bob.hears; !strings.Contains(string(got), `"id":1`) {
		t.Errorf("got %q, want the answer", got)
	}
}

// TestKeepAlive_SlowLine: a message that is being sent holds up the question whether the
// client is there, and has a limit of its own.
func TestKeepAlive_SlowLine(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	bob.conn.SetReadLimit(-1)
	k := w.sockets.all()[0]
	k.outbox.put([]byte(`{"notice":"` + strings.Repeat("x", 8<<20) + `"}`)) // more than the way to him holds
	asked, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if k.gone(asked) {
		t.Error("the client counts as gone while a message is on the way")
	}
	bob.until(func() bool { return len(bob.notices) == 2 })
	if got := bob.does(frame{View: "me"}); got.Status != http.StatusOK {
		t.Errorf("after the message: got %+v, want 200", got)
	}
}
