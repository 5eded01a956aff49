package logins_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/logins"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	app      = "https://app.test"
	provider = "https://login.test"
	life     = 5 * time.Minute // of an ID token
)

// A world is an app and its provider, which imitates authorization code with PKCE.
type world struct {
	*oidctest.Issuer
	app     http.Handler
	logins  *logins.Logins
	codes   map[string]url.Values
	count   int                 // of sign-ins
	status  int                 // of the token endpoint
	fault   string              // that it names
	asked   func(*http.Request) // told of each question to it
	refresh string              // the refresh token that it gives
	subject string              // of the next token
	denied  string              // the error that people are sent back with; empty for none
	ended   atomic.Int32        // sockets, of those that /socket stands for
	leave   func() bool         // of the last socket, by itself
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{codes: make(map[string]url.Values), status: http.StatusOK, asked: func(*http.Request) {}, refresh: "next", subject: "alice"}
	endpoints := http.NewServeMux()
	endpoints.HandleFunc("GET /authorize", w.authorize)
	endpoints.HandleFunc("POST /token", w.tokens)
	w.Issuer = oidctest.NewIssuer(t, oidctest.Config{URL: provider, Claims: map[string]any{"aud": "web"}, Other: endpoints})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: provider, Audiences: []string{"web"}}}, Client: w.Client(), Leeway: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	l := &logins.Logins{Auth: auth, OAuth: &oauth2.Config{
		ClientID: "web", RedirectURL: app + "/callback", Scopes: []string{"openid", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: provider + "/authorize", TokenURL: provider + "/token"},
	}}
	w.logins = l
	mux := http.NewServeMux()
	l.Routes(mux)
	whoami := func(w http.ResponseWriter, r *http.Request) {
		claims, _ := oidcauth.FromContext(r.Context())
		io.WriteString(w, claims.Subject())
	}
	mux.Handle("/whoami", l.Middleware(http.HandlerFunc(whoami)))
	mux.Handle("/socket", l.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.leave = l.OnEnd(r, func() { w.ended.Add(1) })
	})))
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	w.app = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), oauth2.HTTPClient, w.Client())))
	})
	return w
}

func (w *world) authorize(rw http.ResponseWriter, r *http.Request) {
	code := fmt.Sprint("code-", len(w.codes))
	w.codes[code] = r.URL.Query()
	answer := url.Values{"code": {code}, "state": {r.FormValue("state")}}
	if w.denied != "" {
		answer = url.Values{"error": {w.denied}, "state": {r.FormValue("state")}}
	}
	http.Redirect(rw, r, r.FormValue("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (w *world) tokens(rw http.ResponseWriter, r *http.Request) {
	w.asked(r)
	claims := map[string]any{"sub": w.subject, "exp": time.Now().Add(life)}
	if r.FormValue("grant_type") == "authorization_code" {
		asked := w.codes[r.FormValue("code")]
		w.codes[r.FormValue("code")] = nil
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if asked == nil || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			http.Error(rw, "", http.StatusBadRequest)
			return
		}
		w.count++
		claims["nonce"] = asked.Get("nonce")
		claims["sid"] = fmt.Sprint("login-", w.count) // refreshed tokens of many providers have none
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(w.status)
	json.NewEncoder(rw).Encode(map[string]any{ // the access token lives for longer
		"access_token": "opaque", "token_type": "Bearer", "expires_in": 86400, "refresh_token": w.refresh, "id_token": w.Token(claims), "error": w.fault,
	})
}

// RoundTrip makes w the whole internet of a browser.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.String(), app) {
		return w.Client().Transport.RoundTrip(r)
	}
	served := r.Clone(r.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	w.app.ServeHTTP(answer, served)
	response := answer.Result()
	response.Request = r
	return response, nil
}

func (w *world) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: w}
}

func status(t *testing.T, client *http.Client, method, path string, form url.Values, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, app+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// signedIn is a browser in which somebody has signed in.
func (w *world) signedIn(t *testing.T) *http.Client {
	t.Helper()
	browser := w.browser(t)
	if got := status(t, browser, "GET", "/login", nil); got != http.StatusOK {
		t.Fatalf("sign-in: got %d, want 200", got)
	}
	return browser
}

func (w *world) want(t *testing.T, what string, browser *http.Client, want int) {
	t.Helper()
	if got := status(t, browser, "GET", "/whoami", nil); got != want {
		t.Errorf("%s: got %d, want %d", what, got, want)
	}
}

// TestLogins_Renewed: a login goes on beyond its ID token, also while the access token has
// not expired, until the person signs out.
func TestLogins_Renewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		browser := w.signedIn(t)
		for range 5 {
			w.want(t, "signed in", browser, http.StatusOK)
			time.Sleep(life + time.Second)
		}
		w.want(t, "another browser", w.browser(t), http.StatusUnauthorized)
		if got := status(t, browser, "POST", "/logout", nil, "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
			t.Errorf("sign-out by another site's page: got %d, want 403", got)
		}
		if got := status(t, browser, "POST", "/whoami", nil, "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
			t.Errorf("call by another site's page: got %d, want 403", got)
		}
		status(t, browser, "POST", "/logout", nil, "Sec-Fetch-Site", "same-origin")
		w.want(t, "signed out", browser, http.StatusUnauthorized)
		address, err := url.Parse(app)
		if err != nil {
			t.Fatal(err)
		}
		if left := browser.Jar.Cookies(address); len(left) > 0 {
			t.Errorf("signed out: the browser keeps %q", left[0].Name)
		}
		copied := w.signedIn(t) // by somebody who keeps cookies for longer than they say
		cookies := copied.Jar.Cookies(address)
		time.Sleep(13 * time.Hour)
		copied.Jar.SetCookies(address, secure(cookies))
		w.want(t, "long ago", copied, http.StatusUnauthorized)
	})
}

// secure are cookies as a jar takes them that has given them.
func secure(cookies []*http.Cookie) []*http.Cookie {
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	return cookies
}

// TestLogins_Forged: a sign-in that another browser has begun ends in no login, and nor
// does one that nobody has begun.
func TestLogins_Forged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := status(t, w.browser(t), "GET", "/callback?code=code&state=x", nil); got != http.StatusBadRequest {
		t.Errorf("begun by nobody: got %d, want 400", got)
	}
	browser := w.browser(t)
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	status(t, browser, "GET", "/login", nil)
	if got := status(t, browser, "GET", "/callback?code=code&state=another", nil); got != http.StatusBadRequest {
		t.Errorf("begun by another browser: got %d, want 400", got)
	}
	w.want(t, "neither", browser, http.StatusUnauthorized)
}

// TestLogins_TwoWindows: sign-ins that two windows of a browser have begun at once, as when
// it opens those of yesterday again, do not take each other's place; nor does one that nobody
// has begun. A browser does not collect those that come to nothing.
func TestLogins_TwoWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	browser := w.browser(t)
	var back []string // the addresses that the provider sends the windows to
	stop := func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" {
			back = append(back, r.URL.RequestURI())
			return http.ErrUseLastResponse
		}
		return nil
	}
	browser.CheckRedirect = stop
	status(t, browser, "GET", "/login", nil)
	status(t, browser, "GET", "/login", nil)
	browser.CheckRedirect = nil
	status(t, browser, "GET", "/callback?code=x&state=another", nil)
	for i, address := range back {
		if got := status(t, browser, "GET", address, nil); got != http.StatusOK {
			t.Errorf("window %d: got %d, want 200", i+1, got)
		}
		if got := status(t, browser, "GET", address, nil); got != http.StatusBadRequest {
			t.Errorf("window %d, once more: got %d, want 400", i+1, got)
		}
	}
	w.want(t, "signed in", browser, http.StatusOK)
	back = nil
	browser.CheckRedirect = stop
	for range 100 {
		status(t, browser, "GET", "/login", nil)
	}
	address, err := url.Parse(app)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(browser.Jar.Cookies(address)); n > 10 {
		t.Errorf("the browser keeps %d cookies", n)
	}
	browser.CheckRedirect = nil
	for _, address := range back[100-8:] {
		if got := status(t, browser, "GET", address, nil); got != http.StatusOK {
			t.Errorf("one of the last windows: got %d, want 200", got)
		}
	}
}

// TestLogins_Denied: whom the provider sends back without a code is not asked about there,
// and is told whether to try again.
func TestLogins_Denied(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]int{
		"access_denied": http.StatusForbidden, "temporarily_unavailable": http.StatusServiceUnavailable, "server_error": http.StatusServiceUnavailable,
	} {
		w := newWorld(t)
		w.denied = code
		w.asked = func(*http.Request) { t.Errorf("%s: the provider was asked for a token", code) }
		browser := w.browser(t)
		if got := status(t, browser, "GET", "/login", nil); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
		w.want(t, code, browser, http.StatusUnauthorized)
	}
}

// TestLogins_Bearer: services send a token, to the same routes.
func TestLogins_Bearer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := status(t, w.browser(t), "POST", "/whoami", nil, "Authorization", "Bearer "+w.Token(nil)); got != http.StatusOK {
		t.Errorf("a good token: got %d, want 200", got)
	}
	if got := status(t, w.signedIn(t), "GET", "/whoami", nil, "Authorization", "Bearer x"); got != http.StatusUnauthorized {
		t.Errorf("a bad token beside a good login: got %d, want 401", got)
	}
}

// TestLogins_LoggedOut: the refresh token does not bring back whom the provider has signed
// out, be the logout by the person or by the login, and be the ID token expired or not.
func TestLogins_LoggedOut(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"of the person": {"sub": "alice"}, "of the login": {"sid": "login-1"}, "of both": {"sub": "alice", "sid": "login-1"},
	} {
		for _, after := range []time.Duration{0, time.Hour} {
			t.Run(name+" after "+after.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					browser := w.signedIn(t)
					time.Sleep(after)
					form := url.Values{"logout_token": {w.LogoutToken(claims)}}
					if got := status(t, w.browser(t), "POST", "/backchannel-logout", form); got != http.StatusOK {
						t.Fatalf("logout: got %d, want 200", got)
					}
					time.Sleep(life + time.Second)
					w.want(t, "after the logout", browser, http.StatusUnauthorized)
					w.want(t, "after another sign-in", w.signedIn(t), http.StatusOK)
				})
			})
		}
	}
}

// TestLogins_End: so it is with what the server itself takes back, and with that person's
// logins alone.
func TestLogins_End(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alices := w.signedIn(t)
		w.subject = "bob"
		bobs := w.signedIn(t)
		if err := w.logins.Auth.Revoke(t.Context(), oidcauth.Revocation{Issuer: provider, Subject: "bob", IssuedBefore: time.Now()}); err != nil {
			t.Fatal(err)
		}
		w.logins.End(identity.New(provider, "bob"))
		time.Sleep(life + time.Second)
		w.want(t, "bob", bobs, http.StatusUnauthorized)
		w.subject = "alice"
		w.want(t, "alice", alices, http.StatusOK)
	})
}

// TestLogins_LoggedOutFalsely: what is no logout token of the provider's ends nothing.
func TestLogins_LoggedOutFalsely(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	browser := w.signedIn(t)
	forged := w.NewKey(oidctest.KeyConfig{}).Sign(map[string]any{"typ": "logout+jwt"}, map[string]any{"iss": provider, "sub": "alice"})
	form := url.Values{"logout_token": {forged}}
	if got := status(t, w.browser(t), "POST", "/backchannel-logout", form); got == http.StatusOK {
		t.Errorf("logout: got %d, want a refusal", got)
	}
	w.want(t, "after it", browser, http.StatusOK)
}

// TestLogins_RenewalFails: who has to sign in again, and who has to wait.
func TestLogins_RenewalFails(t *testing.T) {
	for _, r := range []struct {
		name         string
		status       int
		fault        string
		subject      string
		want, healed int
	}{
		{"the provider refuses", http.StatusBadRequest, "invalid_grant", "alice", http.StatusUnauthorized, http.StatusUnauthorized},
		{"this server's secret is wrong", http.StatusUnauthorized, "invalid_client", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"this server's secret is wrong, in other words", http.StatusUnauthorized, "unauthorized_client", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"the provider refuses with 401", http.StatusUnauthorized, "invalid_grant", "alice", http.StatusUnauthorized, http.StatusUnauthorized},
		{"the provider fails", http.StatusBadGateway, "", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"too many ask", http.StatusTooManyRequests, "", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"a proxy says that it is not there", http.StatusNotFound, "", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"a proxy lets nobody by", http.StatusForbidden, "", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"the provider says that it is busy", http.StatusBadRequest, "temporarily_unavailable", "alice", http.StatusServiceUnavailable, http.StatusOK},
		{"it is somebody else", http.StatusOK, "", "bob", http.StatusForbidden, http.StatusOK},
	} {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				browser := w.signedIn(t)
				time.Sleep(life + time.Second)
				w.status, w.fault, w.subject = r.status, r.fault, r.subject
				w.want(t, "renewal", browser, r.want)
				w.status, w.fault, w.subject = http.StatusOK, "", "alice"
				time.Sleep(time.Minute)
				w.want(t, "afterwards", browser, r.healed)
			})
		})
	}
}
