package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// However many log out, a bounded number of revocations is kept, and no token of
// theirs comes back before its own end: not one that lives for ten days either,
// and not at a server that joins later.
func TestLogoutHandler_Bounded(t *testing.T) {
	const most = 40
	for _, by := range []string{"sid", "sub"} {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				var lines logBuffer
				cfg := oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Revocations: newMemoryLog(),
					Logger: slog.New(slog.NewTextHandler(&lines, nil)),
				}
				a := newAuthenticator(t, cfg)
				a.KeepLogouts(most)
				start := time.Now()
				token := func(n int) string {
					return issuer.Token(map[string]any{"sub": fmt.Sprint("subject-", n), "sid": fmt.Sprint("login-", n), "exp": time.Now().Add(240 * time.Hour).Unix()})
				}
				var tokens []string
				var sessions []*oidcauth.Session
				for n := range 400 {
					tokens = append(tokens, token(n))
					if n%50 == 0 {
						sessions = append(sessions, a.NewSession(t.Context(), wants(t, a, tokens[n], nil)))
					}
					time.Sleep(25 * time.Minute)
					claims := map[string]any{"jti": fmt.Sprint("logout-", n), "sid": nil, "sub": nil}
					claims[by] = strings.NewReplacer("sid", "login-", "sub", "subject-").Replace(by) + fmt.Sprint(n)
					if resp := postLogout(a, logoutToken(issuer, claims)); resp.StatusCode != 200 {
						t.Fatalf("got status %d, body %s", resp.StatusCode, bodyOf(t, resp))
					}
					// One more than are kept, and a cutoff.
					if kept := a.RevocationsKept(); kept > most+2 {
						t.Fatalf("%d revocations are kept after %d logouts, want %d at most", kept, n+1, most+2)
					}
				}
				if passed := time.Since(start); passed > 7*24*time.Hour {
					t.Fatalf("%v have passed, and tokens have expired", passed)
				}
				late := newAuthenticator(t, cfg)
				late.KeepLogouts(most)
				if err := late.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, server := range []*oidcauth.Authenticator{a, late} {
					for n := range tokens {
						if _, err := server.Authenticate(t.Context(), tokens[n]); !errors.Is(err, oidcauth.ErrRevoked) {
							t.Fatalf("token %d of 10 days is back: Authenticate() error = %v, want %v", n, err, oidcauth.ErrRevoked)
						}
					}
					// Whoever logs in again, or has logged in lately, is welcome.
					wants(t, server, token(7), nil)
					wants(t, server, issuer.Token(map[string]any{"sub": "bob", "iat": time.Now().Add(-6 * time.Hour).Unix()}), nil)
				}
				for _, s := range sessions {
					expectEnd(t, s, oidcauth.ErrRevoked)
				}
				if !strings.Contains(lines.String(), "too many logouts") {
					t.Error("nothing in the log says that earlier tokens are refused")
				}
				late.Close()
				a.Close()
			})
		})
	}
}

// As long as they are not too many, nobody is refused who has not logged out, and
// a login that has ended stays so for tokens that are issued later.
func TestLogoutHandler_NotTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		a.KeepLogouts(100)
		old := issuer.Token(map[string]any{"sub": "bob", "exp": time.Now().Add(240 * time.Hour).Unix()})
		for n := range 100 {
			time.Sleep(time.Minute)
			logout := logoutToken(issuer, map[string]any{"jti": fmt.Sprint(n), "sid": fmt.Sprint("login-", n), "sub": nil})
			if resp := postLogout(a, logout); resp.StatusCode != 200 {
				t.Fatalf("got status %d", resp.StatusCode)
			}
		}
		wants(t, a, old, nil)
		wants(t, a, issuer.Token(map[string]any{"sub": "bob", "sid": "login-0"}), oidcauth.ErrRevoked)
		a.Close()
	})
}

// What an operator revokes for tokens to come as well makes way for nothing.
func TestRevoke_NeverCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		a.KeepLogouts(4)
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: "mallory"})
		revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), SessionID: "login-1"})
		for n := range 100 {
			revoke(t, a, oidcauth.Revocation{Issuer: issuer.URL(), Subject: fmt.Sprint(n), IssuedBefore: time.Now()})
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		wants(t, a, issuer.Token(map[string]any{"sub": "mallory"}), oidcauth.ErrRevoked)
		wants(t, a, issuer.Token(map[string]any{"sid": "login-1"}), oidcauth.ErrRevoked)
		wants(t, a, issuer.Token(nil), nil)
		a.Close()
	})
}

// A revocation of a key ends what tickets under it have begun, on tokens of other
// issuers: no cutoff of the key's issuer refuses these.
func TestRevoke_KeyNeverCutOff(t *testing.T) {
	begin := func(t *testing.T) (*shop, *oidcauth.Claims, oidcauth.Revocation) {
		s := newShop(t)
		s.Auth.KeepLogouts(4)
		claims, err := s.Use(s.Buy(s.Issuer.Token(map[string]any{"exp": time.Now().Add(240 * time.Hour).Unix()}), anywhere), anywhere)
		if err != nil {
			t.Fatal(err)
		}
		r := oidcauth.Revocation{Issuer: "localhost", KeyID: s.Local.Keys()[0].ID, IssuedBefore: time.Now().Add(time.Minute)}
		return s, claims, r
	}
	flood := func(s *shop) {
		for n := range 100 {
			time.Sleep(time.Minute)
			revoke(s.T, s.Auth, oidcauth.Revocation{Issuer: "localhost", Subject: fmt.Sprint(n), IssuedBefore: time.Now()})
		}
	}
	expect := func(t *testing.T, s *shop, claims *oidcauth.Claims) {
		session := s.Auth.NewSession(t.Context(), claims)
		defer session.Close()
		if cause := context.Cause(session.Context()); !errors.Is(cause, oidcauth.ErrRevoked) {
			t.Errorf("a session of what the key sold: its cause is %v, want %v", cause, oidcauth.ErrRevoked)
		}
		s.Local.Close()
		s.Auth.Close()
	}
	bubble := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	bubble("before others", func(t *testing.T) {
		s, claims, r := begin(t)
		revoke(t, s.Auth, r)
		flood(s)
		expect(t, s, claims)
	})
	bubble("after others", func(t *testing.T) {
		s, claims, r := begin(t)
		flood(s)
		revoke(t, s.Auth, r)
		expect(t, s, claims)
	})
}
