package oidcauth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A session that NewSession did not make has ended, and one whose Authenticator is
// closed stays so.
func TestSession_NotMade(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	c := authenticate(t, a, token)
	live, closed := a.NewSession(t.Context(), c), a.NewSession(t.Context(), c)
	closed.Close()
	if !panics(func() { live.OnExpiring(time.Second, nil) }) {
		t.Error("nobody says at once that there is nothing to call")
	}
	a.Close()
	for name, s := range map[string]*oidcauth.Session{
		"zero": new(oidcauth.Session), "nil": nil, "closed": closed, "of a closed Authenticator": live, "begun after Close": a.NewSession(t.Context(), c),
		"of an Authenticator that New did not make": new(oidcauth.Authenticator).NewSession(t.Context(), c),
	} {
		s.OnExpiring(time.Hour, func() { t.Errorf("%s: OnExpiring calls", name) })
		_, err := s.Renew(t.Context(), token)
		for _, err := range []error{err, context.Cause(s.Context()), context.Cause(s.CallContext())} {
			if !errors.Is(err, oidcauth.ErrClosed) {
				t.Errorf("%s: error = %v, want %v", name, err, oidcauth.ErrClosed)
			}
		}
		if _, ok := oidcauth.FromContext(s.CallContext()); ok || s.Nonce() != "" {
			t.Errorf("%s: somebody is known", name)
		}
		if made := name != "zero" && name != "nil"; (s.Claims() != nil) != made {
			t.Errorf("%s: Claims() = %v", name, s.Claims())
		}
		s.Close()
	}
}
