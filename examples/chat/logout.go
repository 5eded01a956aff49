package main

import (
	"encoding/base64"
	"net/http"
	"strings"

	exact "github.com/go-jose/go-jose/v4/json"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
)

// A logout is what a logout token names.
type logout struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Session string `json:"sid"`
}

// backChannelLogout is where the provider says that somebody has signed out there. The
// library takes back the tokens that there are; the refresh tokens that are kept here
// would get others.
func (s *server) backChannelLogout() http.Handler {
	verify := s.auth.LogoutHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		verify.ServeHTTP(answer, r)
		if answer.status == http.StatusOK {
			s.signIn.loggedOut(readLogout(r.PostForm.Get("logout_token")))
		}
	})
}

// loggedOut ends the logins that a logout names.
func (s *signIn) loggedOut(l logout) {
	if l.Subject != "" {
		s.withdrawn(l.Issuer, l.Subject)
	}
	if l.Session != "" {
		s.endLogins(oidcauth.ErrRevoked, func(of *login) bool { return of.session == l.Session })
	}
}

// withdrawn ends what an account has signed in: its tokens were taken back.
func (s *signIn) withdrawn(issuer, subject string) {
	who := identity.New(issuer, subject)
	s.endLogins(oidcauth.ErrRevoked, func(of *login) bool { return of.who == who })
}

// endLogins ends the logins that which is true of, and tells their sockets why. That their
// tokens are taken back is not enough: a logout that names a session at the provider finds
// the tokens that name it, and those that a login is renewed with often do not.
func (s *signIn) endLogins(why error, which func(*login) bool) {
	for _, l := range s.logins.end(which) {
		s.ended(l.id, why)
	}
}

// readLogout reads a logout token that was verified.
func readLogout(token string) (l logout) {
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if err != nil || exact.Unmarshal(text, &l) != nil {
		return logout{} // which names nobody
	}
	return l
}

// A statusWriter knows with which status a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
