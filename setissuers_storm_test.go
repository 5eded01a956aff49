package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A stormIssuer is one of many that come and go.
type stormIssuer struct {
	*oidctest.Issuer
	described oidcauth.Issuer

	mu       sync.Mutex // guards what follows
	there    bool
	version  int // of what is said of it; odd while that changes
	role     string
	token    string // that is good while the issuer is there
	number   int    // of the token
	revoked  []string
	accepted int
}

func (i *stormIssuer) change(do func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.version++
	if do != nil {
		do()
	}
}

// issue makes the token of before a former one.
func (i *stormIssuer) issue() {
	i.number++
	i.token = i.Token(map[string]any{
		"aud": testAudience, "sub": "alice", "jti": fmt.Sprint(i.URL(), "#", i.number),
		"one": "one", "two": "two", "exp": time.Now().Add(100 * time.Hour),
	})
}

// An issuerStorm is issuers that come and go while their tokens are used.
type issuerStorm struct {
	*testing.T
	auth     *oidcauth.Authenticator
	issuers  []*stormIssuer
	sessions []*oidcauth.Session
	verdicts atomic.Int64
}

// check has one token judged. What is said of the issuer must not have changed
// meanwhile, or the verdict may be that of before or that of afterwards.
func (s *issuerStorm) check(r *rand.Rand) {
	i := s.issuers[r.IntN(len(s.issuers))]
	i.mu.Lock()
	there, version, role, token := i.there, i.version, i.role, i.token
	old := ""
	if len(i.revoked) > 0 {
		old = i.revoked[r.IntN(len(i.revoked))]
	}
	i.mu.Unlock()
	c, err := s.auth.Authenticate(context.Background(), token)
	if old != "" {
		if _, err := s.auth.Authenticate(context.Background(), old); err == nil {
			s.Errorf("%s: a revoked token was accepted", i.URL())
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.version != version || version%2 == 1 {
		return
	}
	s.verdicts.Add(1)
	switch {
	case there && err != nil:
		s.Errorf("%s: a good token was refused: %v", i.URL(), err)
	case there && !c.HasRole(role):
		s.Errorf("%s: accepted with the roles of before", i.URL())
	case !there && !errors.Is(err, oidcauth.ErrUnknownIssuer):
		s.Errorf("%s: it was removed, and the error is %v", i.URL(), err)
	case there:
		i.accepted++
	}
}

// round changes some issuers, and looks at once what has become of the sessions.
func (s *issuerStorm) round(r *rand.Rand, share float64) {
	var changed []*stormIssuer
	var list []oidcauth.Issuer
	var done []func()
	for _, i := range s.issuers {
		there, role, described := i.there, i.role, i.described
		revoke := false
		if r.Float64() < share {
			switch what := r.IntN(4); {
			case !there:
				there = true
			case what == 0:
				there = false
			case what == 1:
				revoke, there = true, false
			default:
				role = map[string]string{"one": "two", "two": "one"}[role]
				described.Roles = []oidcauth.Path{{role}}
			}
			changed = append(changed, i)
			i.change(nil)
			done = append(done, func() {
				i.there, i.role, i.described = there, role, described
				if revoke {
					i.revoked = append(i.revoked, i.token)
					i.issue()
				}
			})
		}
		if revoke {
			revokeToken(s.T, s.auth, i)
		}
		if there {
			list = append(list, described)
		}
	}
	r.Shuffle(len(list), func(a, b int) { list[a], list[b] = list[b], list[a] })
	setIssuers(s, s.auth, list...)
	for n, i := range changed {
		i.change(done[n])
	}
	s.look()
}

func revokeToken(t *testing.T, a *oidcauth.Authenticator, i *stormIssuer) {
	t.Helper()
	revoke(t, a, oidcauth.Revocation{Issuer: i.URL(), TokenID: fmt.Sprint(i.URL(), "#", i.number)})
}

// look compares the sessions with what is said of their issuers, and begins those that
// are missing.
func (s *issuerStorm) look() {
	for n, i := range s.issuers {
		live := s.sessions[n] != nil && s.sessions[n].Context().Err() == nil
		switch {
		case live && !i.there:
			s.Errorf("%s: it was removed, and its session is alive", i.URL())
		case live && !s.sessions[n].Claims().HasRole(i.role):
			s.Errorf("%s: its session has the roles of before", i.URL())
		case !live && i.there:
			if s.sessions[n] != nil {
				if cause := context.Cause(s.sessions[n].Context()); !errors.Is(cause, oidcauth.ErrUnknownIssuer) && !errors.Is(cause, oidcauth.ErrRevoked) {
					s.Errorf("%s: its session ended with %v", i.URL(), cause)
				}
			}
			s.sessions[n] = s.auth.NewSession(context.Background(), authenticate(s, s.auth, i.token))
			if cause := context.Cause(s.sessions[n].Context()); cause != nil {
				s.Errorf("%s: a new session ended with %v", i.URL(), cause)
			}
		}
	}
}

// A thousand issuers, each with a session, come and go under load: no good token is
// refused, none of a removed one accepted, nothing revived, nothing left behind.
func TestSetIssuers_Storm(t *testing.T) {
	count, rounds := 1000, 5
	if testing.Short() {
		count = 100
	}
	synctest.Test(t, func(t *testing.T) {
		s := &issuerStorm{T: t, sessions: make([]*oidcauth.Session, count)}
		var all []*oidctest.Issuer
		for n := range count {
			i := &stormIssuer{Issuer: oidctest.NewIssuer(t, oidctest.Config{URL: fmt.Sprintf("https://issuer-%d.test", n)}), role: "one"}
			i.described = oidcauth.Issuer{URL: i.URL(), Audiences: []string{testAudience}, Roles: []oidcauth.Path{{"one"}}}
			i.issue()
			all, s.issuers = append(all, i.Issuer), append(s.issuers, i)
		}
		lasting, trusted := newIssuer(t, oidctest.Config{URL: "https://lasting.test"})
		s.auth = newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(append(all, lasting)...)})
		refuses(t, s.auth, lasting.Token(nil), nil)
		synctest.Wait()
		goroutines := bubbleGoroutines(t)

		stop := make(chan struct{})
		var wg sync.WaitGroup
		r := rand.New(rand.NewPCG(1, 2))
		s.round(r, 1)
		for n := range 4 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(n), 3))
				for {
					select {
					case <-stop:
						return
					default:
						s.check(r)
					}
				}
			})
		}
		for range rounds {
			s.round(r, 0.2)
		}
		close(stop)
		wg.Wait()

		setIssuers(t, s.auth, trusted)
		for n := range s.issuers {
			if session := s.sessions[n]; session != nil {
				expectGone(t, session)
			}
		}
		if live, _, _ := s.auth.SessionCounts(); live != 0 {
			t.Errorf("%d sessions are left", live)
		}
		refuses(t, s.auth, lasting.Token(nil), nil)
		synctest.Wait()
		if n := bubbleGoroutines(t); n > goroutines {
			t.Errorf("%d goroutines, %d before", n, goroutines)
		}
		accepted := 0
		for _, i := range s.issuers {
			accepted += i.accepted
		}
		t.Logf("%d verdicts, %d of them good", s.verdicts.Load(), accepted)
		if accepted == 0 || int(s.verdicts.Load()) == accepted {
			t.Errorf("%d of %d verdicts were good: want some, and not all", accepted, s.verdicts.Load())
		}
	})
}

// expectGone checks that a session ended with its issuer, or before.
func expectGone(t *testing.T, s *oidcauth.Session) {
	t.Helper()
	if cause := context.Cause(s.Context()); !errors.Is(cause, oidcauth.ErrUnknownIssuer) && !errors.Is(cause, oidcauth.ErrRevoked) {
		t.Errorf("session ended with %v", cause)
	}
}

// Memory does not grow with the number of changes: what is let go of is garbage.
func TestSetIssuers_LeavesNothing(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	trusted.Keys.JWKS = issuer.KeySet()
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	token := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour)})
	cycle := func(times int) uint64 {
		for n := range times {
			list := []oidcauth.Issuer{trusted}
			list[0].Roles = []oidcauth.Path{{fmt.Sprint("roles", n)}}
			if n%2 == 0 {
				list[0].Name = "a"
				other := list[0]
				other.Name = "b"
				list = append(list, other)
			}
			setIssuers(t, a, list...)
			s := a.NewSession(t.Context(), authenticate(t, a, token))
			if n%50 != 0 {
				s.Close()
			}
		}
		setIssuers(t, a, trusted)
		setIssuers(t, a)
		setIssuers(t, a, trusted)
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := cycle(100)
	after := cycle(2000)
	if after > before+1<<20 {
		t.Errorf("%d bytes after 2000 changes, %d after 100", after, before)
	}
	if live, _, _ := a.SessionCounts(); live != 0 {
		t.Errorf("%d sessions are left", live)
	}
}

// Everything that reads the issuers may be called while they change, and while the
// Authenticator is closed.
func TestSetIssuers_Concurrent(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://issuer.test"})
	other, trustedToo := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	for range 20 {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, other)})
		token := issuer.Token(nil)
		claims := authenticate(t, a, token)
		var wg sync.WaitGroup
		run := func(do func(n int)) {
			wg.Go(func() {
				for n := range 20 {
					do(n)
				}
			})
		}
		ctx := t.Context()
		for range 2 {
			run(func(n int) {
				changed := trusted
				changed.Roles = []oidcauth.Path{{fmt.Sprint(n)}}
				_ = a.SetIssuers([][]oidcauth.Issuer{{changed}, {trusted, trustedToo}, {trustedToo}}[n%3]...)
			})
		}
		run(func(int) { _, _ = a.Authenticate(ctx, token) })
		run(func(int) { a.NewSession(ctx, claims).CallContext() })
		run(func(int) {
			s := a.NewSession(ctx, claims)
			_, _ = s.Renew(ctx, token)
			s.Close()
		})
		run(func(int) { _ = a.Ready(ctx); a.Unready() })
		run(func(int) { _, _ = a.Keys(ctx, trustedToo.URL) })
		run(func(int) { a.Explain(ctx, token) })
		run(func(n int) { _ = a.Revoke(ctx, oidcauth.Revocation{Issuer: trusted.URL, TokenID: fmt.Sprint(n)}) })
		run(func(int) { _, _ = a.UnverifiedClaims(claims.Payload(), nil) })
		wg.Go(func() {
			issuer.Rotate()
			runtime.Gosched()
			a.Close()
		})
		wg.Wait()
		if _, err := a.Authenticate(ctx, token); !errors.Is(err, oidcauth.ErrClosed) && !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("Authenticate() after Close() error = %v", err)
		}
		if live, _, _ := a.SessionCounts(); live != 0 {
			t.Errorf("%d sessions are left", live)
		}
	}
}
