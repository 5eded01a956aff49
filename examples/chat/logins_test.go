package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
)

// cookies are what the browser of a login sends.
func (w *world) cookies(l *login) http.Header {
	return http.Header{"Cookie": {tokenCookie + "=" + l.token + "; " + loginCookie + "=" + l.id}, "Origin": {w.address}}
}

// window opens a socket with these cookies, and waits until it is served.
func (w *world) window(t *testing.T, cookies http.Header) *client {
	t.Helper()
	c, _, err := w.dial(t, cookies)
	if err != nil {
		t.Fatal(err)
	}
	c.until(func() bool { return len(c.notices) > 0 })
	return c
}

// wantEnds demands that a window is closed, and that it is told that the login is over.
func wantEnds(t *testing.T, what string, c *client) {
	t.Helper()
	if code, reason := c.ends(); code != 3000 {
		t.Errorf("%s: closed with %d %q, want 3000", what, code, reason)
	}
}

// TestLogins_SignedInAnew: a browser has one login: the earlier ends when somebody signs in
// there again, with its windows, and the sign-out leaves nothing open.
func TestLogins_SignedInAnew(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	browser := signin.NewBrowser("bob", "builder")
	if err := browser.Open(t.Context(), w.address+"/login"); err != nil {
		t.Fatal(err)
	}
	before := w.signIn.logins.only(t)
	window := w.window(t, w.cookies(before))
	if err := browser.Open(t.Context(), w.address+"/login"); err != nil {
		t.Fatal(err)
	}
	if w.signIn.logins.find(before.id) != nil || !before.over.Load() {
		t.Error("the earlier login goes on")
	}
	after := w.signIn.logins.only(t)
	if after == before {
		t.Fatal("the later sign-in is no login")
	}
	if response := w.post(t, "/logout", w.cookies(after)); response.StatusCode != http.StatusOK {
		t.Fatalf("logout: got %d, want 200", response.StatusCode)
	}
	wantEnds(t, "the window of before", window)
}

// TestLogins_SignedInAnewTold: the other windows of a browser hear that somebody has signed in
// there when it has the cookies of the new login: they ask at once whether theirs goes on.
func TestLogins_SignedInAnewTold(t *testing.T) {
	s, issuer := overTLS(t)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": issuer.Token(map[string]any{"nonce": "n"})})
	}))
	t.Cleanup(provider.Close)
	s.signIn.client, s.signIn.oauth.Endpoint = provider.Client(), oauth2.Endpoint{TokenURL: provider.URL}
	before, _ := s.signIn.logins.add(oidcauth.Identity{1}, "", "", "", time.Now(), time.Now())
	answer, told := httptest.NewRecorder(), 0
	s.signIn.ended = func(login string, why error) {
		told++
		if login != before.id || !errors.Is(why, errSignedIn) {
			t.Errorf("got %v of another login's, want %v", why, errSignedIn)
		}
		if !answer.Flushed || len(answer.Result().Cookies()) == 0 || !before.over.Load() {
			t.Error("the windows are told before the browser has the cookies of the new login")
		}
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://chat.example.com/callback?code=c&state=s", nil)
	request.AddCookie(&http.Cookie{Name: "__Host-" + flowCookie + "s", Value: "n.v"})
	request.AddCookie(&http.Cookie{Name: "__Host-" + loginCookie, Value: before.id})
	s.handler().ServeHTTP(answer, request)
	if got := answer.Header().Get("Location"); got != "/" || told != 1 {
		t.Errorf("sign-in: got %q, and %d times that a login has ended, want / and once", got, told)
	}
}

// TestLogins_LoggedOut: what a login has opened ends with it, also where its ID token of now
// does not say of which session at the provider it is: refreshed ones often do not.
func TestLogins_LoggedOut(t *testing.T) {
	for name, end := range map[string]func(*world){
		"by session": func(w *world) {
			w.signIn.loggedOut(logout{Issuer: w.provider.Issuer(), Session: "session of bob's"})
		},
		"by person": func(w *world) { w.signIn.loggedOut(logout{Issuer: w.provider.Issuer(), Subject: "bob"}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2*time.Minute, warnBefore)
			bobs, cookies := w.signedIn(t, "bob")
			bobs.session = "session of bob's"
			_, others := w.signedIn(t, "alice")
			window, hers := w.window(t, cookies), w.window(t, others)
			end(w)
			wantEnds(t, "bob's window", window)
			if err := hers.conn.Ping(hers.conn.CloseRead(t.Context())); err != nil {
				t.Errorf("alice's window: %v, want that it stays", err)
			}
		})
	}
}

// TestLogins_OneOfTooMany: a login that makes room for another one of its person's, or is as old
// as it may be, leaves nothing open either, and is not renewed by who began to before.
func TestLogins_OneOfTooMany(t *testing.T) {
	for name, age := range map[string]time.Duration{"the oldest": time.Second, "too old": loginLife + time.Second} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2*time.Minute, warnBefore)
			first, cookies := w.signedIn(t, "bob")
			_, others := w.signedIn(t, "alice")
			window, hers := w.window(t, cookies), w.window(t, others)
			w.signIn.logins.mu.Lock()
			first.since = first.since.Add(-age)
			w.signIn.logins.mu.Unlock()
			if age < loginLife {
				for range maxLoginsEach - 1 {
					w.signedIn(t, "bob")
				}
			}
			if err := signin.NewBrowser("bob", "builder").Open(t.Context(), w.address+"/login"); err != nil {
				t.Fatal(err)
			}
			wantEnds(t, "bob's window", window)
			if !first.over.Load() {
				t.Error("a renewal would go on")
			}
			if err := hers.conn.Ping(hers.conn.CloseRead(t.Context())); err != nil {
				t.Errorf("alice's window: %v, want that it stays", err)
			}
		})
	}
}

// TestLogins_TokenStays: the ID token in a browser's cookie counts as long as its login
// does: a browser that has not heard of its sign-out sends it on.
func TestLogins_TokenStays(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	olgas, cookies := w.signedIn(t, "olga")
	alone := http.Header{"Cookie": {tokenCookie + "=" + olgas.token}, "Origin": {w.address}}
	bobs, _ := w.signedIn(t, "bob")
	mixed := http.Header{"Cookie": {tokenCookie + "=" + olgas.token + "; " + loginCookie + "=" + bobs.id}, "Origin": {w.address}}
	bearer := http.Header{"Authorization": {"Bearer " + olgas.token}}
	state := func(header http.Header) int {
		answer, request := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.address+"/operator/state", nil)
		request.Header = header.Clone()
		w.handler().ServeHTTP(answer, request)
		return answer.Code
	}
	want := func(what string, header http.Header, status int) {
		t.Helper()
		if got := state(header); got != status {
			t.Errorf("%s: got %d, want %d", what, got, status)
		}
	}
	want("signed in", cookies, http.StatusOK)
	want("a program, which has no login", bearer, http.StatusOK)
	want("without the login's cookie", alone, http.StatusUnauthorized)
	want("with another person's login", mixed, http.StatusUnauthorized)
	if response := w.post(t, "/logout", cookies); response.StatusCode != http.StatusOK {
		t.Fatalf("logout: got %d, want 200", response.StatusCode)
	}
	want("signed out", cookies, http.StatusUnauthorized)
	for what, header := range map[string]http.Header{"signed out": cookies, "without the login's cookie": alone} {
		if c, response, err := w.dial(t, header); err == nil {
			c.conn.Close(websocket.StatusNormalClosure, "")
			t.Errorf("socket, %s: it was opened", what)
		} else if response == nil || response.StatusCode != http.StatusUnauthorized {
			t.Errorf("socket, %s: %v, want 401", what, err)
		}
	}
}

// TestRenew_Revoked: a token that was taken back is not replaced by the refresh token, by
// whatever way this server came to know of it.
func TestRenew_Revoked(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	l, header := w.signedIn(t, "bob")
	l.refresh = "good for ever"
	asked := false
	provider := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(provider.Close)
	w.signIn.oauth.Endpoint.TokenURL = provider.URL
	err := w.auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: w.provider.Issuer(), Subject: "bob", IssuedBefore: time.Now().Add(leeway)})
	if err != nil {
		t.Fatal(err)
	}
	if response := w.post(t, "/renew", header); response.StatusCode != http.StatusUnauthorized || asked {
		t.Errorf("renew: got %d, the provider was asked: %v, want 401 and that it was not", response.StatusCode, asked)
	}
	if w.signIn.logins.find(l.id) != nil {
		t.Error("the login goes on")
	}
}
