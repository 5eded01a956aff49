package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// chatServer is the number by which the judge knows the chat.
const chatServer = 2

// closedExpired is the code with which a session ends whose token has.
const closedExpired = 3000

// patience is how long a client of the chat waits for an answer.
const patience = 20 * time.Second

// Visitors are the clients of the chat: they come, talk, renew their tokens or do not,
// and leave.
type visitors struct {
	chat   *server
	issuer *provider
	judge  *judge
}

// run has some visitors there at a time, until ctx ends.
func (v *visitors) run(ctx context.Context, count int) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for range count {
		wg.Go(func() {
			for ctx.Err() == nil {
				pause(ctx, rand.N(2*time.Second))
				v.visit(ctx)
			}
		})
	}
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// A visitor is one client with its socket.
type visitor struct {
	*visitors
	conn   *websocket.Conn
	token  token
	number int
	wanted atomic.Pointer[string] // what a message that is waited for says
	got    chan frame
	end    chan struct{} // closed when the socket has ended
	why    error         // valid then
	ended  time.Time
}

// A frame is what the chat says.
type frame struct {
	ID     int    `json:"id"`
	Status int    `json:"status"`
	Notice string `json:"notice"`
	text   []byte
}

// visit is one visit.
func (v *visitors) visit(ctx context.Context) {
	renews := rand.IntN(4) > 0
	me := v.enter(v.issuer.mint(nil, 20*time.Second+rand.N(30*time.Second)))
	if me == nil {
		return
	}
	defer me.leave()
	if renews {
		me.talk(ctx, 10*time.Second+rand.N(2*time.Minute))
		return
	}
	me.outstay(ctx)
}

// enter connects with a token and subscribes; nil if that did not come about.
func (v *visitors) enter(t token) *visitor {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := &presented{kind: kindSocket, server: chatServer, keyID: t.keyID, good: true}
	v.judge.present(p)
	conn, resp, err := websocket.Dial(ctx, v.chat.url+"/socket", &websocket.DialOptions{
		Subprotocols: []string{"chat.v1"}, HTTPHeader: http.Header{"Authorization": {"Bearer " + t.text}},
	})
	if v.judge.take(p, ofHandshake(resp, err)) != accepted {
		return nil
	}
	conn.SetReadLimit(4 << 20)
	me := &visitor{visitors: v, conn: conn, token: t, got: make(chan frame, 256), end: make(chan struct{})}
	go me.read()
	if err := me.say("subscribe", []string{"messages"}); err != nil {
		me.fault("subscribe: %v", err)
		me.leave()
		return nil
	}
	return me
}

// ofHandshake returns the answer to a handshake.
func ofHandshake(resp *http.Response, err error) answer {
	if resp == nil {
		return answer{err: err}
	}
	a := answer{status: resp.StatusCode}
	if resp.StatusCode != http.StatusSwitchingProtocols && resp.Body != nil {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // all that there is of it
		a.body = string(body)
		return a
	}
	a.err = err
	return a
}

func (me *visitor) fault(format string, args ...any) {
	me.judge.fault("chat, key %q: %s", me.token.keyID, fmt.Sprintf(format, args...))
}

// leave ends the visit, and waits until nobody reads.
func (me *visitor) leave() {
	me.conn.Close(websocket.StatusNormalClosure, "")
	<-me.end
}

// read takes what comes until the socket ends.
func (me *visitor) read() {
	defer close(me.end)
	for {
		_, text, err := me.conn.Read(context.Background())
		if err != nil {
			me.why, me.ended = err, time.Now()
			return
		}
		var f frame
		if err := json.Unmarshal(text, &f); err != nil {
			me.fault("it says %.100q", text)
			continue
		}
		if f.text = text; f.ID != 0 || me.waitsFor(text) {
			me.got <- f // few, which somebody takes or has given up on
		}
	}
}

func (me *visitor) waitsFor(text []byte) bool {
	wanted := me.wanted.Load()
	return wanted != nil && bytes.Contains(text, []byte(*wanted))
}

// say sends one frame and waits for its answer; what is called "send" comes back as a
// message, too.
func (me *visitor) say(what string, value any) error {
	me.number++
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	said, returns := map[string]any{"id": me.number, what: value}, ""
	if what == "send" {
		returns = "soak " + random()
		me.wanted.Store(&returns)
		defer me.wanted.Store(nil)
		said = map[string]any{"id": me.number, "call": "send", "args": map[string]any{"text": returns}}
	}
	text, err := json.Marshal(said)
	if err != nil {
		return err
	}
	if err := me.conn.Write(ctx, websocket.MessageText, text); err != nil {
		return err
	}
	for answered, returned := false, returns == ""; !answered || !returned; {
		select {
		case f := <-me.got:
			if f.ID == me.number && f.Status != http.StatusOK {
				return &refusedError{f.Status, string(f.text)}
			}
			answered = answered || f.ID == me.number
			returned = returned || bytes.Contains(f.text, []byte(returns))
		case <-me.end:
			return me.why
		case <-ctx.Done():
			return fmt.Errorf("no answer, or the message does not come back: %w", ctx.Err())
		}
	}
	return nil
}

// A refusedError is a frame's answer that is no success.
type refusedError struct {
	status int
	text   string
}

func (e *refusedError) Error() string { return fmt.Sprintf("status %d: %.200s", e.status, e.text) }

// talk says something now and then, and renews the token in time.
func (me *visitor) talk(ctx context.Context, stay time.Duration) {
	for leave := time.Now().Add(stay); time.Now().Before(leave); {
		if !pause(ctx, time.Second+rand.N(10*time.Second)) {
			return
		}
		if time.Until(me.token.expires) < 12*time.Second && !me.renew() {
			return
		}
		if err := me.say("send", nil); err != nil {
			if time.Now().Before(me.token.expires.Add(leeway)) {
				me.fault("send: %v", err)
			}
			return
		}
		me.judge.count("message", accepted)
	}
}

// renew puts the socket under another token of the same caller. One whose key the chat
// cannot have yet may be refused for now: then there is another try, until the session
// ends.
func (me *visitor) renew() bool {
	for {
		next := me.issuer.mint(map[string]any{"sub": me.token.subject}, 20*time.Second+rand.N(30*time.Second))
		p := &presented{kind: kindRenewal, server: chatServer, keyID: next.keyID, good: true}
		me.judge.present(p)
		err := me.say("renew", next.text)
		a := answer{status: http.StatusOK}
		if failed := new(refusedError); errors.As(err, &failed) {
			a = answer{status: failed.status, body: failed.text}
		} else if err != nil && time.Now().After(me.token.expires.Add(leeway)) {
			return false // the session has ended
		} else if err != nil {
			a = answer{err: err}
		}
		switch me.judge.take(p, a) {
		case accepted:
			me.token = next
			return true
		case noKeys:
			time.Sleep(2 * time.Second)
		default:
			return false
		}
	}
}

// outstay says nothing and renews nothing: the chat has to end the session at the
// token's end and the leeway, not earlier and not much later.
func (me *visitor) outstay(ctx context.Context) {
	end := me.token.expires.Add(leeway)
	select {
	case <-ctx.Done():
		return
	case <-me.end:
		if me.ended.Before(end.Add(-2 * time.Second)) { // tokens count seconds
			me.fault("the socket ended %v before the token: %v", end.Sub(me.ended), me.why)
			return
		}
		if code := websocket.CloseStatus(me.why); code != closedExpired {
			me.fault("the socket of an expired token was closed with %d: %v", code, me.why)
			return
		}
		me.judge.count("expired socket", refused)
	case <-time.After(time.Until(end) + 2*me.judge.busy):
		me.fault("the socket outlived its token by %v", time.Since(end))
	}
}
