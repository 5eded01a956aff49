package oidcauth_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A diary keeps what hooks were told, one line each.
type diary struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (d *diary) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, text)
}

func (d *diary) session(name string) func(authtrace.Session) {
	return func(s authtrace.Session) {
		d.note(strings.TrimSpace(fmt.Sprint(name, " ", s.Live, " ", s.At.Sub(s.Started), " ", s.Issuer, " ", s.Outcome)))
	}
}

func (d *diary) hooks() *authtrace.Hooks {
	return &authtrace.Hooks{
		SessionStarted: d.session("started"), SessionRenewed: d.session("renewed"), SessionEnded: d.session("ended"),
		Revoked: func(r authtrace.Revocation) { d.note("revoked " + r.By + " " + r.Issuer) },
	}
}

// What is told of a token that a session was to be renewed with is what Renew says.
func TestTrace_DecidedRenewal(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	var w witness
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Trace: &authtrace.Hooks{Decided: w.decided}})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
	for _, tt := range []struct{ subject, want string }{{"alice", authtrace.Accepted}, {"bob", "identity_mismatch"}} {
		_, err := s.Renew(t.Context(), issuer.Token(map[string]any{"sub": tt.subject, "jti": tt.subject}))
		if w.last.Outcome != tt.want || (err == nil) != (tt.want == authtrace.Accepted) || w.last.Status == 200 != (err == nil) {
			t.Errorf("the token of %s: %+v, and Renew() error = %v", tt.subject, w.last, err)
		}
	}
}

// Sessions are told of from their beginning to their end, with how many live, and so
// are revocations.
func TestTrace_Sessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://i.test"})
		trusted.Aliases = []string{"alias"}
		var d diary
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Trace: d.hooks()})
		one := authenticate(t, a, issuer.Token(map[string]any{"jti": "1", "sid": "s"}))
		first, second := a.NewSession(t.Context(), one), a.NewSession(t.Context(), one)
		time.Sleep(time.Minute)
		if _, err := first.Renew(t.Context(), issuer.Token(map[string]any{"jti": "2"})); err != nil {
			t.Fatal(err)
		}
		if _, err := first.Renew(t.Context(), issuer.Token(map[string]any{"sub": "bob"})); err == nil {
			t.Fatal("renewed by another's token")
		}
		revoke(t, a, oidcauth.Revocation{Issuer: "alias", SessionID: "s"})
		revoke(t, a, oidcauth.Revocation{Issuer: "alias", SessionID: "s"}) // is nothing new
		expectEnd(t, second, oidcauth.ErrRevoked)
		a.NewSession(t.Context(), one).Close() // never lived
		first.Close()
		first.Close()
		third := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		time.Sleep(2 * time.Hour)
		expectEnd(t, third, oidcauth.ErrExpired)
		revoke(t, a, oidcauth.Revocation{IssuedBefore: time.Now()})
		a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"iat": time.Now().Add(time.Second).Unix()})))
		a.Close()
		want := []string{
			"started 1 0s https://i.test", "started 2 0s https://i.test", "renewed 2 1m0s https://i.test",
			"ended 1 1m0s https://i.test revoked", "revoked session https://i.test",
			"ended 0 1m0s https://i.test closed",
			"started 1 0s https://i.test", "ended 0 1h0m30s https://i.test expired",
			"revoked time ",
			"started 1 0s https://i.test", "ended 0 0s https://i.test closed",
		}
		if !slices.Equal(d.lines, want) {
			t.Errorf("told\n%s\nwant\n%s", strings.Join(d.lines, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A hook that hangs holds up neither a revocation nor the end of a session, nor the
// keys that leave their set.
func TestTrace_SlowHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		hang := make(chan struct{})
		wait := func() { <-hang }
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: true,
			Trace: &authtrace.Hooks{
				KeysFetched:    func(authtrace.KeyFetch) { wait() },
				KeysState:      func(authtrace.KeyState) { wait() },
				SessionStarted: func(authtrace.Session) { wait() },
				SessionEnded:   func(authtrace.Session) { wait() },
				Revoked:        func(authtrace.Revocation) { wait() },
			},
		})
		start := time.Now()
		var sessions []*oidcauth.Session
		for n := range 100 {
			sessions = append(sessions, a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"jti": fmt.Sprint(n)}))))
		}
		revoke(t, a, oidcauth.Revocation{TokenID: "0"})
		expectEnd(t, sessions[0], oidcauth.ErrRevoked)
		issuer.Replace()
		authenticate(t, a, issuer.Token(nil))
		for _, s := range sessions[1:] {
			expectEnd(t, s, oidcauth.ErrUnknownKey)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("all that took %v, want no time", took)
		}
		a.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close() returned after %v, want a second", took)
		}
		close(hang)
	})
}

// A session that nobody observes bears no memory for it.
func TestTrace_SessionsAtNoCost(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cost := func(trace *authtrace.Hooks) float64 {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Trace: trace})
		c := authenticate(t, a, issuer.Token(nil))
		ctx := t.Context()
		return testing.AllocsPerRun(1000, func() { a.NewSession(ctx, c).Close() })
	}
	without, with := cost(nil), cost(&authtrace.Hooks{KeysFetched: func(authtrace.KeyFetch) {}})
	if observed := cost(&authtrace.Hooks{SessionEnded: func(authtrace.Session) {}}); with != without || observed <= without {
		t.Errorf("%v allocations with hooks of others, %v without any, %v observed, want as many, and then more", with, without, observed)
	}
}
