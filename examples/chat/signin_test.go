package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
)

// signedIn returns what a browser sends once somebody has signed in there.
func (w *world) signedIn(t *testing.T, name string) (*login, http.Header) {
	t.Helper()
	token := w.token(t, name)
	claims, err := w.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := w.signIn.logins.add(claims.Identity(), claims.SessionID(), token, "", claims.Expiry(), time.Now())
	return l, http.Header{"Cookie": {tokenCookie + "=" + token + "; " + loginCookie + "=" + l.id}, "Origin": {w.address}}
}

// post sends what a page of the chat posts.
func (w *world) post(t *testing.T, path string, header http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// TestRenew_OneSocketHasEnded: a window that is on its way out takes nothing from those
// that stay.
func TestRenew_OneSocketHasEnded(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	_, header := w.signedIn(t, "bob")
	var windows []*client
	for range 4 {
		c, _, err := w.dial(t, header)
		if err != nil {
			t.Fatal(err)
		}
		c.until(func() bool { return len(c.notices) > 0 })
		windows = append(windows, c)
	}
	ended := w.sockets.all()[0] // its client has yet to answer
	ended.session.Close()
	if response := w.post(t, "/renew", header); response.StatusCode != http.StatusOK {
		t.Errorf("renew: got %d, want 200", response.StatusCode)
	}
	renewed := 0
	for _, c := range windows {
		err := c.next()
		if websocket.CloseStatus(err) == websocket.StatusGoingAway {
			continue
		}
		if err != nil || c.notices[len(c.notices)-1].Notice != "renewed" {
			t.Fatalf("a window was told %+v, error = %v, want that it was renewed", c.notices, err)
		}
		renewed++
	}
	if renewed != 3 {
		t.Errorf("renewed: got %d windows, want the 3 that are open", renewed)
	}
}

// hijackLater is an answer whose connection is taken over when the test says so.
type hijackLater struct {
	http.ResponseWriter
	asked, goOn chan struct{}
}

func (w hijackLater) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	close(w.asked)
	<-w.goOn
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// TestSignOut_SocketComes: a socket that comes while its browser signs out does not stay.
func TestSignOut_SocketComes(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	_, header := w.signedIn(t, "bob")
	later := hijackLater{asked: make(chan struct{}), goOn: make(chan struct{})}
	door := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		later.ResponseWriter = rw
		w.identify(w.connect)(later, r)
	}))
	t.Cleanup(door.Close)
	go func() {
		<-later.asked
		defer close(later.goOn)
		if response := w.post(t, "/logout", header); response.StatusCode != http.StatusOK {
			t.Errorf("logout: got %d, want 200", response.StatusCode)
		}
	}()
	conn, _, err := websocket.Dial(t.Context(), door.URL, &websocket.DialOptions{HTTPHeader: header, Subprotocols: []string{subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	c := &client{t: t, conn: conn, replies: make(map[uint64]reply)}
	if code, reason := c.ends(); code != 3000 || !strings.Contains(reason, "signed out") {
		t.Errorf("close: got %d %q, want 3000 and that the browser has signed out", code, reason)
	}
}

// TestSignOut_CallComes: a window that has yet to go does nothing for whoever has signed
// out.
func TestSignOut_CallComes(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	_, header := w.signedIn(t, "bob")
	c, _, err := w.dial(t, header)
	if err != nil {
		t.Fatal(err)
	}
	c.until(func() bool { return len(c.notices) > 0 })
	k := w.sockets.all()[0]
	call := frame{Call: "send", Args: args(arguments{Text: "hello"})}
	if got := k.answer(call); got.Status != http.StatusOK {
		t.Errorf("before: got %+v, want 200", got)
	}
	if response := w.post(t, "/logout", header); response.StatusCode != http.StatusOK {
		t.Fatalf("logout: got %d, want 200", response.StatusCode)
	}
	if got := k.answer(call); got.Status == http.StatusOK {
		t.Errorf("after the sign-out: got %+v, want a refusal", got)
	}
	if code, reason := c.ends(); code != 3000 || !strings.Contains(reason, "signed out") {
		t.Errorf("close: got %d %q, want 3000 and that the browser has signed out", code, reason)
	}
}

// TestSignOut_RenewalWaits: a renewal that finds its login just before the browser signs
// out, and has to wait, does not sign it in again.
func TestSignOut_RenewalWaits(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	l, header := w.signedIn(t, "bob")
	renewal := func() (*httptest.ResponseRecorder, error) {
		answer := httptest.NewRecorder()
		_, err := w.signIn.renewOf(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/renew", nil), l)
		return answer, err
	}
	if answer, err := renewal(); err != nil || len(answer.Result().Cookies()) != 1 {
		t.Fatalf("renewal: error = %v with %d cookies, want none and one", err, len(answer.Result().Cookies()))
	}
	response := w.post(t, "/logout", header)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("logout: got %d, want 200", response.StatusCode)
	}
	for _, cookie := range response.Cookies() {
		if cookie.MaxAge >= 0 && cookie.Name != hintCookie {
			t.Errorf("logout: the browser keeps %q", cookie.Name)
		}
	}
	if answer, err := renewal(); !errors.Is(err, oidcauth.ErrNoToken) || len(answer.Result().Cookies()) != 0 {
		t.Errorf("renewal: error = %v with %d cookies, want ErrNoToken and none", err, len(answer.Result().Cookies()))
	}
}

// TestSignOut_HidesToken: a script that signs its browser out learns no token, and the
// provider is told all the same whom to sign out.
func TestSignOut_HidesToken(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	l, header := w.signedIn(t, "bob")
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, w.address+"/logout", nil)
	request.Header = header
	w.handler().ServeHTTP(answer, request)
	if strings.Contains(answer.Body.String(), l.token) || !strings.Contains(answer.Body.String(), signedOutPath) {
		t.Errorf("the page is sent to something else than %s", signedOutPath)
	}
	request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.address+signedOutPath, nil)
	for _, cookie := range answer.Result().Cookies() {
		if !cookie.HttpOnly {
			t.Errorf("a script can read the cookie %s", cookie.Name)
		}
		if cookie.MaxAge > 0 {
			request.AddCookie(cookie)
		}
	}
	answer = httptest.NewRecorder()
	w.handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusFound || answer.Header().Get("Location") != w.provider.SignOutURL(l.token, w.address+"/") {
		t.Errorf("status %d, want 302 to the provider, with the token", answer.Code)
	}
	for _, cookie := range answer.Result().Cookies() {
		if cookie.MaxAge > 0 {
			t.Errorf("the cookie %s stays", cookie.Name)
		}
	}
}

// TestRenew_SomebodyElse: a login stays the person's who signed in, whatever the provider
// answers (OpenID Connect Core 1.0, section 12.2).
func TestRenew_SomebodyElse(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for _, r := range []struct {
		name            string
		status, cookies int
	}{
		{"bob", http.StatusOK, 1},
		{"alice", http.StatusForbidden, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			l, header := w.signedIn(t, "bob")
			l.refresh, l.expires = "spent once", time.Now() // it is time to renew
			provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				writeJSON(rw, http.StatusOK, map[string]string{"access_token": "x", "token_type": "Bearer", "id_token": w.token(t, r.name)})
			}))
			t.Cleanup(provider.Close)
			w.signIn.oauth.Endpoint.TokenURL = provider.URL
			response := w.post(t, "/renew", header)
			if response.StatusCode != r.status || len(response.Cookies()) != r.cookies {
				t.Errorf("renew: got %d with %d cookies, want %d with %d", response.StatusCode, len(response.Cookies()), r.status, r.cookies)
			}
		})
	}
}

// TestRenew_Withdrawn: what was taken from a person is not given back by the refresh token
// that the server keeps, whether the ID token has expired meanwhile or not.
func TestRenew_Withdrawn(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *world){
		"revoked": func(t *testing.T, w *world) {
			if err := w.withdraw(t.Context(), Account{Issuer: w.provider.Issuer(), Subject: "bob"}); err != nil {
				t.Fatal(err)
			}
		},
		"signed out at the provider": func(t *testing.T, w *world) {
			w.signIn.loggedOut(logout{Issuer: w.provider.Issuer(), Subject: "bob"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2*time.Minute, warnBefore)
			l, header := w.signedIn(t, "bob")
			l.refresh, l.expires = "good for ever", time.Now() // it is time to renew
			_, others := w.signedIn(t, "alice")
			asked := false
			provider := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
			t.Cleanup(provider.Close)
			w.signIn.oauth.Endpoint.TokenURL = provider.URL
			take(t, w)
			if response := w.post(t, "/renew", header); response.StatusCode != http.StatusUnauthorized || asked {
				t.Errorf("renew: got %d, the provider was asked: %v, want 401 and that it was not", response.StatusCode, asked)
			}
			if response := w.post(t, "/renew", others); response.StatusCode != http.StatusOK {
				t.Errorf("renew: got %d for somebody else, want 200", response.StatusCode)
			}
		})
	}
}

// TestRenew_ProviderRefuses: who has to sign in again, and who only has to wait.
func TestRenew_ProviderRefuses(t *testing.T) {
	t.Parallel()
	for _, r := range []struct {
		name string
		err  error
		want error
	}{
		{"the refresh token is good no longer", answered(http.StatusBadRequest, "invalid_grant"), oidcauth.ErrExpired},
		{"the refresh token is good no longer, with 401", answered(http.StatusUnauthorized, "invalid_grant"), oidcauth.ErrExpired},
		{"the refresh token is good no longer, with 403", answered(http.StatusForbidden, "invalid_grant"), oidcauth.ErrExpired},
		{"the person has to be asked", answered(http.StatusBadRequest, "interaction_required"), oidcauth.ErrExpired},
		{"the client is not known", answered(http.StatusUnauthorized, "invalid_client"), oidcauth.ErrKeysUnavailable},
		{"the client is not known, with 400", answered(http.StatusBadRequest, "invalid_client"), oidcauth.ErrKeysUnavailable},
		{"the provider says that it fails", answered(http.StatusBadRequest, "server_error"), oidcauth.ErrKeysUnavailable},
		{"the provider says that it is busy", answered(http.StatusBadRequest, "temporarily_unavailable"), oidcauth.ErrKeysUnavailable},
		{"a proxy before the provider that is restarted", answered(http.StatusNotFound, ""), oidcauth.ErrKeysUnavailable},
		{"a proxy before the provider that lets nobody by", answered(http.StatusForbidden, ""), oidcauth.ErrKeysUnavailable},
		{"a proxy before the provider that wants a password", answered(http.StatusUnauthorized, ""), oidcauth.ErrKeysUnavailable},
		{"too many ask", answered(http.StatusTooManyRequests, ""), oidcauth.ErrKeysUnavailable},
		{"too many ask, says the provider", answered(http.StatusTooManyRequests, "invalid_grant"), oidcauth.ErrKeysUnavailable},
		{"the provider gave up waiting for the request", answered(http.StatusRequestTimeout, ""), oidcauth.ErrKeysUnavailable},
		{"the provider fails", answered(http.StatusBadGateway, ""), oidcauth.ErrKeysUnavailable},
		{"the provider is not there", errors.New("connection refused"), oidcauth.ErrKeysUnavailable},
	} {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			if got := providerFault(r.err, oidcauth.ErrExpired); !errors.Is(got, r.want) {
				t.Errorf("got %v, want %v", got, r.want)
			}
		})
	}
}

// TestCallback_Refused: what the page is to say of a sign-in that ends without a code.
func TestCallback_Refused(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	for code, want := range map[string]string{
		"access_denied": "denied", "temporarily_unavailable": "unavailable", "server_error": "unavailable",
	} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.address+"/callback?state=s&error="+code, nil)
		request.AddCookie(&http.Cookie{Name: flowCookie + "s", Value: "n.v"})
		w.handler().ServeHTTP(answer, request)
		if got := answer.Header().Get("Location"); got != "/?refused="+want {
			t.Errorf("%s: got %s, want /?refused=%s", code, got, want)
		}
	}
}

// TestCallback_TwoWindows: sign-ins that two windows of a browser have begun at once do not
// take each other's place, and a browser does not collect those that come to nothing.
func TestCallback_TwoWindows(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	var kept []*http.Cookie // the oldest first, as browsers send them
	get := func(path string) *http.Response {
		t.Helper()
		answer, request := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, w.address+path, nil)
		for _, c := range kept {
			request.AddCookie(c)
		}
		w.handler().ServeHTTP(answer, request)
		response := answer.Result()
		for _, c := range response.Cookies() {
			kept = slices.DeleteFunc(kept, func(old *http.Cookie) bool { return old.Name == c.Name })
			if c.MaxAge >= 0 {
				kept = append(kept, c)
			}
		}
		return response
	}
	stateOf := func(response *http.Response) string {
		t.Helper()
		to, err := response.Location()
		if err != nil {
			t.Fatal(err)
		}
		return to.Query().Get("state")
	}
	first, second := stateOf(get("/login")), stateOf(get("/login"))
	get("/callback?error=access_denied&state=another") // of no window
	for what, state := range map[string]string{"first": first, "second": second} {
		for _, want := range []string{"denied", "failed"} { // which is good once
			if got := get("/callback?error=access_denied&state=" + state).Header.Get("Location"); got != "/?refused="+want {
				t.Errorf("the %s window: got %s, want /?refused=%s", what, got, want)
			}
		}
	}
	var states []string
	for range 100 {
		states = append(states, stateOf(get("/login")))
	}
	if len(kept) > maxFlows {
		t.Errorf("the browser keeps %d cookies, want %d at most", len(kept), maxFlows)
	}
	for _, state := range states[100-maxFlows:] {
		if got := get("/callback?error=access_denied&state=" + state).Header.Get("Location"); got != "/?refused=denied" {
			t.Errorf("one of the last windows: got %s, want /?refused=denied", got)
		}
	}
}

// TestCallback_IDToken: a code that is exchanged is a sign-in only by an ID token of the
// provider that was asked, and of this very sign-in: of another browser's, whose code was
// brought here, it has another nonce (RFC 9700, sections 4.4 and 4.5).
func TestCallback_IDToken(t *testing.T) {
	s, issuer := overTLS(t)
	var idToken any
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": idToken})
	}))
	t.Cleanup(provider.Close)
	s.signIn.client, s.signIn.oauth.Endpoint = provider.Client(), oauth2.Endpoint{TokenURL: provider.URL}
	for _, r := range []struct {
		name    string
		idToken any
		to      string
	}{
		{"of this sign-in", issuer.Token(map[string]any{"nonce": "n"}), "/"},
		{"of another sign-in", issuer.Token(map[string]any{"nonce": "m"}), "/?refused=failed"},
		{"of no sign-in", issuer.Token(nil), "/?refused=failed"},
		{"of another provider", issuer.Token(map[string]any{"nonce": "n", "iss": "https://other.example"}), "/?refused=failed"},
		{"none", nil, "/?refused=failed"},
	} {
		t.Run(r.name, func(t *testing.T) {
			idToken = r.idToken
			request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://chat.example.com/callback?code=c&state=s", nil)
			request.AddCookie(&http.Cookie{Name: "__Host-" + flowCookie + "s", Value: "n.v"})
			answer := httptest.NewRecorder()
			s.handler().ServeHTTP(answer, request)
			signedIn := slices.ContainsFunc(answer.Result().Cookies(), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, loginCookie) })
			if got := answer.Header().Get("Location"); got != r.to || signedIn != (r.to == "/") {
				t.Errorf("goes to %q, signed in: %v, want %q", got, signedIn, r.to)
			}
		})
	}
}

func answered(status int, code string) error {
	return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status}, ErrorCode: code}
}

// TestRenew_ProviderDown: those who wait for one login do not ask, one after the other, a
// provider that does not answer.
func TestRenew_ProviderDown(t *testing.T) {
	w := newWorld(t, 2*time.Minute, warnBefore)
	l, header := w.signedIn(t, "bob")
	l.refresh, l.expires = "good for ever", time.Now() // it is time to renew
	var asked atomic.Int32
	provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		rw.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(provider.Close)
	w.signIn.oauth.Endpoint.TokenURL, w.signIn.oauth.Endpoint.AuthStyle = provider.URL, oauth2.AuthStyleInParams
	for _, want := range []int32{1, 1, 2} {
		if want == 2 {
			l.again = time.Now() // the pause is over
		}
		if response := w.post(t, "/renew", header); response.StatusCode != http.StatusServiceUnavailable || asked.Load() != want {
			t.Errorf("renew: got %d after %d questions, want 503 after %d", response.StatusCode, asked.Load(), want)
		}
	}
}

// TestLogins_OnePerson: whoever signs in again and again takes nobody else's login away.
func TestLogins_OnePerson(t *testing.T) {
	t.Parallel()
	var l logins
	now := time.Now()
	alice, bob := oidcauth.Identity{1}, oidcauth.Identity{2}
	hers, _ := l.add(alice, "", "", "", now, now)
	first, _ := l.add(bob, "", "", "", now, now)
	var last *login
	for n := range maxLogins + 1 {
		last, _ = l.add(bob, "", "", "", now, now.Add(time.Duration(n+1)))
	}
	for _, r := range []struct {
		name  string
		login *login
		kept  bool
	}{
		{"alice's", hers, true}, {"bob's last", last, true}, {"bob's first", first, false},
	} {
		if got := l.find(r.login.id) != nil; got != r.kept {
			t.Errorf("%s: kept %v, want %v", r.name, got, r.kept)
		}
	}
	if got, want := len(l.all), 1+maxLoginsEach; got != want {
		t.Errorf("logins: got %d, want %d", got, want)
	}
}
