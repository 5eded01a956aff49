package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/realtime"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
	noted "github.com/oidcauth/oidcauth/internal/said"
)

// A client is a program with a token of its own, at one socket.
type client struct {
	t       *testing.T
	conn    *websocket.Conn
	number  uint64
	replies map[uint64]reply
	rows    []realtime.Rows
	notices []notice
}

// token returns an ID token of one of the people, without a browser.
func (w *world) token(t *testing.T, name string) string {
	t.Helper()
	token, err := w.provider.IDToken(t.Context(), "chat", name)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// slowReader has small windows.
var slowReader = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(smallWindow)
	}
	return c, err
}}}

func (w *world) dial(t *testing.T, header http.Header) (*client, *http.Response, error) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), w.address+"/socket", &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: []string{subprotocol}, HTTPClient: slowReader,
	})
	if err != nil {
		return nil, response, err
	}
	t.Cleanup(func() { conn.CloseNow() })
	return &client{t: t, conn: conn, replies: make(map[uint64]reply)}, response, nil
}

// enter connects somebody with a token in the header.
func (w *world) enter(t *testing.T, name string) *client {
	t.Helper()
	c, _, err := w.dial(t, http.Header{"Authorization": {"Bearer " + w.token(t, name)}})
	if err != nil {
		t.Fatal(err)
	}
	c.until(func() bool { return len(c.notices) > 0 })
	return c
}

// next takes one message and keeps it by its kind. It returns an error at the end.
func (c *client) next() error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	var raw json.RawMessage
	if err := wsjson.Read(ctx, c.conn, &raw); err != nil {
		return err
	}
	var kind struct{ Table, Notice string }
	var r reply
	var n notice
	var rows realtime.Rows
	into := any(&r)
	json.Unmarshal(raw, &kind)
	switch {
	case kind.Table != "":
		into = &rows
	case kind.Notice != "":
		into = &n
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return err
	}
	switch into {
	case &rows:
		c.rows = append(c.rows, rows)
	case &n:
		c.notices = append(c.notices, n)
	default:
		c.replies[r.ID] = r
	}
	return nil
}

func (c *client) until(holds func() bool) {
	c.t.Helper()
	for !holds() {
		if err := c.next(); err != nil {
			c.t.Fatal(err)
		}
	}
}

// does sends a frame and returns the answer.
func (c *client) does(f frame) reply {
	c.t.Helper()
	c.number++
	f.ID = c.number
	if err := wsjson.Write(c.t.Context(), c.conn, f); err != nil {
		c.t.Fatal(err)
	}
	c.until(func() bool { _, answered := c.replies[f.ID]; return answered })
	return c.replies[f.ID]
}

func args(a arguments) json.RawMessage {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	return text
}

// ends returns with what code and reason the server closes.
func (c *client) ends() (websocket.StatusCode, string) {
	c.t.Helper()
	for {
		if err := c.next(); err != nil {
			closed, _ := errors.AsType[websocket.CloseError](err)
			return closed.Code, closed.Reason
		}
	}
}

func (w *world) identity(t *testing.T, name string) string {
	t.Helper()
	claims, err := w.auth.Authenticate(t.Context(), w.token(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return claims.Identity().String()
}

func TestSocket_WhoMayWhat(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice, bob := w.enter(t, "alice"), w.enter(t, "bob")
	sent := bob.does(frame{Call: "send", Args: args(arguments{Text: "bob's"})})
	id, _ := sent.Result.(string)
	if sent.Status != 200 || id == "" {
		t.Fatalf("send: got %+v", sent)
	}
	alices, bobs := w.identity(t, "alice"), w.identity(t, "bob")
	for _, r := range []struct {
		name   string
		by     *client
		f      frame
		status int
	}{
		{"author edits", bob, frame{Call: "edit", Args: args(arguments{ID: id, Text: "bob's, edited"})}, 200},
		{"moderator edits another's", alice, frame{Call: "edit", Args: args(arguments{ID: id, Text: "hers"})}, 403},
		{"nothing to say", bob, frame{Call: "send", Args: args(arguments{Text: " \n"})}, 400},
		{"too much to say", bob, frame{Call: "send", Args: args(arguments{Text: strings.Repeat("x", maxText+1)})}, 400},
		{"an argument that is none", bob, frame{Call: "send", Args: json.RawMessage(`{"text":"x","author":"alice"}`)}, 400},
		{"a message that is not there", bob, frame{Call: "edit", Args: args(arguments{ID: "9", Text: "x"})}, 400},
		{"no moderator promotes", bob, frame{Call: "promote", Args: args(arguments{Identity: bobs})}, 403},
		{"no moderator sends away", bob, frame{Run: "kick", Args: args(arguments{Identity: alices, Reason: "x"})}, 403},
		{"a reducer for the database alone", alice, frame{Call: "start"}, 403},
		{"a function that is not there", alice, frame{Call: "drop_tables"}, 404},
		{"a table for nobody", alice, frame{Subscribe: []string{"accounts"}}, 403},
		{"nothing asked", alice, frame{}, 400},
		{"another's token", bob, frame{Renew: w.token(t, "alice")}, 403},
		{"a token of their own", bob, frame{Renew: w.token(t, "bob")}, 200},
		{"a view", bob, frame{View: "me"}, 200},
		{"a name", bob, frame{Call: "set_name", Args: args(arguments{Name: "Bob"})}, 200},
		{"moderator promotes", alice, frame{Call: "promote", Args: args(arguments{Identity: bobs})}, 200},
		{"promoted, deletes another's", bob, frame{Call: "delete", Args: args(arguments{ID: id})}, 200},
	} {
		t.Run(r.name, func(t *testing.T) {
			if got := r.by.does(r.f); got.Status != r.status {
				t.Errorf("status: got %d (%s), want %d", got.Status, got.Description, r.status)
			}
		})
	}
}

// TestSocket_SentAway: who is sent away is told by a row before the socket ends, does
// not come back with a token from before, and with a new one only when the time is up.
func TestSocket_SentAway(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice, bob := w.enter(t, "alice"), w.enter(t, "bob")
	bob.does(frame{Subscribe: []string{"people"}})
	before := w.token(t, "bob")
	got := alice.does(frame{Run: "kick", Args: args(arguments{Identity: w.identity(t, "bob"), Reason: "shouting"})})
	if got.Status != 200 {
		t.Fatalf("kick: got %+v", got)
	}
	if code, reason := bob.ends(); code != 3000 || reason != "the token was revoked" {
		t.Errorf("close: got %d %q, want 3000 for a revoked token", code, reason)
	}
	var told Person
	for _, rows := range bob.rows {
		for _, c := range rows.Changes {
			if c.Key == w.identity2(bob) {
				json.Unmarshal(c.Row, &told)
			}
		}
	}
	if told.Removed == nil || told.Removed.Reason != "shouting" || told.Removed.By == "" {
		t.Errorf("what bob was told: got %+v, want who and why", told.Removed)
	}
	if _, response, err := w.dial(t, http.Header{"Authorization": {"Bearer " + before}}); err == nil || response.StatusCode != 401 {
		t.Errorf("with the token from before: error = %v, want 401", err)
	}
}

func (w *world) identity2(c *client) string { return c.notices[0].Identity.String() }

// TestConnect_Banned: the database itself refuses who was sent away.
func TestConnect_Banned(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	w.enter(t, "bob")
	alice := w.enter(t, "alice")
	mods, err := w.auth.Authenticate(t.Context(), w.token(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	from := realtime.Caller{Context: oidcauth.NewContext(t.Context(), mods)}
	if _, err := w.db.Call(from, "ban", args(arguments{Identity: w.identity(t, "bob"), Reason: "shouting"})); err != nil {
		t.Fatal(err)
	}
	bob, _, err := w.dial(t, http.Header{"Authorization": {"Bearer " + w.token(t, "bob")}})
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := bob.ends(); code != 3003 {
		t.Errorf("close: got %d, want 3003", code)
	}
	if len(bob.notices) != 1 || !strings.Contains(bob.notices[0].Reason, "shouting") {
		t.Errorf("notices: got %+v, want the reason", bob.notices)
	}
	if got := alice.does(frame{View: "me"}); got.Status != 200 {
		t.Errorf("alice: got %+v, want her to go on", got)
	}
}

// TestSocket_Entrances: by which ways one comes in, and by which not.
func TestSocket_Entrances(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	_, signedIn := w.signedIn(t, "bob")
	cookie := signedIn.Get("Cookie")
	for _, r := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"a token in the header", http.Header{"Authorization": {"Bearer " + w.token(t, "bob")}}, 101},
		{"a cookie, from the chat's page", http.Header{"Cookie": {cookie}, "Origin": {w.address}}, 101},
		{"a cookie, from another page", http.Header{"Cookie": {cookie}, "Origin": {"http://evil.example"}}, 403},
		{"a cookie, from nowhere", http.Header{"Cookie": {cookie}}, 403},
		{"no token", nil, 401},
		{"a token that is none", http.Header{"Authorization": {"Bearer x.y.z"}}, 401},
	} {
		t.Run(r.name, func(t *testing.T) {
			_, response, _ := w.dial(t, r.header)
			if response == nil || response.StatusCode != r.status {
				t.Errorf("got %v, want %d", response, r.status)
			}
		})
	}
	if log := w.log.String(); strings.Contains(log, "eyJ") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

// TestSocket_ServerStops: everybody is told, and told what it is.
func TestSocket_ServerStops(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	go w.auth.Close()
	if code, _ := bob.ends(); code != 1001 {
		t.Errorf("close: got %d, want 1001", code)
	}
}

// TestReplay_Chat makes a chat's calls again in an empty store, with no provider.
func TestReplay_Chat(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	alice, bob := w.enter(t, "alice"), w.enter(t, "bob")
	bob.does(frame{Call: "send", Args: args(arguments{Text: "one"})})
	alice.does(frame{Call: "send", Args: args(arguments{Text: "two"})})
	alice.does(frame{Call: "promote", Args: args(arguments{Identity: w.identity(t, "bob")})})
	alice.does(frame{Run: "kick", Args: args(arguments{Identity: w.identity(t, "bob"), Reason: "over"})})
	bob.ends()
	alice.conn.Close(websocket.StatusNormalClosure, "")
	w.sockets.running.Wait()
	w.provider.Stop()

	again, err := realtime.Open(filepath.Join(t.TempDir(), "again.db"), newModule(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	rebuild := func(who realtime.Who) (*oidcauth.Claims, error) {
		return w.auth.UnverifiedClaims(who.Payload, who.Supplement, who.Description)
	}
	if err := again.Replay(w.db, rebuild); err != nil {
		t.Fatal(err)
	}
	var want, got strings.Builder
	if err := errors.Join(w.db.Dump(&want), again.Dump(&got)); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("the replayed store differs:\n%s\nwant\n%s", got.String(), want.String())
	}
	for _, text := range []string{`"two"`, `"over"`, `"online":0`, "on disconnect"} {
		if !strings.Contains(want.String(), text) {
			t.Errorf("store: %s is not in it:\n%s", text, want.String())
		}
	}
}

// TestSignIn goes the whole way as a browser does, and then every way that is not it.
func TestSignIn(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	browser := signin.NewBrowser("bob", "builder")
	if err := browser.Open(t.Context(), w.address+"/login"); err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	plain := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string) *http.Response {
		t.Helper()
		response, err := plain.Get(w.address + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		for _, cookie := range response.Cookies() {
			if len(cookie.Value) >= noted.Shortest {
				noted.Secret("cookie", cookie.Value)
			}
		}
		return response
	}
	flow := get("/login").Header.Get("Location")
	asked, err := url.Parse(flow)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if asked.Query().Get(name) == "" {
			t.Errorf("request to the provider: no %q in it", name)
		}
	}
	for _, r := range []struct{ name, path, to string }{
		{"another's state", "/callback?code=x&state=another", "/?refused=failed"},
		{"the flow is over after that", "/callback?code=x&state=" + asked.Query().Get("state"), "/?refused=failed"},
		{"no flow", "/callback", "/?refused=failed"},
	} {
		t.Run(r.name, func(t *testing.T) {
			if got := get(r.path).Header.Get("Location"); got != r.to {
				t.Errorf("goes to %q, want %q", got, r.to)
			}
		})
	}
	state := func() string {
		u, _ := url.Parse(get("/login").Header.Get("Location"))
		return u.Query().Get("state")
	}
	if got := get("/callback?code=made-up&state=" + state()).Header.Get("Location"); got != "/?refused=failed" {
		t.Errorf("a code that is none: goes to %q", got)
	}
	if got := get("/callback?error=access_denied&state=" + state()).Header.Get("Location"); got != "/?refused=denied" {
		t.Errorf("the provider refused: goes to %q", got)
	}
	w.provider.Stop()
	if got := get("/callback?code=x&state=" + state()).Header.Get("Location"); got != "/?refused=unavailable" {
		t.Errorf("the provider is not there: goes to %q", got)
	}
}

// TestPosts_ForeignPage: a page elsewhere posts nothing here, cookies or not.
func TestPosts_ForeignPage(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for _, r := range []struct {
		name, path, origin string
		status             int
	}{
		{"renew, from another page", "/renew", "http://evil.example", 403},
		{"renew, from the chat's page, and not signed in", "/renew", w.address, 401},
		{"logout, from another page", "/logout", "http://evil.example", 403},
		{"logout, from the chat's page", "/logout", w.address, 200},
		{"revoke, from another page", "/operator/revoke", "http://evil.example", 403},
		{"revoke, without a token", "/operator/revoke", w.address, 401},
	} {
		t.Run(r.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.address+r.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Origin", r.origin)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != r.status {
				t.Errorf("status: got %d, want %d", response.StatusCode, r.status)
			}
		})
	}
}

// TestOperator: who sees the state, and who may revoke what.
func TestOperator(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	bob := w.enter(t, "bob")
	account := `{"issuer":"` + w.provider.Issuer() + `","subject":"bob"}`
	for _, r := range []struct {
		name, who, method, path, body string
		status                        int
	}{
		{"state, for an operator", "olga", "GET", "/operator/state", "", 200},
		{"state, for a moderator", "alice", "GET", "/operator/state", "", 403},
		{"revoke, by a moderator", "alice", "POST", "/operator/revoke", account, 403},
		{"revoke everybody", "olga", "POST", "/operator/revoke", `{"issuer":"` + w.provider.Issuer() + `","subject":""}`, 400},
		{"revoke, misspelt", "olga", "POST", "/operator/revoke", `{"issuer":"x","subject":"bob","token":"y"}`, 400},
		{"revoke, unknown issuer", "olga", "POST", "/operator/revoke", `{"issuer":"https://x.example","subject":"bob"}`, 400},
		{"revoke", "olga", "POST", "/operator/revoke", account, 204},
	} {
		t.Run(r.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), r.method, w.address+r.path, strings.NewReader(r.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+w.token(t, r.who))
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != r.status {
				t.Errorf("status: got %d, want %d", response.StatusCode, r.status)
			}
			if r.path != "/operator/state" || r.status != 200 {
				return
			}
			var state operatorState
			if err := json.NewDecoder(response.Body).Decode(&state); err != nil {
				t.Fatal(err)
			}
			if len(state.Sessions) != 1 || state.Sessions[0].Subject != "bob" || len(state.Issuers) != 2 || len(state.Issuers[0].Keys) != 1 || len(state.Issuers[1].Keys) == 0 {
				t.Errorf("state: got %+v, want bob's session, the issuer's key and those of tickets", state)
			}
			if state.Process.Goroutines == 0 {
				t.Error("state: got no goroutine")
			}
		})
	}
	if code, _ := bob.ends(); code != 3000 {
		t.Errorf("bob's socket: closed with %d, want 3000", code)
	}
}

// TestRefusals_Bounded: the counts cover a quarter of an hour and no more.
func TestRefusals_Bounded(t *testing.T) {
	var r refusals
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 1000 {
		r.count(errors.New("x"), start.Add(time.Duration(n)*bucketLength))
		r.count(errors.New("x"), start.Add(time.Duration(n)*bucketLength))
	}
	last := start.Add(999 * bucketLength)
	got := r.since(last)
	if len(got) != keptBuckets || got[len(got)-1].Counts["other"] != 2 {
		t.Errorf("buckets: got %d, the last %v, want %d and 2", len(got), got[len(got)-1], keptBuckets)
	}
	if got := r.since(last.Add(time.Hour)); len(got) != 0 {
		t.Errorf("an hour later: got %d buckets, want none", len(got))
	}
}
