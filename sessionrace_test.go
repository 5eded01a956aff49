package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Whoever looks at a session while it is renewed sees one token or another, and
// never parts of two.
func TestSession_RenewRace(t *testing.T) {
	const renewals = 1000
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	tokens := make([]string, renewals)
	for i := range tokens {
		n := strconv.Itoa(i)
		tokens[i] = issuer.Token(map[string]any{"jti": n, "sid": n, "scope": n, "exp": time.Now().Add(time.Hour + time.Duration(i)*time.Second).Unix()})
	}
	s := a.NewSession(t.Context(), authenticate(t, a, tokens[0]))
	consistent := func(c *oidcauth.Claims) bool {
		i, err := strconv.Atoi(c.TokenID())
		return err == nil && c.SessionID() == c.TokenID() && c.HasScope(c.TokenID()) &&
			string(c.Payload()) != "" && c.Expiry().Sub(c.IssuedAt()) >= time.Duration(i)*time.Second
	}
	var wg sync.WaitGroup
	for i := range renewals {
		wg.Go(func() {
			if c, err := s.Renew(t.Context(), tokens[i]); err != nil || c.TokenID() != strconv.Itoa(i) {
				t.Errorf("Renew() = %v, %v", c, err)
			}
		})
		wg.Go(func() {
			ctx := s.CallContext()
			c, ok := oidcauth.FromContext(ctx)
			again, _ := oidcauth.FromContext(ctx)
			if !ok || c != again || !consistent(c) || !consistent(s.Claims()) {
				t.Errorf("a call acts for %v", c)
			}
		})
	}
	wg.Wait()
	if live, _, instants := a.SessionCounts(); live != 1 || instants != 1 || s.Context().Err() != nil {
		t.Errorf("%d sessions and %d instants after all renewals, want one", live, instants)
	}
	revoke(t, a, oidcauth.Revocation{TokenID: s.Claims().TokenID()})
	if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
		t.Errorf("cause = %v after the current token was revoked, want %v", context.Cause(s.Context()), oidcauth.ErrRevoked)
	}
}

// However sessions begin, are renewed and end at once, none is missed: after a
// revocation has returned no session under what it revokes is alive.
func TestSession_RevokeRace(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for round := range 100 {
		login := fmt.Sprintf("login-%d", round)
		c := authenticate(t, a, issuer.Token(map[string]any{"sid": login}))
		plain := authenticate(t, a, issuer.Token(nil))
		token := issuer.Token(map[string]any{"sid": login, "jti": login})
		var wg sync.WaitGroup
		var mu sync.Mutex // guards sessions
		var sessions []*oidcauth.Session
		for range 4 {
			wg.Go(func() {
				fresh, renewed := a.NewSession(t.Context(), c), a.NewSession(t.Context(), plain)
				_, err := renewed.Renew(t.Context(), token)
				mu.Lock()
				defer mu.Unlock()
				sessions = append(sessions, fresh)
				if err == nil {
					sessions = append(sessions, renewed)
				} else {
					renewed.Close()
				}
			})
		}
		wg.Go(func() { revoke(t, a, oidcauth.Revocation{SessionID: login}) })
		wg.Wait()
		for _, s := range sessions {
			if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
				t.Fatalf("round %d: cause = %v, want %v", round, context.Cause(s.Context()), oidcauth.ErrRevoked)
			}
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// Sessions need no goroutine, and leave nothing behind.
func TestSession_Leak(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1", "sid": "login-1"}))
	before := runtime.NumGoroutine()
	sessions := make([]*oidcauth.Session, 10_000)
	for i := range sessions {
		sessions[i] = a.NewSession(t.Context(), c)
		sessions[i].OnExpiring(time.Minute, func() {})
	}
	if after := runtime.NumGoroutine(); after > before+10 {
		t.Errorf("%d goroutines for %d sessions", after-before, len(sessions))
	}
	for _, s := range sessions[:len(sessions)/2] {
		s.Close()
	}
	revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
	for i, s := range sessions {
		if s.Context().Err() == nil {
			t.Fatalf("session %d is alive", i)
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// Every sentinel has a close code, with a reason short enough for a WebSocket.
func TestCloseCode(t *testing.T) {
	const unauthorized, forbidden, goingAway, tryAgain, internal = 3000, 3003, 1001, 1013, 1011
	want := map[error]int{
		oidcauth.ErrNoToken: unauthorized, oidcauth.ErrMalformedRequest: unauthorized,
		oidcauth.ErrMalformedToken: unauthorized, oidcauth.ErrUnknownIssuer: unauthorized,
		oidcauth.ErrAlgorithm: unauthorized, oidcauth.ErrUnknownKey: unauthorized,
		oidcauth.ErrSignature: unauthorized, oidcauth.ErrExpired: unauthorized,
		oidcauth.ErrNotYetValid: unauthorized, oidcauth.ErrIssuedInFuture: unauthorized,
		oidcauth.ErrClaim: unauthorized, oidcauth.ErrAudience: unauthorized,
		oidcauth.ErrTokenType: unauthorized, oidcauth.ErrRule: unauthorized,
		oidcauth.ErrRevoked: unauthorized, oidcauth.ErrForbidden: forbidden,
		oidcauth.ErrOrigin: forbidden, oidcauth.ErrIdentityMismatch: forbidden,
		oidcauth.ErrKeysUnavailable: tryAgain, oidcauth.ErrRevocationsUnavailable: tryAgain,
		oidcauth.ErrClosed: goingAway, errors.New("of the program"): internal,
	}
	for err, code := range want {
		refusal := &oidcauth.Refusal{Check: "a check", Got: "something long and secret", Err: fmt.Errorf("%w: for a reason", err)}
		got, reason := oidcauth.CloseCode(refusal)
		if got != code || reason == "" || len(reason) > 123 || len(reason) > 60 {
			t.Errorf("CloseCode(%v) = %d %q, want %d and a short reason", err, got, reason, code)
		}
		status, _, description := oidcauth.Answer(refusal)
		if reason != description || (status == http.StatusInternalServerError) != (code == internal) {
			t.Errorf("CloseCode(%v) says %q, Answer %d %q", err, reason, status, description)
		}
	}
}
