package oidcauth_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A session that nobody calls on ends, too, when what FindIssuer said of its issuer counts no
// longer because the next question does not return: it would live for as long as that hangs.
func TestFindIssuer_IdleSessionWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{})
		var hangs atomic.Bool
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: func(context.Context, string) ([]oidcauth.Issuer, error) {
				if hangs.Load() {
					time.Sleep(time.Hour)
				}
				return []oidcauth.Issuer{described}, nil
			},
			Client: issuer.Client(),
		})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})))
		hangs.Store(true)
		began := time.Now()
		time.Sleep(10*time.Minute - time.Second)
		if err := s.Context().Err(); err != nil {
			t.Fatalf("after %v: %v", time.Since(began), context.Cause(s.Context()))
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		expectEnd(t, s, oidcauth.ErrKeysUnavailable)
		hangs.Store(false)
		time.Sleep(time.Hour) // until the question has returned
		authenticate(t, a, issuer.Token(nil))
	})
}
