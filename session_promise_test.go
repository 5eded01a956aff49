package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// expectRevoked checks that at this moment no session lives by revoked claims.
func expectRevoked(t *testing.T, when string, sessions []*oidcauth.Session, revoked func(*oidcauth.Claims) bool) {
	t.Helper()
	for i, s := range sessions {
		// The claims first: a session that is renewed has other ones afterwards.
		if c := s.Claims(); revoked(c) && s.Context().Err() == nil {
			t.Fatalf("%s: session %d lives by token %q, which is revoked", when, i, c.TokenID())
		}
	}
}

// When a revocation returns, no session lives by what it revokes, not for a moment:
// neither one that began or was renewed meanwhile.
func TestRevoke_EndsBeforeItReturns(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	plain := authenticate(t, a, issuer.Token(nil))
	for round := range 200 {
		login := fmt.Sprintf("login-%d", round)
		token := issuer.Token(map[string]any{"sid": login, "jti": login})
		c := authenticate(t, a, token)
		renewed := make([]*oidcauth.Session, 8)
		for i := range renewed {
			renewed[i] = a.NewSession(t.Context(), plain)
		}
		var mu sync.Mutex // guards begun
		var begun []*oidcauth.Session
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for _, s := range renewed {
			wg.Go(func() {
				<-begin
				s.Renew(t.Context(), token)
			})
			wg.Go(func() {
				<-begin
				s := a.NewSession(t.Context(), c)
				mu.Lock()
				defer mu.Unlock()
				begun = append(begun, s)
			})
		}
		close(begin)
		revoke(t, a, oidcauth.Revocation{SessionID: login})
		expectRevoked(t, "renewed meanwhile", renewed, func(c *oidcauth.Claims) bool { return c.SessionID() == login })
		wg.Wait()
		expectRevoked(t, "begun meanwhile", begun, func(*oidcauth.Claims) bool { return true })
		for _, s := range renewed {
			if lives := s.Context().Err() == nil; lives != (s.Claims() == plain) {
				t.Fatalf("round %d: alive = %t under %q", round, lives, s.Claims().TokenID())
			}
			s.Close()
		}
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
}

// Two calls may revoke the same at once. Each has ended all when it returns, also
// the one that finds nothing to add.
func TestRevoke_TwiceAtOnce(t *testing.T) {
	t.Parallel()
	const many = 20_000
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for name, second := range map[string]oidcauth.Revocation{
		"the same":      {Subject: "alice"},
		"a part of it":  {Subject: "alice", IssuedBefore: time.Now().Add(time.Hour)},
		"another of it": {Subject: "alice", Issuer: issuer.URL()},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			c := authenticate(t, a, issuer.Token(nil))
			sessions := make([]*oidcauth.Session, many)
			for i := range sessions {
				sessions[i] = a.NewSession(t.Context(), c)
			}
			until := time.Now().Add(time.Hour)
			var wg sync.WaitGroup
			wg.Go(func() { revoke(t, a, oidcauth.Revocation{Subject: "alice", Until: until}) })
			for a.RevocationCount() == 0 {
			}
			second.Until = until
			revoke(t, a, second)
			expectRevoked(t, "after the second", sessions, func(*oidcauth.Claims) bool { return true })
			wg.Wait()
			if live, _, _ := a.SessionCounts(); live != 0 {
				t.Errorf("%d sessions are left", live)
			}
		})
	}
}

// A key may get another name while sessions live under it. They end if that name
// is revoked, as their tokens are refused from then on.
func TestSession_KeyRenamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		revoked string
		want    error
	}{
		{"the new name is revoked", "new", oidcauth.ErrRevoked},
		{"another name is revoked", "other", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				k := issuer.Key()
				issuer.SignWith(k.WithID("")) // a token that names its key ends with the name
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				token := issuer.Token(map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()})
				s := a.NewSession(t.Context(), authenticate(t, a, token))
				defer s.Close()
				revoke(t, a, oidcauth.Revocation{KeyID: tt.revoked})
				expectEnd(t, s, nil)
				issuer.RemoveKeys()
				issuer.Publish(k.WithID("new"))
				time.Sleep(24 * time.Hour)
				expectEnd(t, s, tt.want)
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
					t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
				}
			})
		})
	}
}

// A session that a ticket began ends with that of the ticket's token: when the key has
// another name, if the token names its key, and not else.
func TestSession_KeyRenamedUnderTicket(t *testing.T) {
	t.Parallel()
	for name, named := range map[string]bool{"a token with key ID": true, "a token without": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCounter(t)
				k := c.Issuer.Key()
				if !named {
					c.Issuer.SignWith(k.WithID(""))
				}
				token := c.Issuer.Token(map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix()})
				claims, err := c.Use(c.Buy(token, anywhere), anywhere)
				if err != nil {
					t.Fatal(err)
				}
				sessions := []*oidcauth.Session{c.Auth.NewSession(t.Context(), c.Claims(token)), c.Auth.NewSession(t.Context(), claims)}
				c.Issuer.RemoveKeys()
				renamed := k.WithID("new")
				c.Issuer.Publish(renamed)
				c.Issuer.SignWith(renamed)
				time.Sleep(time.Minute)
				c.Claims(c.Issuer.Token(nil)) // for its key the issuer is asked at once
				synctest.Wait()
				for i, s := range sessions {
					if ended := s.Context().Err() != nil; ended != named {
						t.Errorf("session %d has ended: %t, want %t (%v)", i, ended, named, context.Cause(s.Context()))
					}
				}
				c.Auth.Close()
			})
		})
	}
}

// What happens after claims were found good, and before a session lives by them,
// keeps it from doing so.
func TestNewSession_RevokedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		between func(*testing.T, *oidcauth.Authenticator)
		want    bool
	}{
		{"nothing", func(*testing.T, *oidcauth.Authenticator) {}, true},
		{"the token is revoked", func(t *testing.T, a *oidcauth.Authenticator) { revoke(t, a, oidcauth.Revocation{TokenID: "token-1"}) }, false},
		{"another is revoked", func(t *testing.T, a *oidcauth.Authenticator) { revoke(t, a, oidcauth.Revocation{TokenID: "token-2"}) }, true},
		{"the Authenticator is closed", func(_ *testing.T, a *oidcauth.Authenticator) { a.Close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			c := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1"}))
			if got := a.EnterAfter(c, func() { tt.between(t, a) }); got != tt.want {
				t.Errorf("the session lives = %t, want %t", got, tt.want)
			}
		})
	}
}

// Sessions under one token share what they live by, and each has its own life.
func TestSession_OneTokenManySessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 200 // more than are ended at a time
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
		c := authenticate(t, a, issuer.Token(map[string]any{"jti": "first"}))
		second := issuer.Token(map[string]any{"jti": "second", "exp": time.Now().Add(2 * time.Hour).Unix()})
		var sessions []*oidcauth.Session
		for range many {
			sessions = append(sessions, a.NewSession(t.Context(), c))
		}
		closed, renewed, rest := sessions[0], sessions[many/2], sessions[1]
		closed.Close()
		if _, err := renewed.Renew(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, closed, oidcauth.ErrClosed)
		expectEnd(t, rest, nil)
		if live, _, instants := a.SessionCounts(); live != many-1 || instants != 2 {
			t.Errorf("%d sessions and %d instants, want %d and 2", live, instants, many-1)
		}
		time.Sleep(time.Until(c.Expiry()))
		synctest.Wait()
		for i, s := range sessions {
			if want := s == renewed; want != (s.Context().Err() == nil) {
				t.Errorf("session %d: alive = %t, want %t", i, !want, want)
			}
		}
		expectEnd(t, rest, oidcauth.ErrExpired)
		if live, _, instants := a.SessionCounts(); live != 1 || instants != 1 {
			t.Errorf("%d sessions and %d instants, want 1 and 1", live, instants)
		}
		// A session of a token that ended may begin under another one.
		again := a.NewSession(t.Context(), renewed.Claims())
		revoke(t, a, oidcauth.Revocation{TokenID: "second"})
		expectEnd(t, renewed, oidcauth.ErrRevoked)
		expectEnd(t, again, oidcauth.ErrRevoked)
		if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
			t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
		}
	})
}

// A rule that panics leaves nothing behind in the index.
func TestNewSession_RulePanics(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	panics := false
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
		if panics {
			panic("rule")
		}
		return nil
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(nil))
	panics = true
	if cause := context.Cause(a.NewSession(t.Context(), c).Context()); !errors.Is(cause, oidcauth.ErrAnswerUnavailable) {
		t.Errorf("cause = %v, want %v", cause, oidcauth.ErrAnswerUnavailable)
	}
	if live, lists, instants := a.SessionCounts(); live+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", live, lists, instants)
	}
	panics = false
	s := a.NewSession(t.Context(), c)
	if s.Context().Err() != nil {
		t.Errorf("cause = %v", context.Cause(s.Context()))
	}
	s.Close()
}

// While revocations end some and look in vain for others, sessions begin, are
// renewed, called and closed under a thousand tokens. In the end the dead are dead
// for the reason there is, and the others live.
func TestSession_Turmoil(t *testing.T) {
	t.Parallel()
	const tokens, each, subjects = 500, 4, 5
	issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "EdDSA"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	subject := func(i int) string { return fmt.Sprintf("user-%d", i%subjects) }
	raw := make([]string, tokens)
	for i := range raw {
		raw[i] = issuer.Token(map[string]any{"jti": fmt.Sprintf("token-%d", i), "sub": subject(i)})
	}
	gone := func(c *oidcauth.Claims) bool { return c.Subject() == subject(0) || c.TokenID() == "token-1" }
	sessions := make([][]*oidcauth.Session, tokens)
	var wg sync.WaitGroup
	for i := range raw {
		wg.Go(func() {
			c, err := a.Authenticate(t.Context(), raw[i])
			for err == nil && len(sessions[i]) < each {
				s := a.NewSession(t.Context(), c)
				s.CallContext()
				sessions[i] = append(sessions[i], s)
			}
			if err == nil {
				sessions[i][0].Close()
				sessions[i][1].Renew(t.Context(), raw[(i+subjects)%tokens])
			}
		})
	}
	for _, r := range []oidcauth.Revocation{
		{Subject: subject(0)}, {TokenID: "token-1"}, {Subject: "nobody"}, {IssuedBefore: time.Now().Add(-time.Hour)},
		{KeyID: "none"}, {Issuer: issuer.URL(), IssuedBefore: time.Now().Add(-time.Hour)},
	} {
		wg.Go(func() { revoke(t, a, r) })
	}
	wg.Wait()
	live := 0
	for i := range sessions {
		for n, s := range sessions[i] {
			cause := context.Cause(s.Context())
			switch {
			case n == 0 && cause != nil: // closed or revoked before
			case gone(s.Claims()) && errors.Is(cause, oidcauth.ErrRevoked):
			case !gone(s.Claims()) && cause == nil:
				live++
			default:
				t.Errorf("session %d of token %d: cause = %v under %s of %s", n, i, cause, s.Claims().TokenID(), s.Claims().Subject())
			}
		}
	}
	if got, _, _ := a.SessionCounts(); got != live || live == 0 {
		t.Errorf("%d sessions are known to be alive, want %d", got, live)
	}
	a.Close()
	if left, lists, instants := a.SessionCounts(); left+lists+instants != 0 {
		t.Errorf("%d sessions, %d lists, %d instants are left", left, lists, instants)
	}
}

// Where a revocation ends very many tokens' sessions, several share the work.
func TestRevoke_ManyTokens(t *testing.T) {
	t.Parallel()
	const many = 1500
	issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "EdDSA"})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	sessions := make([]*oidcauth.Session, many)
	for i := range sessions {
		c := authenticate(t, a, issuer.Token(map[string]any{"jti": fmt.Sprint(i)}))
		sessions[i] = a.NewSession(t.Context(), c)
	}
	bob := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"sub": "bob"})))
	if live, _, _ := a.SessionCounts(); live != many+1 {
		t.Errorf("%d sessions live, want %d", live, many+1)
	}
	// Whoever looks for them holds up others for one part of the index at a time.
	if most := a.LargestShard(); most > many/10 {
		t.Errorf("one part of the index has %d of %d grants", most, many)
	}
	revoke(t, a, oidcauth.Revocation{Subject: "alice"})
	expectRevoked(t, "after the revocation", sessions, func(*oidcauth.Claims) bool { return true })
	if live, _, _ := a.SessionCounts(); live != 1 || bob.CallContext().Err() != nil {
		t.Errorf("%d sessions live, want one; bob's has error %v", live, bob.Context().Err())
	}
}

// Sessions under the same token share what finds them: each takes little more than
// its context does.
func TestSession_MemoryOfOneToken(t *testing.T) {
	const many, limit = 20_000, 250
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1", "sid": "login"}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sessions := make([]*oidcauth.Session, many)
	before := heapInUse()
	for i := range sessions {
		sessions[i] = a.NewSession(ctx, c)
	}
	got := (int64(heapInUse()) - int64(before)) / many
	if got <= 0 || got > limit {
		t.Errorf("%d bytes for each session, want at most %d", got, limit)
	}
	t.Logf("%d bytes for each session", got)

	for _, s := range sessions[1:] {
		s.Close()
	}
	clear(sessions[1:])
	const rest = 16 << 10
	if left := int64(heapInUse()) - int64(before); left > rest {
		t.Errorf("%d bytes are left when one session is, want at most %d", left, rest)
	}
	if sessions[0].Context().Err() != nil {
		t.Error("the session that is left has ended")
	}
	runtime.KeepAlive(sessions)
}
