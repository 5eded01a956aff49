// Package logins has a browser signed in by a cookie that says nothing: its tokens stay on
// the server, which renews them, and ends the login when the provider says so.
package logins

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	exact "github.com/go-jose/go-jose/v4/json"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
)

const (
	loginCookie = "__Host-login" // the login's ID
	flowCookie  = "__Host-flow-" // and the state: nonce and verifier of a sign-in under way

	maxFlows = 8 // sign-ins that one browser has under way, in as many windows

	life     = 12 * time.Hour   // of a login
	maxEach  = 20               // logins of one person
	patience = 10 * time.Second // with the provider
	pause    = 5 * time.Second  // for which a provider that is not there is not asked again
)

// errOver says that a browser is signed in no more.
var errOver = fmt.Errorf("%w: the login has ended: sign in", oidcauth.ErrNoToken)

// A login is one browser in which somebody has signed in.
type login struct {
	who     oidcauth.Identity
	issuer  string
	subject string
	session string // "sid", if the provider names it
	ends    time.Time

	life context.Context // ends with the login
	end  context.CancelFunc

	turn    chan struct{} // of 1: full while somebody uses what is below
	token   string        // the ID token
	refresh string        // empty if the provider gave none
	again   time.Time     // before this the provider is not asked
}

// Logins are in memory: a restart signs everybody out. Several servers keep them where
// all can read them.
type Logins struct {
	Auth  *oidcauth.Authenticator
	OAuth *oauth2.Config // with the provider's endpoint, and a redirect URI that ends with /callback

	mu  sync.Mutex // guards all
	all map[string]*login
}

// Routes signs people in and out. A form of another site's page does neither.
func (l *Logins) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", l.begin)
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		if err := l.finish(w, r); err != nil {
			l.Auth.Refuse(w, r, err)
			return
		}
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.Handle("POST /logout", http.NewCrossOriginProtection().Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			signedIn := idOf(r)
			l.end(func(id string, _ *login) bool { return id == signedIn })
			setCookie(w, loginCookie, "", -time.Second)
		})))
	mux.Handle("POST /backchannel-logout", l.LoggedOut())
}

// begin sends the browser to the provider.
func (l *Logins) begin(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	forgetFlows(w, r)
	setCookie(w, flowCookie+state, nonce+"."+verifier, 10*time.Minute)
	http.Redirect(w, r, l.OAuth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

// forgetFlows drops the oldest sign-ins of a browser that has many under way: most come to
// nothing. It sends their cookies in that order (RFC 6265, section 5.4).
func forgetFlows(w http.ResponseWriter, r *http.Request) {
	var flows []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, flowCookie) {
			flows = append(flows, c.Name)
		}
	}
	for _, name := range flows[:max(0, len(flows)-maxFlows+1)] {
		setCookie(w, name, "", -time.Second)
	}
}

// finish begins a login by what the provider has sent the browser back with.
func (l *Logins) finish(w http.ResponseWriter, r *http.Request) error {
	// Each window has a sign-in of its own, which another's end does not end.
	cookie, err := r.Cookie(flowCookie + r.FormValue("state"))
	if err != nil {
		return fmt.Errorf("%w: state: of no sign-in that is under way in this browser", oidcauth.ErrMalformedRequest)
	}
	setCookie(w, cookie.Name, "", -time.Second)
	wantNonce, verifier, found := strings.Cut(cookie.Value, ".")
	if !found {
		return fmt.Errorf("%w: a cookie that this server has not set", oidcauth.ErrMalformedRequest)
	}
	if code := r.FormValue("error"); code != "" { // the person has thought better of it, for instance
		return faultOf(code, oidcauth.ErrForbidden)
	}
	asking, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	tokens, err := l.OAuth.Exchange(asking, r.FormValue("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return fault(err, oidcauth.ErrMalformedRequest)
	}
	idToken, _ := tokens.Extra("id_token").(string)
	claims, err := l.Auth.Authenticate(r.Context(), idToken)
	if err != nil {
		return err
	}
	if nonce, _ := claims.LookupString("nonce"); nonce != wantNonce {
		return fmt.Errorf("%w: nonce: not that of the sign-in under way", oidcauth.ErrMalformedRequest)
	}
	before, now := idOf(r), time.Now()
	l.end(func(id string, of *login) bool { return id == before || now.After(of.ends) })
	added := &login{
		who: claims.Identity(), issuer: claims.Issuer(), subject: claims.Subject(), session: claims.SessionID(),
		ends: now.Add(life), turn: make(chan struct{}, 1), token: idToken, refresh: tokens.RefreshToken,
	}
	added.life, added.end = context.WithDeadline(context.Background(), added.ends)
	setCookie(w, loginCookie, l.add(added), life)
	return nil
}

// add keeps a login, in the place of the person's oldest where they have many.
func (l *Logins) add(added *login) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest, theirs := "", 0
	for id, of := range l.all {
		if of.who != added.who {
			continue
		}
		if theirs++; oldest == "" || of.ends.Before(l.all[oldest].ends) {
			oldest = id
		}
	}
	if theirs >= maxEach {
		l.all[oldest].end()
		delete(l.all, oldest)
	}
	if l.all == nil {
		l.all = make(map[string]*login)
	}
	id := rand.Text()
	l.all[id] = added
	return id
}

// find returns the login with an ID, or nil.
func (l *Logins) find(id string) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := l.all[id]
	if found == nil || time.Now().After(found.ends) {
		return nil
	}
	return found
}

// idOf is what a browser says is its login's ID.
func idOf(r *http.Request) string {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Middleware lets a request pass that has a login, and the others as the Authenticator's
// does: services send a token.
func (l *Logins) Middleware(next http.Handler) http.Handler {
	bearers := l.Auth.Middleware(next)
	people := http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, from, err := l.claims(r)
		if err != nil {
			l.Auth.Refuse(w, r, err)
			return
		}
		ctx := context.WithValue(l.Auth.CallerContext(r), loginKey{}, from)
		next.ServeHTTP(w, r.WithContext(oidcauth.NewContext(ctx, claims)))
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if idOf(r) == "" || r.Header.Get("Authorization") != "" {
			bearers.ServeHTTP(w, r)
			return
		}
		people.ServeHTTP(w, r)
	})
}

// loginKey finds the login that a request came with in its context.
type loginKey struct{}

// OnEnd has f called when the login has ended that Middleware let r pass by, at once if that
// is so already: a socket is to end with it. Where r came with a token there is none. To
// call stop is to have it called no more.
func (l *Logins) OnEnd(r *http.Request, f func()) (stop func() bool) {
	from, is := r.Context().Value(loginKey{}).(*login)
	if !is {
		return func() bool { return false }
	}
	return context.AfterFunc(from.life, f)
}

// claims are those of the login's ID token, or of the next one when it has expired.
func (l *Logins) claims(r *http.Request) (*oidcauth.Claims, *login, error) {
	id := idOf(r)
	found := l.find(id)
	if found == nil {
		return nil, nil, errOver
	}
	ctx := l.Auth.CallerContext(r)
	select {
	case found.turn <- struct{}{}:
		defer func() { <-found.turn }()
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("%w: the client has left", oidcauth.ErrAnswerUnavailable)
	}
	claims, err := l.Auth.Authenticate(ctx, found.token)
	if errors.Is(err, oidcauth.ErrExpired) && l.find(id) == found {
		claims, err = l.renew(ctx, found)
	}
	if l.find(id) != found {
		return nil, nil, errOver // it was ended meanwhile
	}
	if errors.Is(err, oidcauth.ErrRevoked) || errors.Is(err, oidcauth.ErrExpired) {
		l.end(func(_ string, other *login) bool { return other == found }) // its refresh token must not bring it back
	}
	return claims, found, err
}

// renew gets the next ID token. It is the caller's turn.
func (l *Logins) renew(ctx context.Context, found *login) (*oidcauth.Claims, error) {
	switch {
	case found.refresh == "":
		return nil, fmt.Errorf("%w: the provider gave no refresh token: sign in", oidcauth.ErrExpired)
	case time.Now().Before(found.again): // or all who wait for the lock would ask, one after the other
		return nil, fmt.Errorf("%w: the provider gave no tokens just now", oidcauth.ErrAnswerUnavailable)
	}
	// A page that is closed meanwhile does not cost the login a refresh token that is
	// good once.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	// Not with the tokens as they are: oauth2 would look at the access token's expiry.
	tokens, err := l.OAuth.TokenSource(asking, &oauth2.Token{RefreshToken: found.refresh}).Token()
	if err != nil {
		err = fault(err, oidcauth.ErrExpired)
		if errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			found.again = time.Now().Add(pause)
		}
		return nil, err
	}
	if tokens.RefreshToken != "" {
		found.refresh = tokens.RefreshToken
	}
	idToken, _ := tokens.Extra("id_token").(string)
	claims, err := l.Auth.Authenticate(ctx, idToken)
	if err != nil {
		return nil, err
	}
	if claims.Identity() != found.who {
		return nil, oidcauth.ErrIdentityMismatch
	}
	found.token = idToken
	return claims, nil
}

// fault tells what the provider has refused from a provider that is not there, or that does
// not know this server: 401 is of that, whatever the error is called (RFC 6749, section 5.2).
func fault(err, refusal error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return faultOf("", refusal)
	}
	switch status := refused.Response.StatusCode; {
	case status >= 500, status == http.StatusTooManyRequests,
		status == http.StatusUnauthorized && refused.ErrorCode != "invalid_grant":
		return faultOf("", refusal)
	}
	return faultOf(refused.ErrorCode, refusal)
}

// faultOf is the same by the error that the provider names. The provider's own words, which
// may hold anything, are left out. Where it names none a proxy before it has answered.
func faultOf(code string, refusal error) error {
	switch code {
	case "", "invalid_client", "server_error", "temporarily_unavailable": // of which the second is this server's secret
		return fmt.Errorf("%w: the provider gives no tokens at present", oidcauth.ErrAnswerUnavailable) // 503
	}
	return fmt.Errorf("%w: the provider: %.40q", refusal, code)
}

// LoggedOut is the address that the provider posts logout tokens to. LogoutHandler takes
// back the tokens that there are; the refresh token that is kept here would get others.
func (l *Logins) LoggedOut() http.Handler {
	verify := l.Auth.LogoutHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &answered{ResponseWriter: w, status: http.StatusOK}
		verify.ServeHTTP(answer, r)
		if answer.status != http.StatusOK {
			return // it is no logout token, or the provider comes again
		}
		logout := payload(r.PostForm.Get("logout_token"))
		l.end(func(_ string, of *login) bool {
			return logout.Issuer == of.issuer &&
				(logout.Subject != "" && logout.Subject == of.subject || logout.Session != "" && logout.Session == of.session)
		})
	})
}

// A logout is what a logout token names.
type logout struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Session string `json:"sid"`
}

// payload reads a logout token that was verified.
func payload(token string) (l logout) {
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil || exact.Unmarshal(text, &l) != nil {
		return logout{} // which names nobody
	}
	return l
}

// An answered knows with which status a request was answered.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// End ends all logins of somebody whose tokens the server takes back: call it behind
// Revoke, for the same reason.
func (l *Logins) End(who oidcauth.Identity) {
	l.end(func(_ string, of *login) bool { return of.who == who })
}

// end ends the logins that which is true of.
func (l *Logins) end(which func(id string, of *login) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, of := range l.all {
		if which(id, of) {
			of.end()
			delete(l.all, id)
		}
	}
}

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}
