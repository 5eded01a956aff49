package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
)

const (
	subprotocol = "chat.v1"
	maxFrame    = 32 << 10
	closeSlow   = 4008
	closeMany   = 4029

	maxSubscriptions = 8 // of one client
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

// A socket is one client's connection. One goroutine reads, another writes while there is
// something in the outbox, and another answers while there are calls.
type socket struct {
	server  *server
	id      string
	who     oidcauth.Identity
	login   string // of the browser; empty for other clients
	since   time.Time
	conn    *websocket.Conn
	session *oidcauth.Session
	outbox  *outbox
	leave   func() // gives back the place of a socket that is served
	calls   calls

	frames    atomic.Int64 // pieces of frames that have come
	answering atomic.Int32 // frames

	closed context.Context // ends when the socket is to be closed, with the cause
	end    context.CancelCauseFunc

	mu   sync.Mutex // guards subs
	subs []*realtime.Subscription
}

var (
	errNoFrame   = errors.New("the client sends what is no frame")
	errSlow      = errors.New("the client does not read what it is sent")
	errMany      = errors.New("the person has too many connections")
	errSignedOut = errors.New("the person has signed out in this browser")
	errSignedIn  = errors.New("somebody has signed in in this browser")
	errNoRoom    = errors.New("the login is too old, or one of too many")
)

// connect begins one WebSocket, which is served until the client leaves, the server
// stops, or the client's token would no longer be accepted. It returns at once, so
// that what the request was made of, and the stack of those that judged it, do not
// stay for as long as the socket does.
func (s *server) connect(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(smallBuffers{w}, r, &websocket.AcceptOptions{
		Subprotocols: []string{subprotocol},
		// The token's place has decided about the Origin: see newServer.
		InsecureSkipVerify: true,
	})
	if err != nil {
		return // Accept has answered.
	}
	conn.SetReadLimit(maxFrame)
	claims, _ := oidcauth.FromContext(r.Context())
	k := &socket{
		server: s, id: rand.Text(), who: claims.Identity(), login: s.signIn.loginID(r), since: time.Now(), conn: conn,
		session: s.auth.NewSession(r.Context(), claims),
	}
	k.closed, k.end = context.WithCancelCause(k.session.Context())
	k.outbox = newOutbox(k) // before anybody else sees the socket
	s.sockets.serve(k)
	if k.login != "" && s.signIn.logins.find(k.login) == nil { // gone before the socket could be ended with it
		k.signedOut(errSignedOut)
	}
}

// signedOut closes the socket, and its session before the client has gone: what it asks
// for until then is done for nobody.
func (k *socket) signedOut(why error) {
	k.end(why) // first, for it is what the client is told
	k.session.Close()
}

// serve returns when the client has left or been told why the socket ends.
func (k *socket) serve() {
	defer k.session.Close()
	defer k.conn.CloseNow()
	defer func() { <-k.outbox.over }()
	defer k.end(oidcauth.ErrClosed) // first of all these, so that the outbox is closed

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
	defer k.unsubscribe()
	k.welcome()
	defer k.keepAlive(k.server.ping, k.server.pong)()
	// The session lives for the leeway longer than its token.
	k.session.OnExpiring(k.server.warn+leeway, func() { k.say(notice{Notice: "expiring", Expires: k.session.Claims().Expiry(), Now: time.Now()}) })
	k.read()
	k.calls.stop()
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

// read takes frames in, and answers those itself that bring another token. It ends with the
// connection and not with the session, so that there is still somebody to tell why.
func (k *socket) read() {
	for {
		f, err := k.readFrame()
		switch {
		case err != nil:
			return
		case f.isRenewal():
			k.serveFrame(f)
		case !k.calls.put(f, k.serveFrame):
			k.say(reply{ID: f.ID, Status: http.StatusTooManyRequests, Error: "busy", Description: "too many calls wait"})
		}
	}
}

// isRenewal reports whether a frame brings another token, and nothing beside.
func (f *frame) isRenewal() bool {
	return f.Renew != "" && f.Call == "" && f.View == "" && f.Run == ""
}

// serveFrame tells the client what comes of a frame.
func (k *socket) serveFrame(f frame) {
	k.answering.Add(1)
	defer k.answering.Add(-1)
	answer := k.answer(f)
	answer.ID = f.ID
	k.say(answer)
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
		return nil, k.subscribe(f.Subscribe)
	}
	return nil, realtime.ErrArguments
}

// renew puts the socket under another token of the same identity.
func (k *socket) renew(ctx context.Context, token string) error {
	claims, err := k.session.Renew(ctx, token)
	if err != nil {
		return err
	}
	if err := k.recheck(); err != nil {
		k.end(err)
		return err
	}
	k.say(notice{
		Notice: "renewed", Moderator: claims.HasRole(roleMod), Operator: claims.HasRole(roleOperate),
		Expires: claims.Expiry(), Now: time.Now(),
	})
	return nil
}

// recheck reports an error unless all that the socket watches is for the token that is
// current now.
func (k *socket) recheck() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	from := realtime.Caller{Context: k.session.CallContext(), Connection: k.id}
	for _, sub := range k.subs {
		if err := sub.Recheck(from); err != nil {
			return err
		}
	}
	return nil
}

// subscribe has the tables' rows sent. A second subscription comes beside the first.
func (k *socket) subscribe(tables []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// The token that is current now, and not when the frame came: see recheck.
	from := realtime.Caller{Context: k.session.CallContext(), Connection: k.id}
	if len(k.subs) >= maxSubscriptions {
		return realtime.ErrArguments
	}
	sub, err := k.server.db.Subscribe(from, tables, k.outbox.pass)
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
	k.outbox.put(text)
}

func closeCode(cause error) (websocket.StatusCode, string) {
	switch {
	case errors.Is(cause, errNoFrame):
		return websocket.StatusInvalidFramePayloadData, "want a frame"
	case errors.Is(cause, errSlow):
		return closeSlow, "too slow: connect again"
	case errors.Is(cause, errMany):
		return closeMany, "too many connections: close other windows"
	case errors.Is(cause, errSignedOut):
		return 3000, "you have signed out in another window"
	case errors.Is(cause, errSignedIn):
		return 3000, "somebody has signed in in another window"
	case errors.Is(cause, errNoRoom):
		return 3000, "the login was too old, or one of too many"
	}
	code, reason := oidcauth.CloseCode(cause)
	return websocket.StatusCode(code), reason
}
