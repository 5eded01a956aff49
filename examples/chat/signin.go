package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth"
)

const (
	flowLife = 10 * time.Minute
	hintLife = time.Minute

	patienceWithProvider = 10 * time.Second
	refreshPause         = 5 * time.Second // for which a provider that is not there is not asked again

	signedOutPath = "/signed-out"
)

// signIn is the server's side of signing a person in: the authorization code flow
// with PKCE (RFC 7636), and later ID tokens by the refresh token. No token ever
// reaches a script.
type signIn struct {
	auth    *oidcauth.Authenticator
	oauth   oauth2.Config
	client  *http.Client
	logins  logins
	warn    time.Duration // a token that has more than this left is not renewed
	cookies cookies
	renewed func(login, token string) error // told of each new token
	refused func(http.ResponseWriter, *http.Request, error)
	failed  func(*http.Request, error)               // counts and logs a sign-in
	ended   func(login string, why error)            // told of each login that has ended
	signOut func(idToken, next string) (page string) // where to sign out at the provider; nil for nowhere
	home    string                                   // where to go on from there
}

// errSignIn says that nobody is signed in in this browser.
var errSignIn = fmt.Errorf("%w: sign in", oidcauth.ErrNoToken)

// begin sends the browser to the provider.
func (s *signIn) begin(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	s.cookies.bound(w, r, flowCookie, maxFlows) // most come to nothing
	s.cookies.set(w, flowCookie+state, nonce+"."+verifier, flowLife)
	http.Redirect(w, r, s.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusFound)
}

// callback is where the provider sends the browser back to.
func (s *signIn) callback(w http.ResponseWriter, r *http.Request) {
	page := "/"
	before, err := s.finish(w, r)
	if err != nil {
		s.failed(r, err)
		page = "/?refused=" + whyNot(err)
	}
	http.Redirect(w, r, page, http.StatusFound)
	if before == nil {
		return
	}
	// Its other windows ask at once whether their login goes on, which should be by the
	// cookies of this answer. Where it cannot be sent now the person signs in once more there.
	_ = http.NewResponseController(w).Flush()
	s.ended(before.id, errSignedIn)
}

// whyNot names what the page is to say of a sign-in that failed.
func whyNot(err error) string {
	switch status, _, _ := oidcauth.Answer(err); {
	case errors.Is(err, oidcauth.ErrRevoked):
		return "revoked"
	case status == http.StatusForbidden:
		return "denied"
	case status == http.StatusServiceUnavailable:
		return "unavailable"
	}
	return "failed"
}

// finish begins a login by what the provider has sent the browser back with. It returns the
// one that the browser had before, which is over, and whose sockets are to be told.
func (s *signIn) finish(w http.ResponseWriter, r *http.Request) (before *login, err error) {
	// Each window has a sign-in of its own, which another's end does not end.
	flow := flowCookie + r.FormValue("state")
	wantNonce, verifier, found := strings.Cut(s.cookies.get(r, flow), ".")
	if !found {
		return nil, fmt.Errorf("%w: state: of no sign-in that is under way in this browser", oidcauth.ErrMalformedRequest)
	}
	s.cookies.set(w, flow, "", -time.Second)
	if code := r.FormValue("error"); code != "" {
		return nil, fmt.Errorf("%w: the provider refused: %.40q", faultOf(code, oidcauth.ErrForbidden), code)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(r.Context(), s.client), patienceWithProvider)
	defer cancel()
	tokens, err := s.oauth.Exchange(ctx, r.FormValue("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("%w: code: %w", providerFault(err, oidcauth.ErrMalformedRequest), withoutBody(err))
	}
	idToken, claims, err := s.accept(ctx, tokens)
	if err != nil {
		return nil, err
	}
	if nonce, _ := claims.LookupString("nonce"); subtle.ConstantTimeCompare([]byte(wantNonce), []byte(nonce)) != 1 {
		return nil, fmt.Errorf("%w: nonce: not that of the sign-in under way", oidcauth.ErrMalformedRequest)
	}
	if before = s.login(r); before != nil { // a browser has one, and its sign-out ends that one
		s.logins.end(func(of *login) bool { return of == before })
	}
	l, gone := s.logins.add(claims.Identity(), claims.SessionID(), idToken, tokens.RefreshToken, claims.Expiry(), time.Now())
	for _, old := range gone {
		s.ended(old.id, errNoRoom)
	}
	s.cookies.set(w, loginCookie, l.id, loginLife)
	s.cookies.set(w, tokenCookie, idToken, loginLife)
	return before, nil
}

// accept takes the ID token out of the provider's answer. The same Authenticator
// judges it that judges every request.
func (s *signIn) accept(ctx context.Context, tokens *oauth2.Token) (string, *oidcauth.Claims, error) {
	idToken, _ := tokens.Extra("id_token").(string)
	if idToken == "" {
		return "", nil, fmt.Errorf("%w: the provider's answer has no ID token", oidcauth.ErrNoToken)
	}
	claims, err := s.auth.Authenticate(ctx, idToken)
	return idToken, claims, err
}

// renew puts this browser under a new ID token: its cookie, and through renewed the
// sockets that are open. Several pages of one browser may ask at once; one asks the
// provider, and the others get the same token.
func (s *signIn) renew(w http.ResponseWriter, r *http.Request) {
	expires, err := s.renewLogin(w, r)
	if err != nil {
		s.refused(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"expires_at": expires})
}

func (s *signIn) renewLogin(w http.ResponseWriter, r *http.Request) (time.Time, error) {
	l := s.login(r)
	if l == nil {
		return time.Time{}, errSignIn
	}
	return s.renewOf(w, r, l)
}

// renewOf renews a login, unless its browser has signed out while this waited.
func (s *signIn) renewOf(w http.ResponseWriter, r *http.Request, l *login) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Load() {
		return time.Time{}, errSignIn
	}
	stands, err := s.stands(r.Context(), l)
	if err == nil && !stands {
		err = s.refresh(r.Context(), l)
	}
	if errors.Is(err, oidcauth.ErrRevoked) { // what was taken back the refresh token must not bring back
		s.endLogins(oidcauth.ErrRevoked, func(of *login) bool { return of == l })
	}
	if err != nil {
		return time.Time{}, err
	}
	if l.over.Load() {
		return time.Time{}, errSignIn // it was taken back meanwhile
	}
	if err := s.renewed(l.id, l.token); err != nil {
		return time.Time{}, err
	}
	s.cookies.set(w, tokenCookie, l.token, loginLife)
	return l.expires, nil
}

// stands reports whether the login's token need not be renewed: it is good, and for
// some time yet. That it was revoked is an error. The caller holds l.mu.
func (s *signIn) stands(ctx context.Context, l *login) (bool, error) {
	_, err := s.auth.Authenticate(ctx, l.token)
	if errors.Is(err, oidcauth.ErrRevoked) {
		return false, err
	}
	return err == nil && time.Until(l.expires) > s.warn, nil
}

// refresh gets the login's next ID token. The caller holds l.mu.
func (s *signIn) refresh(ctx context.Context, l *login) error {
	if l.refresh == "" {
		return fmt.Errorf("%w: the provider gave no refresh token: sign in", oidcauth.ErrExpired)
	}
	if time.Now().Before(l.again) { // or all who wait for the lock would ask, one after the other
		return fmt.Errorf("%w: refresh: the provider did not answer just now", oidcauth.ErrKeysUnavailable)
	}
	// A page that is closed meanwhile does not cost the login its refresh token,
	// which is good once.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceWithProvider)
	defer cancel()
	ctx = oidc.ClientContext(ctx, s.client)
	tokens, err := s.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: l.refresh}).Token()
	if err != nil {
		fault := providerFault(err, oidcauth.ErrExpired)
		if errors.Is(fault, oidcauth.ErrKeysUnavailable) {
			l.again = time.Now().Add(refreshPause)
		}
		return fmt.Errorf("%w: refresh: %w", fault, withoutBody(err))
	}
	if tokens.RefreshToken != "" {
		l.refresh = tokens.RefreshToken
	}
	idToken, claims, err := s.accept(ctx, tokens)
	if err == nil && claims.Identity() != l.who {
		err = fmt.Errorf("%w: the provider's answer is of another person", oidcauth.ErrIdentityMismatch)
	}
	if err != nil {
		return err
	}
	l.token, l.expires = idToken, claims.Expiry()
	return nil
}

// providerFault tells what the provider has refused from a provider that is not there,
// answers nobody at present, or does not know this server: no person can sign in then. An
// answer that names no error is none of the provider's: a proxy before it gave that, while
// it is restarted for instance, and everybody would have to sign in again.
func providerFault(err, refusal error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return oidcauth.ErrKeysUnavailable
	}
	switch status := refused.Response.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500,
		status == http.StatusUnauthorized && refused.ErrorCode != "invalid_grant": // which is of this server
		return oidcauth.ErrKeysUnavailable
	}
	return faultOf(refused.ErrorCode, refusal)
}

// faultOf is the same by the error that the provider names (RFC 6749, sections 4.1.2.1 and
// 5.2).
func faultOf(code string, refusal error) error {
	switch code {
	case "", "invalid_client", "server_error", "temporarily_unavailable":
		return oidcauth.ErrKeysUnavailable
	}
	return refusal
}

// withoutBody leaves out of an error the provider's answer, which may hold anything.
func withoutBody(err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return fmt.Errorf("status %d, error %.40q", refused.Response.StatusCode, refused.ErrorCode)
	}
	return err
}

// end signs this browser out here, and says where the page is to go on: over leave to
// the provider. That has to be told whom to sign out, by the ID token in its address,
// which the page must not read.
func (s *signIn) end(w http.ResponseWriter, r *http.Request) {
	page := "/"
	if l := s.login(r); l != nil {
		l.mu.Lock()
		l.over.Store(true)
		if s.signOut != nil {
			page = signedOutPath
			s.cookies.set(w, hintCookie, l.token, hintLife)
		}
		l.mu.Unlock()
		s.endLogins(errSignedOut, func(of *login) bool { return of == l })
	}
	s.cookies.set(w, loginCookie, "", -time.Second)
	s.cookies.set(w, tokenCookie, "", -time.Second)
	writeJSON(w, http.StatusOK, map[string]any{"go": page})
}

// leave sends a browser that was signed out here on to the provider, to be signed out there.
func (s *signIn) leave(w http.ResponseWriter, r *http.Request) {
	page := "/"
	if hint := s.cookies.get(r, hintCookie); hint != "" && s.signOut != nil {
		page = s.signOut(hint, s.home)
	}
	s.cookies.set(w, hintCookie, "", -time.Second)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, page, http.StatusFound)
}

// login returns the login of the browser that sent r, or nil.
func (s *signIn) login(r *http.Request) *login { return s.logins.find(s.loginID(r)) }

// hasLogin reports an error unless the browser that sent r has a login of the person whom
// its token names.
func (s *signIn) hasLogin(r *http.Request, claims *oidcauth.Claims) error {
	if l := s.login(r); l == nil || l.who != claims.Identity() {
		return errSignIn
	}
	return nil
}

// loginID returns what the browser that sent r says is its login's ID.
func (s *signIn) loginID(r *http.Request) string { return s.cookies.get(r, loginCookie) }
