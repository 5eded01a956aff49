package oidcauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What ends a session, each with what Authenticate says about its token then.
func TestSession_Ends(t *testing.T) {
	tests := []struct {
		name string
		do   func(*testing.T, *oidctest.Issuer, *oidcauth.Authenticator, *oidcauth.Session)
		want error
	}{
		{"nothing happens", func(*testing.T, *oidctest.Issuer, *oidcauth.Authenticator, *oidcauth.Session) {}, nil},
		{"one nanosecond before expiry and leeway", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, s *oidcauth.Session) {
			time.Sleep(time.Until(s.Claims().Expiry().Add(30*time.Second - 1)))
		}, nil},
		{"expiry and leeway", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, s *oidcauth.Session) {
			time.Sleep(time.Until(s.Claims().Expiry().Add(30 * time.Second)))
		}, oidcauth.ErrExpired},
		{"token revoked", func(t *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		}, oidcauth.ErrRevoked},
		{"another token revoked", func(t *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			revoke(t, a, oidcauth.Revocation{TokenID: "token-2"})
		}, nil},
		{"key replaced", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Replace()
			authenticate(t, a, i.Token(nil))
		}, oidcauth.ErrUnknownKey},
		{"key joined by another", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Rotate()
			authenticate(t, a, i.Token(nil))
		}, nil},
		{"key described anew", func(t *testing.T, i *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			k := i.Key()
			i.RemoveKeys()
			i.AddJWK(withoutMember(t, k.JWK(), "use"))
			i.Rotate()
			authenticate(t, a, i.Token(nil))
		}, nil},
		{"issuer down for a day", func(_ *testing.T, i *oidctest.Issuer, _ *oidcauth.Authenticator, _ *oidcauth.Session) {
			i.Fail(oidctest.JWKS, oidctest.Fault{Status: http.StatusServiceUnavailable})
			time.Sleep(25 * time.Hour)
		}, oidcauth.ErrKeysUnavailable},
		{"issuer up for a day", func(_ *testing.T, _ *oidctest.Issuer, _ *oidcauth.Authenticator, _ *oidcauth.Session) {
			time.Sleep(25 * time.Hour)
		}, nil},
		{"authenticator closed", func(_ *testing.T, _ *oidctest.Issuer, a *oidcauth.Authenticator, _ *oidcauth.Session) {
			a.Close()
		}, oidcauth.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				token := issuer.Token(map[string]any{"jti": "token-1", "exp": time.Now().Add(48 * time.Hour).Unix()})
				s := a.NewSession(t.Context(), authenticate(t, a, token))
				defer s.Close()
				tt.do(t, issuer, a, s)
				expectEnd(t, s, tt.want)
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
					t.Errorf("Authenticate() error = %v, the session says %v", err, tt.want)
				}
			})
		})
	}
}

// The request's context ends with its handler; the session's does not, and it
// keeps the values but not the caller.
func TestSession_Context(t *testing.T) {
	type key struct{}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c := authenticate(t, a, issuer.Token(nil))
	for _, prepare := range []func(context.Context) context.Context{
		func(ctx context.Context) context.Context { return oidcauth.NewContext(ctx, c) },
		oidcauth.NewInternalContext,
	} {
		ctx, cancel := context.WithCancel(prepare(context.WithValue(t.Context(), key{}, "value")))
		s := a.NewSession(ctx, c)
		cancel()
		if s.Context().Err() != nil || s.Context().Value(key{}) != "value" {
			t.Errorf("the session's context has error %v and value %v", s.Context().Err(), s.Context().Value(key{}))
		}
		if err := oidcauth.Require(s.Context()); !errors.Is(err, oidcauth.ErrNoToken) {
			t.Errorf("Require() error = %v in the session's context, want %v", err, oidcauth.ErrNoToken)
		}
		call := s.CallContext()
		if got, _ := oidcauth.FromContext(call); got != c || oidcauth.IsInternal(call) {
			t.Errorf("the call's context acts for %v, want the token's bearer", got)
		}
		s.Close()
		if call.Err() == nil || !errors.Is(context.Cause(call), oidcauth.ErrClosed) {
			t.Errorf("cause of a call = %v after Close, want %v", context.Cause(call), oidcauth.ErrClosed)
		}
		if _, known := oidcauth.FromContext(s.CallContext()); known || s.CallContext().Err() == nil {
			t.Error("a call of an ended session has a caller")
		}
	}
}

func TestNewSession_RefusedClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
		a, other := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
		token := issuer.Token(map[string]any{"jti": "token-1"})
		c := authenticate(t, a, token)
		unverified, err := oidcauth.UnverifiedClaims(c.Payload(), trusted)
		if err != nil {
			t.Fatal(err)
		}
		expectEnd(t, a.NewSession(t.Context(), nil), oidcauth.ErrNoToken)
		expectEnd(t, a.NewSession(t.Context(), unverified), oidcauth.ErrSignature)
		expectEnd(t, a.NewSession(t.Context(), &oidcauth.Claims{}), oidcauth.ErrSignature)
		expectEnd(t, a.NewSession(t.Context(), authenticate(t, other, token)), oidcauth.ErrSignature)
		good := a.NewSession(t.Context(), c)
		expectEnd(t, good, nil)
		good.Close()
		good.Close()
		expectEnd(t, good, oidcauth.ErrClosed)

		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrRevoked)
		time.Sleep(2 * time.Hour)
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrExpired)
		a.Close()
		expectEnd(t, a.NewSession(t.Context(), c), oidcauth.ErrClosed)
	})
}

func TestSession_Renew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
		first := authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1"}))
		s := a.NewSession(t.Context(), first)
		call := s.CallContext()

		for name, refused := range map[string]struct {
			token string
			want  error
		}{
			"another identity": {issuer.Token(map[string]any{"sub": "bob"}), oidcauth.ErrIdentityMismatch},
			"expired":          {issuer.Token(map[string]any{"exp": 1}), oidcauth.ErrExpired},
			"no token":         {"", oidcauth.ErrMalformedToken},
		} {
			if _, err := s.Renew(t.Context(), refused.token); !errors.Is(err, refused.want) {
				t.Errorf("%s: Renew() error = %v, want %v", name, err, refused.want)
			}
			if s.Claims() != first {
				t.Errorf("%s: the claims changed", name)
			}
		}

		time.Sleep(30 * time.Minute)
		second, err := s.Renew(t.Context(), issuer.Token(map[string]any{"jti": "token-2"}))
		if err != nil || s.Claims() != second || second.TokenID() != "token-2" {
			t.Fatalf("Renew() = %v, %v", second, err)
		}
		if c, _ := oidcauth.FromContext(call); c != first || call.Err() != nil {
			t.Error("a call that runs while the session is renewed has changed")
		}
		if c, _ := oidcauth.FromContext(s.CallContext()); c != second {
			t.Error("the next call does not have the new claims")
		}
		revoke(t, a, oidcauth.Revocation{TokenID: "token-1"})
		time.Sleep(time.Until(second.Expiry()) - 1)
		expectEnd(t, s, nil)
		time.Sleep(time.Nanosecond)
		expectEnd(t, s, oidcauth.ErrExpired)
		if _, err := s.Renew(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Renew() error = %v of an ended session, want its cause %v", err, oidcauth.ErrExpired)
		}
	})
}

func TestSession_OnExpiring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		var early, late, always atomic.Int64
		s.OnExpiring(10*time.Minute, func() { early.Add(1) })
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		s.OnExpiring(24*time.Hour, func() { always.Add(1) })
		expect := func(when string, e, l, w int64) {
			t.Helper()
			synctest.Wait()
			if early.Load() != e || late.Load() != l || always.Load() != w {
				t.Errorf("%s: calls = %d, %d, %d, want %d, %d, %d", when, early.Load(), late.Load(), always.Load(), e, l, w)
			}
		}
		expect("at first", 0, 0, 1)
		time.Sleep(50*time.Minute - 1)
		expect("just before ten minutes", 0, 0, 1)
		time.Sleep(time.Nanosecond)
		expect("at ten minutes", 1, 0, 1)
		if _, err := s.Renew(t.Context(), issuer.Token(nil)); err != nil {
			t.Fatal(err)
		}
		expect("after renewal", 1, 0, 2)
		time.Sleep(59 * time.Minute)
		expect("at one minute after renewal", 2, 1, 2)
		time.Sleep(time.Minute)
		expectEnd(t, s, oidcauth.ErrExpired)
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		expect("after the end", 2, 1, 2)

		s = a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		s.OnExpiring(time.Minute, func() { late.Add(1) })
		s.Close()
		time.Sleep(2 * time.Hour)
		expect("after Close", 2, 1, 2)
	})
}

// Sessions of issuers that nobody has configured are sessions like any other,
// except that such an issuer logs nobody out.
func TestSession_AnyIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuers, client := strangers(t, 30)
		a := newAuthenticator(t, open(client, oidcauth.AnyIssuer{MaxIssuers: 8, FirstContactsPerSecond: 1000}))
		lives := map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}
		kept, replaced, revoked := issuers[0], issuers[1], issuers[2]
		session := func(i *oidctest.Issuer) *oidcauth.Session {
			return a.NewSession(t.Context(), wants(t, a, i.Token(lives), nil))
		}
		keeps, loses, ends := session(kept), session(replaced), session(revoked)
		for _, i := range issuers[3:] {
			wants(t, a, i.Token(lives), nil)
			time.Sleep(2 * time.Minute)
		}
		if n := kept.Fetches().Discovery; n != 1 {
			t.Errorf("an issuer with a session was contacted %d times, want once", n)
		}
		expectEnd(t, loses, nil)
		replaced.Replace()
		wants(t, a, replaced.Token(nil), nil)
		expectEnd(t, loses, oidcauth.ErrUnknownKey)
		expectEnd(t, ends, nil)
		revoke(t, a, oidcauth.Revocation{Issuer: revoked.URL()})
		expectEnd(t, ends, oidcauth.ErrRevoked)
		if resp := postLogout(a, logoutToken(kept, nil)); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a stranger's logout: got status %d, want 400", resp.StatusCode)
		}
		expectEnd(t, keeps, nil)
		if _, err := keeps.Renew(t.Context(), kept.Token(nil)); err != nil {
			t.Errorf("Renew() error = %v", err)
		}
		other := newAuthenticator(t, open(client, oidcauth.AnyIssuer{}))
		expectEnd(t, other.NewSession(t.Context(), keeps.Claims()), oidcauth.ErrSignature)
		a.Close()
		expectEnd(t, keeps, oidcauth.ErrClosed)
	})
}
