package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

const (
	subprotocol = "chat.v1"
	maxFrame    = 32 << 10
	maxWaiting  = 256 // messages to one client; beyond, it is too slow and loses its connection
	writeLimit  = 10 * time.Second
	closeSlow   = 4008
)

// A frame is what a client sends: one of Call, View and Run names a function, or
// Subscribe tables. A client that has its own tokens renews with Renew.
type frame struct {
	ID        uint64          `json:"id"`
	Call      string          `json:"call,omitempty"`
	View      string          `json:"view,omitempty"`
	Run       string          `json:"run,omitempty"`
	Args      json.RawMessage `json:"args,omitempty"`
	Subscribe []string        `json:"subscribe,omitempty"`
	Renew     string          `json:"renew,omitempty"`
}

// A reply answers the frame with the same ID.
type reply struct {
	ID          uint64 `json:"id"`
	Status      int    `json:"status"`
	Result      any    `json:"result,omitempty"`
	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// A notice is what the server says unasked.
type notice struct {
	Notice     string            `json:"notice"` // "welcome", "renewed", "expiring" or "refused"
	Identity   oidcauth.Identity `json:"identity,omitzero"`
	Connection string            `json:"connection,omitempty"`
	Moderator  bool              `json:"moderator,omitempty"` // by the token's roles
	Operator   bool              `json:"operator,omitempty"`  // by the token's roles
	Expires    time.Time         `json:"expires_at,omitzero"`
	Now        time.Time         `json:"now,omitzero"`
	Reason     string            `json:"reason,omitempty"`
}

// A socket is one client's connection. One goroutine reads, one writes; whoever has
// something to say puts it into the queue.
type socket struct {
	server  *server
	id      string
	login   string // of the browser; empty for other clients
	since   time.Time
	conn    *websocket.Conn
	session *oidcauth.Session

	queue  chan []byte
	closed context.Context // ends when the socket is to be closed, with the cause
	end    context.CancelCauseFunc

	mu   sync.Mutex // guards subs
	subs []*realtime.Subscription
}

var errSlow = errors.New("the client does not read what it is sent")

// connect serves one WebSocket until the client leaves, the server stops, or the
// client's token would no longer be accepted.
func (s *server) connect(w http.ResponseWriter, r *http.Request) {
	s.sockets.running.Add(1)
	defer s.sockets.running.Done()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol},
		// The token's place has decided about the Origin: see newServer.
		InsecureSkipVerify: true,
	})
	if err != nil {
		return // Accept has answered.
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	claims, _ := oidcauth.FromContext(r.Context())
	k := &socket{
		server: s, id: rand.Text(), since: time.Now(), conn: conn,
		session: s.auth.NewSession(r.Context(), claims),
		queue:   make(chan []byte, maxWaiting),
	}
	if l := s.signIn.login(r); l != nil {
		k.login = l.id
	}
	k.closed, k.end = context.WithCancelCause(k.session.Context())
	k.serve(r.Context())
}

// serve returns when the client has left or been told why the socket ends.
func (k *socket) serve(request context.Context) {
	defer k.session.Close()
	defer context.AfterFunc(request, func() { k.end(oidcauth.ErrClosed) })()
	var writing sync.WaitGroup
	writing.Go(k.write)
	defer writing.Wait()
	defer k.end(oidcauth.ErrClosed) // first of all these, so that the writer ends

	from := realtime.Caller{Context: k.session.CallContext(), Connection: k.id}
	if err := k.server.db.Connect(from); err != nil {
		k.refuse(err)
		return
	}
	defer func() {
		if err := k.server.db.Disconnect(from); err != nil {
			k.server.logger.Error("disconnect", "reason", err)
		}
	}()
	k.server.sockets.add(k)
	defer k.server.sockets.remove(k)
	defer k.unsubscribe()
	k.welcome()
	// The session lives for the leeway longer than its token.
	k.session.OnExpiring(k.server.warn+leeway, func() { k.say(notice{Notice: "expiring", Expires: k.session.Claims().Expiry(), Now: time.Now()}) })
	k.read()
}

// refuse tells a client why it may not connect, and waits until it has gone.
func (k *socket) refuse(err error) {
	_, _, description := oidcauth.Answer(err)
	if errors.Is(err, oidcauth.ErrForbidden) {
		description = err.Error() // what OnConnect says, which holds nothing of the token
	}
	k.say(notice{Notice: "refused", Reason: description})
	k.end(err)
	k.discard()
}

func (k *socket) welcome() {
	claims := k.session.Claims()
	k.say(notice{
		Notice: "welcome", Identity: claims.Identity(), Connection: k.id,
		Moderator: claims.HasRole(roleMod), Operator: claims.HasRole(roleOperate),
		Expires: claims.Expiry(), Now: time.Now(),
	})
}

// read answers one frame after the other. It ends with the connection and not with
// the session, so that there is still somebody to tell why.
func (k *socket) read() {
	for {
		var f frame
		if err := wsjson.Read(context.Background(), k.conn, &f); err != nil {
			return
		}
		answer := k.answer(f)
		answer.ID = f.ID
		k.say(answer)
	}
}

func (k *socket) discard() {
	for {
		if _, _, err := k.conn.Read(context.Background()); err != nil {
			return
		}
	}
}

func (k *socket) answer(f frame) reply {
	ctx := k.session.CallContext() // one set of claims for the whole frame
	result, err := k.invoke(ctx, f)
	if err == nil {
		return reply{Status: http.StatusOK, Result: result}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	status, code, description := answerOf(err)
	if status == http.StatusInternalServerError {
		k.server.logger.Error("function failed", "reason", err)
	}
	return reply{Status: status, Error: code, Description: description}
}

func (k *socket) invoke(ctx context.Context, f frame) (any, error) {
	from := realtime.Caller{Context: ctx, Connection: k.id}
	switch {
	case f.Call != "":
		return k.server.db.Call(from, f.Call, f.Args)
	case f.View != "":
		return k.server.db.View(from, f.View, f.Args)
	case f.Run != "":
		return k.server.db.Procedure(from, f.Run, f.Args)
	case f.Renew != "":
		return nil, k.renew(ctx, f.Renew)
	case len(f.Subscribe) > 0:
		return nil, k.subscribe(from, f.Subscribe)
	}
	return nil, realtime.ErrArguments
}

// renew puts the socket under another token of the same identity.
func (k *socket) renew(ctx context.Context, token string) error {
	claims, err := k.session.Renew(ctx, token)
	if err != nil {
		return err
	}
	k.say(notice{
		Notice: "renewed", Moderator: claims.HasRole(roleMod), Operator: claims.HasRole(roleOperate),
		Expires: claims.Expiry(), Now: time.Now(),
	})
	return nil
}

// subscribe has the tables' rows sent. A second subscription comes beside the first.
func (k *socket) subscribe(from realtime.Caller, tables []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.subs) >= 8 {
		return realtime.ErrArguments
	}
	sub, err := k.server.db.Subscribe(from, tables, k.enqueue)
	if err == nil {
		k.subs = append(k.subs, sub)
	}
	return err
}

func (k *socket) unsubscribe() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, sub := range k.subs {
		sub.Close()
	}
}

func (k *socket) say(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		k.end(err)
		return
	}
	k.enqueue(text)
}

// enqueue never blocks: a client that does not read loses its connection, and gets
// all rows anew with the next.
func (k *socket) enqueue(message []byte) {
	select {
	case k.queue <- message:
	default:
		k.end(errSlow)
	}
}

// write sends what is in the queue until the socket is to be closed; then what is
// left, so that a person who was sent away is told why, and the reason.
func (k *socket) write() {
	for {
		select {
		case message := <-k.queue:
			if !k.send(message) {
				return
			}
		case <-k.closed.Done():
			k.drain()
			k.conn.Close(closeCode(context.Cause(k.closed)))
			return
		}
	}
}

func (k *socket) drain() {
	for {
		select {
		case message := <-k.queue:
			if !k.send(message) {
				return
			}
		default:
			return
		}
	}
}

// send does not stop when the session ends: a write that is broken off takes the
// connection with it before the client is told why.
func (k *socket) send(message []byte) bool {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	if err := k.conn.Write(ctx, websocket.MessageText, message); err != nil {
		k.conn.CloseNow() // ends the reader
		return false
	}
	return true
}

func closeCode(cause error) (websocket.StatusCode, string) {
	if errors.Is(cause, errSlow) {
		return closeSlow, "too slow: connect again"
	}
	code, reason := oidcauth.CloseCode(cause)
	return websocket.StatusCode(code), reason
}

// sockets are all that are open.
type sockets struct {
	running sync.WaitGroup // handlers

	mu   sync.Mutex // guards open
	open map[*socket]struct{}
}

func (s *sockets) add(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[*socket]struct{})
	}
	s.open[k] = struct{}{}
}

func (s *sockets) remove(k *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, k)
}

func (s *sockets) all() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*socket, 0, len(s.open))
	for k := range s.open {
		all = append(all, k)
	}
	return all
}

// of returns the sockets of one login.
func (s *sockets) of(login string) []*socket {
	var of []*socket
	for _, k := range s.all() {
		if login != "" && k.login == login {
			of = append(of, k)
		}
	}
	return of
}
