package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

// A guestClient is a program that speaks SpacetimeDB's protocol.
type guestClient struct {
	t    *testing.T
	conn *websocket.Conn
}

// visit connects somebody as SpacetimeDB's client for Rust does.
func (w *world) visit(t *testing.T, name, database, protocol string) (*guestClient, *http.Response) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), w.address+"/v1/database/"+database+"/subscribe", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token(t, name)}}, Subprotocols: []string{protocol},
	})
	if err != nil {
		return nil, response
	}
	t.Cleanup(func() { conn.CloseNow() })
	g := &guestClient{t, conn}
	if first := g.hears(); first[1] != 0 && first[1] != 3 {
		t.Fatalf("first message: got tag %d, want InitialConnection, or IdentityToken of v1", first[1])
	}
	return g, response
}

// hears returns the next message.
func (g *guestClient) hears() []byte {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	_, message, err := g.conn.Read(ctx)
	if err != nil {
		g.t.Fatal(err)
	}
	return message
}

func (g *guestClient) says(message []byte) {
	g.t.Helper()
	if err := g.conn.Write(g.t.Context(), websocket.MessageBinary, message); err != nil {
		g.t.Fatal(err)
	}
}

// ends returns with what code and reason the server closes.
func (g *guestClient) ends() (websocket.StatusCode, string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	for {
		if _, _, err := g.conn.Read(ctx); err != nil {
			closed, _ := errors.AsType[websocket.CloseError](err)
			return closed.Code, closed.Reason
		}
	}
}

func saySubscribe(set uint32, queries ...string) []byte {
	b := bsatn{saysSubscribe}.u32(7).u32(set).u32(uint32(len(queries)))
	for _, query := range queries {
		b = b.text(query)
	}
	return b
}

func sayCall(reducer string, args ...string) []byte {
	var values bsatn
	for _, arg := range args {
		values = values.text(arg)
	}
	return append(bsatn{saysReducer}.u32(9).u8(0).text(reducer).u32(uint32(len(values))), values...)
}

// TestGuest_Rows: who watches a table gets its rows, and each change with the row as it
// was before.
func TestGuest_Rows(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	page := w.enter(t, "alice")
	page.does(frame{Call: "send", Args: args(arguments{Text: "from the page"})})
	bob, _ := w.visit(t, "bob", database, "v2.bsatn.spacetimedb")

	bob.says(saySubscribe(1, "SELECT * FROM messages", `select * from "people";`))
	if got := bob.hears(); got[1] != tellsSubscribed || !bytes.Contains(got, []byte("from the page")) || !bytes.Contains(got, []byte("guest ")) {
		t.Fatalf("after subscribing: got %q, want all rows of both tables", got)
	}
	author := []byte(bsatn{}.identity(w.sockets.all()[0].session.Claims().Identity()))
	row := page.does(frame{Call: "send", Args: args(arguments{Text: "one"})}).Result.(string)
	if got := bob.hears(); got[1] != tellsChanges || !bytes.Contains(got, author) || !bytes.HasSuffix(got, bsatn{}.rows()) {
		t.Errorf("a message by alice: got %q, want a row by her, and none that is gone", got)
	}
	page.does(frame{Call: "edit", Args: args(arguments{ID: row, Text: "two"})})
	if got := bob.hears(); bytes.Count(got, []byte(row)) != 2 || !(bytes.Index(got, []byte("two")) < bytes.Index(got, []byte("one"))) {
		t.Errorf("an edit: got %q, want the row as it is and as it was", got)
	}
	page.does(frame{Call: "delete", Args: args(arguments{ID: row})})
	if got := bob.hears(); bytes.Count(got, []byte(row)) != 1 {
		t.Errorf("a message that is gone: got %q, want the row as it was", got)
	}
	bob.says(bsatn{saysUnsubscribe}.u32(8).u32(1).u8(0))
	if got := bob.hears(); got[1] != tellsUnsubscribed {
		t.Errorf("after unsubscribing: got %q", got)
	}
	bob.says(sayCall("send", "to nobody in particular"))
	if got := bob.hears(); got[1] != tellsReducer {
		t.Errorf("after a call, without a subscription: got %q, want its result alone", got)
	}
}

// TestGuest_WhoMayWhat: what is answered with a result, and what with a refusal.
func TestGuest_WhoMayWhat(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	const done, refused = 1, 2
	bob, _ := w.visit(t, "bob", database, "v3.bsatn.spacetimedb")
	for _, r := range []struct {
		name  string
		says  []byte
		tells byte
		want  []byte // in the answer
	}{
		{"a reducer", sayCall("send", "hello"), tellsReducer, []byte{done}},
		{"a reducer for moderators", sayCall("promote", "x"), tellsReducer, []byte("may not do this")},
		{"a reducer for the database alone", sayCall("start"), tellsReducer, []byte{refused}},
		{"a reducer that is not there", sayCall("drop_tables"), tellsReducer, []byte("no such function")},
		{"too few arguments", sayCall("edit", "1"), tellsReducer, []byte{refused}},
		{"too many arguments", sayCall("send", "1", "2"), tellsReducer, []byte{refused}},
		{"a table for nobody", saySubscribe(1, "SELECT * FROM accounts"), tellsNoSubscribe, []byte("want SELECT")},
		{"a query with a condition", saySubscribe(1, "SELECT * FROM messages WHERE id = 1"), tellsNoSubscribe, []byte("want SELECT")},
		{"a subscription", saySubscribe(1, "SELECT * FROM messages"), tellsSubscribed, []byte("hello")},
		{"the same number again", saySubscribe(1, "SELECT * FROM messages"), tellsNoSubscribe, []byte("twice")},
		{"a procedure", append(bsatn{saysProcedure}.u32(9).u8(0).text("kick"), bsatn{}.u32(0)...), tellsProcedure, []byte("not here")},
		{"a single query", bsatn{saysQuery}.u32(9).text("SELECT * FROM messages"), tellsQuery, []byte("not here")},
	} {
		t.Run(r.name, func(t *testing.T) {
			bob.t = t
			bob.says(r.says)
			if got := bob.hears(); got[1] != r.tells || !bytes.Contains(got, r.want) {
				t.Errorf("got %q, want tag %d and %q", got, r.tells, r.want)
			}
		})
	}
	bob.t = t
	bob.says([]byte{99})
	if code, _ := bob.ends(); code != websocket.StatusInvalidFramePayloadData {
		t.Errorf("after what is no message: closed with %d, want 1007", code)
	}
}

// TestGuest_Entrances: which doors there are, and which not.
func TestGuest_Entrances(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	if _, response := w.visit(t, "bob", "other", "v2.bsatn.spacetimedb"); response == nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("another database: got %v, want 404", response)
	}
	old, _ := w.visit(t, "bob", database, "v1.bsatn.spacetimedb")
	if code, _ := old.ends(); code != websocket.StatusNormalClosure {
		t.Errorf("a client from before v2: closed with %d, want 1000", code)
	}
	response, err := http.Post(w.address+"/v1/identity", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode/100 != 4 {
		t.Errorf("an identity for nothing: got %d, want a refusal", response.StatusCode)
	}
}

// TestGuest_SentAway: who is sent away loses every connection, by whatever protocol.
func TestGuest_SentAway(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice := w.enter(t, "alice")
	bob, _ := w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	bob.says(sayCall("send", "hello"))
	bob.hears()
	if got := alice.does(frame{Run: "kick", Args: args(arguments{Identity: w.identity(t, "bob"), Reason: "shouting"})}); got.Status != 200 {
		t.Fatalf("kick: got %+v", got)
	}
	if code, _ := bob.ends(); code != 3000 {
		t.Errorf("close: got %d, want 3000", code)
	}
	if log := w.log.String(); strings.Contains(log, "eyJ") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// TestGuest_MayNot: who was sent away and comes again is told so, and not that all went
// well: programs connect again by the code.
func TestGuest_MayNot(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.enter(t, "bob").conn.CloseNow()
	mods, err := w.auth.Authenticate(t.Context(), w.token(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	w.enter(t, "alice")
	from := realtime.Caller{Context: oidcauth.NewContext(t.Context(), mods)}
	if _, err := w.db.Call(from, "ban", args(arguments{Identity: w.identity(t, "bob"), Reason: "shouting"})); err != nil {
		t.Fatal(err)
	}
	again, _ := w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	if code, reason := again.ends(); code != 3003 || reason == "" {
		t.Errorf("who was sent away: closed with %d %q, want 3003 and why", code, reason)
	}
}

// TestGuest_Waiting: a client that asks for all rows again and again and reads none of
// them does not make the server keep them.
func TestGuest_Waiting(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.visit(t, "bob", database, "v2.bsatn.spacetimedb")
	g := w.guestsAre(t, 1)[0]
	message := make([]byte, 1<<20)
	for range maxWaiting {
		g.put(message)
	}
	if waits := g.waiting.Load(); waits > maxWaitingBytes+int64(len(message)) {
		t.Errorf("%d bytes wait, want %d, or one message more", waits, maxWaitingBytes)
	}
	w.guestsAre(t, 0) // and the connection has ended
}

// guestsAre waits until there are so many, and returns them.
func (w *world) guestsAre(t *testing.T, want int) []*guest {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		all := w.guests.all()
		if len(all) == want {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("guests: got %d, want %d", len(all), want)
		}
	}
}

// TestGuest_OneNumberTwice: clients choose the numbers of their connections, and may
// choose one twice.
func TestGuest_OneNumberTwice(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice := w.enter(t, "alice")
	number := "/subscribe?connection_id=" + strings.Repeat("7", 32)
	for _, name := range []string{"bob", "bob", "olga"} {
		visit, _, err := websocket.Dial(t.Context(), w.address+"/v1/database/"+database+number, &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + w.token(t, name)}}, Subprotocols: []string{"v2.bsatn.spacetimedb"},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer visit.CloseNow()
	}
	bob, olga := w.identity(t, "bob"), w.identity(t, "olga")
	here := func(want int) {
		t.Helper()
		alice.until(func() bool {
			online := make(map[string]int)
			for _, rows := range alice.rows {
				for _, c := range rows.Changes {
					var p Person
					json.Unmarshal(c.Row, &p)
					online[c.Key] = p.Online
				}
			}
			return online[bob] == 2*want && online[olga] == want
		})
	}
	alice.does(frame{Subscribe: []string{"people"}})
	here(1)
	for _, g := range w.guestsAre(t, 3) {
		g.end()
	}
	here(0)
}

// TestBSATN_Hostile: whatever bytes come, reading ends, and with little memory.
func TestBSATN_Hostile(t *testing.T) {
	t.Parallel()
	whole := saySubscribe(1, "SELECT * FROM messages")
	for n := range whole {
		if r := (&bsatnReader{rest: whole[:n]}); r.message().tag == saysSubscribe && r.err == nil {
			t.Errorf("the first %d bytes of a message pass for all %d", n, len(whole))
		}
	}
	endless := binary.LittleEndian.AppendUint32(bsatn{saysSubscribe}.u32(1).u32(1), 1<<32-1)
	if r := (&bsatnReader{rest: endless}); len(r.message().queries) > 1 || r.err == nil {
		t.Error("a list that says it is longer than the message passes")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		frame := make([]byte, random.IntN(40))
		for n := range frame {
			frame[n] = byte(random.IntN(8))
		}
		for r := (&bsatnReader{rest: frame}); len(r.rest) > 0 && r.err == nil; {
			before := len(r.rest)
			if r.message(); len(r.rest) >= before {
				t.Fatalf("%v: reading makes no progress", frame)
			}
		}
	}
}
