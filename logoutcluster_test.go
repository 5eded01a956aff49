package oidcauth_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A logout that names both a subject and a login session ends what either names
// on every server, and here also while the log is down.
func TestLogoutHandler_BothEverywhere(t *testing.T) {
	for _, down := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			log := newMemoryLog()
			cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: log}
			here, there := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
			sessions := func(a *oidcauth.Authenticator) (all []*oidcauth.Session) {
				for _, claims := range []map[string]any{{"sub": "alice"}, {"sub": "bob", "sid": "login-1"}} {
					all = append(all, a.NewSession(t.Context(), authenticate(t, a, issuer.Token(claims))))
				}
				return all
			}
			first, second := sessions(here), sessions(there)
			log.SetDown(down)
			time.Sleep(time.Second)
			resp := postLogout(here, logoutToken(issuer, map[string]any{"sid": "login-1"}))
			if !down && resp.StatusCode != http.StatusOK {
				t.Errorf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
			}
			for _, s := range first {
				expectEnd(t, s, oidcauth.ErrRevoked)
			}
			log.SetDown(false)
			time.Sleep(5 * time.Minute) // for what could not be shared at once
			for _, s := range second {
				expectEnd(t, s, oidcauth.ErrRevoked)
			}
		})
	}
}
