package oidcauth_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A token that is revoked when it was judged already, and before the session lives by
// it, does not renew it: the session stays with the one that it had.
func TestSession_Renew_RevokedMeanwhile(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1"})))
	defer s.Close()
	next := issuer.Token(map[string]any{"jti": "token-2"})
	renewed := make(chan error)
	s.Held(func() {
		go func() {
			_, err := s.Renew(t.Context(), next)
			renewed <- err
		}()
		awaitLock("oidcauth.(*Session).tryToLiveBy")
		revoke(t, a, oidcauth.Revocation{TokenID: "token-2"})
	})
	if err := <-renewed; !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Renew() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if err := s.Context().Err(); err != nil || s.Claims().TokenID() != "token-1" {
		t.Errorf("the session lives by %q, %v, want token-1", s.Claims().TokenID(), err)
	}
}

// awaitLock returns when some goroutine waits for a lock in that function.
func awaitLock(function string) {
	stacks := make([]byte, 8<<20)
	for {
		for goroutine := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if head, frames, _ := strings.Cut(goroutine, "\n"); strings.Contains(head, "sync.Mutex.Lock") && strings.Contains(frames, function+"(") {
				return
			}
		}
		runtime.Gosched()
	}
}
