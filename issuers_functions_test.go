package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/oidctest"
)

// withFunctions makes a description of each look-up, with functions that are new each
// time, as a program's own table does.
func withFunctions(described oidcauth.Issuer, rule oidcauth.Rule, supplement func() (string, error)) func(context.Context, string) ([]oidcauth.Issuer, error) {
	return func(context.Context, string) ([]oidcauth.Issuer, error) {
		d := described
		if rule != nil {
			d.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error { return rule(c) }}
		}
		if supplement != nil {
			d.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				text, err := supplement()
				return json.RawMessage(text), err
			}
		}
		return []oidcauth.Issuer{d}, nil
	}
}

// A description that says the same but for its functions is the same: its answers
// count for as long as they are said to, and an outage of whoever is asked refuses
// nobody meanwhile.
func TestFindIssuer_FunctionsKeepAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.AnswerAge, described.Roles = time.Hour, []oidcauth.Path{{"groups"}}
		var asked atomic.Int32
		var down atomic.Bool
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), FindIssuer: withFunctions(described, nil, func() (string, error) {
			asked.Add(1)
			if down.Load() {
				return "", errors.New("the directory is down")
			}
			return `{"groups":["player"]}`, nil
		})})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(3 * time.Hour).Unix()})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		down.Store(true)
		for range 50 {
			time.Sleep(time.Minute)
			if !authenticate(t, a, token).HasRole("player") {
				t.Fatal("the answer is gone")
			}
			if ctx := s.CallContext(); ctx.Err() != nil {
				t.Fatalf("the session: %v", context.Cause(ctx))
			}
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times in an hour, want once", n)
		}
		time.Sleep(11 * time.Minute)
		refuses(t, a, token, oidcauth.ErrAnswerUnavailable)
		down.Store(false)
		time.Sleep(2 * time.Second)
		refuses(t, a, token, nil)
	})
}

// The functions that are asked are those of the last look-up.
func TestFindIssuer_FunctionsOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.AnswerAge, described.Roles = time.Minute, []oidcauth.Path{{"groups"}}
		var generation atomic.Int32
		find := func(context.Context, string) ([]oidcauth.Issuer, error) {
			n, d := generation.Load(), described
			d.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error {
				if n == 2 {
					return errors.New("closed for good")
				}
				return nil
			}}
			d.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				return json.RawMessage([]string{`{"groups":["old"]}`, `{"groups":["new"]}`, `{}`}[n]), nil
			}
			return []oidcauth.Issuer{d}, nil
		}
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), FindIssuer: find})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(3 * time.Hour).Unix()})
		c := authenticate(t, a, token)
		s := a.NewSession(t.Context(), c)
		if !c.HasRole("old") {
			t.Fatal("the first answer is missing")
		}
		generation.Store(1)
		time.Sleep(3 * time.Minute)
		if !authenticate(t, a, token).HasRole("new") {
			t.Error("the former function was asked")
		}
		generation.Store(2)
		time.Sleep(3 * time.Minute)
		refuses(t, a, token, oidcauth.ErrRule)
		if s.CallContext().Err() == nil {
			t.Error("the session goes on, which the new rule refuses")
		}
		expectEnd(t, s, oidcauth.ErrRule)
	})
}

// A function that was not there before is more than another function.
func TestFindIssuer_FunctionsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		described.Roles = []oidcauth.Path{{"groups"}}
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), FindIssuer: c.find})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		refuses(t, a, token, nil)
		more, err := withFunctions(described, nil, func() (string, error) { return `{"groups":["player"]}`, nil })(nil, "")
		if err != nil {
			t.Fatal(err)
		}
		c.set(described.URL, more...)
		time.Sleep(3 * time.Minute)
		if !authenticate(t, a, token).HasRole("player") {
			t.Error("nobody was asked")
		}
		c.set(described.URL, described)
		time.Sleep(3 * time.Minute)
		if authenticate(t, a, token).HasRole("player") {
			t.Error("what was supplied counts, and nobody supplies it any more")
		}
	})
}

// A rule that panics refuses the token, tells the log where, and ends nothing else:
// neither the process, where the library judges sessions by itself.
func TestRules_Panic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var panics atomic.Bool
		rule := func(c *oidcauth.Claims) error {
			if panics.Load() {
				panic("of " + c.Subject())
			}
			return nil
		}
		var lines authtest.Log
		var c customers
		first, _ := withFunctions(described, rule, nil)(nil, "")
		c.set(described.URL, first...)
		a := newAuthenticator(t, oidcauth.Config{
			Client: issuer.Client(), FindIssuer: c.find, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
		})
		token := issuer.Token(map[string]any{"sub": "somebody", "exp": time.Now().Add(time.Hour).Unix()})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		panics.Store(true)
		refuses(t, a, token, oidcauth.ErrAnswerUnavailable)
		if status, _, _ := oidcauth.Answer(func() error { _, err := a.Authenticate(t.Context(), token); return err }()); status != 503 {
			t.Errorf("status %d, want 503", status)
		}

		// The description changes, so that the library judges the session.
		described.Roles = []oidcauth.Path{{"groups"}}
		second, _ := withFunctions(described, rule, nil)(nil, "")
		c.set(described.URL, second...)
		time.Sleep(3 * time.Minute)
		expectEnd(t, s, oidcauth.ErrAnswerUnavailable)
		panics.Store(false)
		refuses(t, a, token, nil)

		if n := strings.Count(lines.String(), "a rule panicked"); n != 2 {
			t.Errorf("%d lines about panics, want one a second at most, two in all: %s", n, &lines)
		}
		if text := lines.String(); !strings.Contains(text, "issuers_functions_test.go") || strings.Contains(text, "somebody") {
			t.Errorf("the log does not say where, or has the claims: %s", text)
		}
	})
}

// So does AnyIssuer.Accept, which the library asks by itself where an issuer that was
// found is found no more.
func TestAnyIssuer_AcceptPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var panics atomic.Bool
		var lines authtest.Log
		var c customers
		c.set(described.URL, described)
		anybody := oidcauth.AnyIssuer{Audiences: []string{testAudience}, Accept: func(name string) bool {
			if panics.Load() {
				panic("of " + name)
			}
			return true
		}}
		a := newAuthenticator(t, oidcauth.Config{
			FindIssuer: c.find, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(&lines, nil)),
			AnyIssuer: oidcauth.WithNetwork(anybody, nil, func(netip.AddrPort) bool { return true }),
		})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
		s := a.NewSession(t.Context(), authenticate(t, a, token))
		panics.Store(true)
		c.set(described.URL)
		time.Sleep(3 * time.Minute)
		expectEnd(t, s, oidcauth.ErrAnswerUnavailable)
		refuses(t, a, token, oidcauth.ErrAnswerUnavailable)
		if _, err := a.UnverifiedClaims(s.Claims().Payload(), nil); err != nil {
			t.Errorf("UnverifiedClaims() error = %v, which does not ask", err)
		}
		panics.Store(false)
		refuses(t, a, token, nil)
		if text := lines.String(); !strings.Contains(text, "issuers_functions_test.go") || strings.Contains(text, "of https://") {
			t.Errorf("the log does not say where, or has what Accept was asked for: %s", text)
		}
	})
}

// Claims of an issuer that nobody asked for in a while make a session: the program is
// asked once more.
func TestFindIssuer_SessionAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, described := newIssuer(t, oidctest.Config{URL: "https://customer.test"})
		var c customers
		c.set(described.URL, described)
		a := newAuthenticator(t, oidcauth.Config{FindIssuer: c.find, Client: issuer.Client()})
		claims := authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()}))
		time.Sleep(4 * time.Minute)
		s := a.NewSession(t.Context(), claims)
		if err := s.Context().Err(); err != nil {
			t.Fatalf("the session has ended: %v", context.Cause(s.Context()))
		}
		s.Close()

		// It waits for no longer than its context permits.
		time.Sleep(4 * time.Minute)
		c.change(func() { c.delay = 5 * time.Second })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		expectEnd(t, a.NewSession(ctx, claims), oidcauth.ErrKeysUnavailable)
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v, want what the context permits", waited)
		}
	})
}
