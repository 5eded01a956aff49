package database_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/database"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
	"github.com/oidcauth/oidcauth/identity"
)

const statusUnauthorized = websocket.StatusCode(3000)

var hello = json.RawMessage(`{"text":"hello"}`)

// expiryOf returns when a token expires, which is not secret.
func (b *bench) expiryOf(t *testing.T, token string) time.Time {
	t.Helper()
	claims, err := b.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return claims.Expiry()
}

// until waits for a moment on the wall clock, which the tokens of a real
// provider are bound to.
func until(t *testing.T, moment time.Time) {
	t.Helper()
	select {
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(time.Until(moment)):
	}
}

func TestSocket_WarnsThenExpires(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.token(t, "brief")
	expiry := b.expiryOf(t, token)
	conn, _ := dial(t, b, token)
	got := next(t, conn)
	if got.Warning != "expiring" || !got.Expires.Equal(expiry) {
		t.Errorf("first frame = %+v, want a warning of the expiry at %v", got, expiry)
	}
	if left := time.Until(expiry); left <= 0 || left > warnBefore {
		t.Errorf("warned %v before the expiry, want %v at most", left, warnBefore)
	}
	if got := ask(t, conn, database.Frame{ID: 1, View: "my_messages"}); got.Status != http.StatusOK {
		t.Errorf("after the warning: reply = %+v, want status 200", got)
	}
	expectClose(t, conn, statusUnauthorized, "the token has expired")
	if early := time.Until(expiry); early > 0 {
		t.Errorf("socket closed %v before the expiry", early)
	}
}

func TestSocket_Renewal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.tokenOf(t, "brief", "alice")
	second := b.tokenOf(t, "app", "alice")
	conn, _ := dial(t, b, first)
	got := ask(t, conn, database.Frame{ID: 1, Renew: second})
	var renewed database.Renewed
	if err := json.Unmarshal(got.Result, &renewed); err != nil || got.Status != http.StatusOK || got.ID != 1 {
		t.Fatalf("reply = %+v (%v), want status 200 to frame 1", got, err)
	}
	if want := b.expiryOf(t, second); !renewed.Expires.Equal(want) {
		t.Errorf("renewed until %v, want %v", renewed.Expires, want)
	}
	until(t, b.expiryOf(t, first).Add(50*time.Millisecond))
	if status, _ := b.do(t, "GET", "/v1/view/my_messages", first, ""); status != http.StatusUnauthorized {
		t.Errorf("first token after its expiry: status = %d, want 401", status)
	}
	if got := ask(t, conn, database.Frame{ID: 2, Call: "send_message", Args: hello}); got.Status != http.StatusOK {
		t.Errorf("same socket after its first token's expiry: reply = %+v, want status 200", got)
	}
}

// TestSocket_RenewalMeanwhile renews a socket while its calls wait, of which there are too
// many.
func TestSocket_RenewalMeanwhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn, _ := dial(t, b, b.tokenOf(t, "app", "alice"))
	release, err := b.db.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	const calls = 30
	for id := range uint64(calls) {
		if err := wsjson.Write(t.Context(), conn, database.Frame{ID: id, Call: "send_message", Args: hello}); err != nil {
			t.Fatal(err)
		}
	}
	busy, got := 0, ask(t, conn, database.Frame{ID: calls, Renew: b.tokenOf(t, "app", "alice")})
	for ; got.ID != calls; got = next(t, conn) {
		if busy++; got.Status != http.StatusTooManyRequests {
			t.Errorf("reply = %+v, want status 429", got)
		}
	}
	if got.Status != http.StatusOK || busy < calls-17 || busy > calls-16 {
		t.Errorf("reply = %+v behind %d calls that were too many, want status 200 and %d or one less", got, busy, calls-16)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	last := int64(-1)
	for range calls - busy {
		got := next(t, conn)
		if int64(got.ID) <= last || got.Status != http.StatusOK {
			t.Errorf("reply = %+v behind that to frame %d, want status 200, in order", got, last)
		}
		last = int64(got.ID)
	}
}

func TestSocket_RenewalRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	own := b.tokenOf(t, "app", "alice")
	for _, row := range []struct {
		name  string
		frame database.Frame
		want  int
		code  string
	}{
		{"same identity", database.Frame{Renew: own}, 200, ""},
		{"another identity", database.Frame{Renew: b.tokenOf(t, "app", "bob")}, 403, "access_denied"},
		{"same identity, for another database", database.Frame{Renew: b.tokenOf(t, "reports", "alice")}, 403, "insufficient_scope"},
		{"same identity, for somebody else", database.Frame{Renew: b.tokenOf(t, "billing", "alice")}, 401, "invalid_token"},
		{"forged", database.Frame{Renew: own[:len(own)-8] + "AAAAAAAA"}, 401, "invalid_token"},
		{"no token at all", database.Frame{Renew: "alice"}, 401, "invalid_token"},
		{"beside a call", database.Frame{Renew: own, Call: "send_message", Args: hello}, 400, "invalid_arguments"},
	} {
		t.Run(row.name, func(t *testing.T) {
			conn, _ := dial(t, b, own)
			if got := ask(t, conn, row.frame); got.Status != row.want || got.Error != row.code {
				t.Errorf("reply = %+v, want status %d, %q", got, row.want, row.code)
			}
			got := ask(t, conn, database.Frame{Call: "send_message", Args: hello})
			var message database.Message
			if err := json.Unmarshal(got.Result, &message); err != nil {
				t.Fatalf("socket does not go on: reply = %+v (%v), want status 200", got, err)
			}
			if want := identity.New(b.provider.Issuer(), "alice"); message.Owner != want {
				t.Errorf("socket acts for %v, want %v", message.Owner, want)
			}
		})
	}
}

func TestSocket_WithoutTokenCannotRenew(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn, _ := dial(t, b, "")
	if got := ask(t, conn, database.Frame{Renew: b.tokenOf(t, "app", "alice")}); got.Status != http.StatusBadRequest {
		t.Errorf("reply = %+v, want status 400", got)
	}
	if got := ask(t, conn, database.Frame{View: "my_messages"}); got.Status != http.StatusUnauthorized {
		t.Errorf("my_messages afterwards: reply = %+v, want status 401", got)
	}
}

// signIn has a person sign in with a browser of their own.
func (b *bench) signIn(t *testing.T) *signin.Tokens {
	t.Helper()
	flow := signin.Flow{Issuer: b.provider.Issuer(), ClientID: "app"}
	tokens, err := flow.Run(t.Context(), signin.NewBrowser("alice", "correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// signOut ends a login at the provider, which tells the database.
func (b *bench) signOut(t *testing.T, tokens *signin.Tokens) {
	t.Helper()
	query := url.Values{"id_token_hint": {tokens.IDToken}}
	response, err := http.Get(b.provider.Issuer() + "/end_session?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("end_session answered %d, want 200", response.StatusCode)
	}
}

func TestSocket_Logout(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	here, elsewhere := b.signIn(t), b.signIn(t)
	conn, _ := dial(t, b, here.OAuth.AccessToken)
	other, _ := dial(t, b, elsewhere.OAuth.AccessToken)
	for _, c := range []*websocket.Conn{conn, other} {
		if got := ask(t, c, database.Frame{View: "my_messages"}); got.Status != http.StatusOK {
			t.Fatalf("before the logout: reply = %+v, want status 200", got)
		}
	}
	b.signOut(t, here)
	expectClose(t, conn, statusUnauthorized, "the token was revoked")
	if status, _ := b.do(t, "GET", "/v1/view/my_messages", here.OAuth.AccessToken, ""); status != http.StatusUnauthorized {
		t.Errorf("token of the login that ended: status = %d, want 401", status)
	}
	if got := ask(t, other, database.Frame{View: "my_messages"}); got.Status != http.StatusOK {
		t.Errorf("socket of another login: reply = %+v, want status 200", got)
	}
	if later, _ := dial(t, b, b.signIn(t).OAuth.AccessToken); later == nil {
		t.Error("no socket for a later login")
	}
}

// TestSocket_ServesNothingAfterItsSession serves the frames that arrive between
// the end of a session and that of its connection. What is open to nobody is not
// open to them either.
func TestSocket_ServesNothingAfterItsSession(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.tokenOf(t, "app", "alice")
	claims, err := b.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	session := b.auth.NewSession(t.Context(), claims)
	frames := []database.Frame{
		{View: "board"}, {View: "my_messages"}, {Run: "export_messages"},
		{Call: "send_message", Args: hello}, {Renew: token},
	}
	server := database.NewServer(b.db, b.auth, nil)
	for _, frame := range frames {
		if got := server.Serve(session, frame); got.Status != http.StatusOK {
			t.Errorf("live session: reply = %+v, want status 200", got)
		}
	}
	if err := b.auth.Revoke(t.Context(), oidcauth.Revocation{TokenID: claims.TokenID()}); err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames {
		if got := server.Serve(session, frame); got.Status != http.StatusUnauthorized || got.Description != "the token was revoked" {
			t.Errorf("revoked session: reply = %+v, want status 401 for the revocation", got)
		}
	}
}

func TestSocket_EndsWithTheServer(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]string{"with a token": "writer", "without a token": ""} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			token := b.token(t, client)
			conn, _ := dial(t, b, token)
			go b.stop()
			expectClose(t, conn, websocket.StatusGoingAway, "the server is shutting down")
		})
	}
}

// TestSocket_LeavesNoGoroutine ends sockets in every way there is. It is alone, for it
// counts the goroutines of all sockets in the process.
func TestSocket_LeavesNoGoroutine(t *testing.T) {
	b := newBench(t)
	tokens := b.signIn(t)
	gone, _ := dial(t, b, b.token(t, "other"))
	left, _ := dial(t, b, b.token(t, "writer"))
	revoked, _ := dial(t, b, tokens.OAuth.AccessToken)
	staying, _ := dial(t, b, "")
	if got := socketGoroutines(t); got == 0 {
		t.Fatal("no goroutine serves the sockets: the test looks for the wrong ones")
	}
	gone.CloseNow()
	left.Close(websocket.StatusNormalClosure, "")
	b.signOut(t, tokens)
	expectClose(t, revoked, statusUnauthorized, "the token was revoked")
	go b.stop()
	expectClose(t, staying, websocket.StatusGoingAway, "the server is shutting down")
	b.stop()
	deadline := time.After(patience)
	for left := socketGoroutines(t); left > 0; left = socketGoroutines(t) {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines are left", left)
		case <-time.After(time.Millisecond):
		}
	}
}

// socketGoroutines counts the goroutines that are in a method of a socket.
func socketGoroutines(t *testing.T) int {
	t.Helper()
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	count := 0
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "database.(*socket)") {
			count++
		}
	}
	return count
}

// TestCall_CallerRevokedMeanwhile calls with a context that ends before the
// transaction does.
func TestCall_CallerRevokedMeanwhile(t *testing.T) {
	t.Parallel()
	db := open(t, nil)
	ctx, cancel := context.WithCancelCause(as(t, "alice", "writer"))
	if _, err := db.Call(ctx, "send_message", hello); err != nil {
		t.Fatalf("before: Call() error = %v", err)
	}
	cancel(oidcauth.ErrRevoked)
	if _, err := db.Call(ctx, "send_message", hello); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Call() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	got, err := db.View(as(t, "alice"), "my_messages")
	if rows, _ := got.([]database.Message); err != nil || len(rows) != 1 {
		t.Errorf("my_messages = %+v (%v), want the one row of before", got, err)
	}
}
