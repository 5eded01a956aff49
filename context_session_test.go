package oidcauth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A call that runs on after its session has ended passes no more, whatever has become of its
// own context before.
func TestRequire_AfterItsSession(t *testing.T) {
	for name, derive := range map[string]func(context.Context) context.Context{
		"cancelled before": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx
		},
		"timed out before": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			t.Cleanup(cancel)
			return ctx
		},
		"a sibling failed before (errgroup)": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(errors.New("a sibling failed"))
			return ctx
		},
		"WithoutCancel": context.WithoutCancel,
		"as it is":      func(ctx context.Context) context.Context { return ctx },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"sub": "alice"})))
				ctx := derive(s.CallContext())
				time.Sleep(2 * time.Second)
				if err := oidcauth.Require(ctx); err != nil {
					t.Errorf("%s: before: %v", name, err)
				}
				if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if err := oidcauth.Require(ctx); !errors.Is(err, oidcauth.ErrRevoked) {
					t.Errorf("%s: Require() after the revocation = %v, want ErrRevoked", name, err)
				}
			})
		})
	}
}

// Of two demands of one request, as errgroup runs them, one that is refused does not refuse
// the other.
func TestRequire_BesideARefusal(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	ctx := oidcauth.NewContext(t.Context(), authenticate(t, a, issuer.Token(nil)))
	ctx, cancel := context.WithCancelCause(ctx) // errgroup.WithContext
	cancel(oidcauth.Require(ctx, oidcauth.HasRole("writer")))
	if err := oidcauth.Require(ctx); err != nil {
		t.Errorf("Require() without rules, of an accepted token = %v, want nil", err)
	}
}

// Whoever a context acts for is not refused with what ended the session of whom it acted for
// before.
func TestRequire_OnAnothersSession(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	alice := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"sub": "alice"})))
	ctx := oidcauth.NewContext(alice.CallContext(), authenticate(t, a, issuer.Token(map[string]any{"sub": "bob"})))
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	if err := oidcauth.Require(ctx); err != nil {
		t.Errorf("bob's Require() = %v, want nil: his token is good", err)
	}
}

// A call goes on by the claims that it began with when its session is renewed, also after
// they have expired, and not once they are revoked.
func TestRequire_RevokedAfterRenewal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		revoke oidcauth.Revocation
		then   error
	}{
		"its token":     {oidcauth.Revocation{TokenID: "one"}, oidcauth.ErrRevoked},
		"its login":     {oidcauth.Revocation{SessionID: "login-1"}, oidcauth.ErrRevoked},
		"its key":       {oidcauth.Revocation{KeyID: "first"}, oidcauth.ErrRevoked},
		"another token": {oidcauth.Revocation{TokenID: "none"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"jti": "one", "sid": "login-1"})))
				defer s.Close()
				ctx := s.CallContext()
				require := func(when string, want error) {
					t.Helper()
					for name, ctx := range map[string]context.Context{"": ctx, ", detached": context.WithoutCancel(ctx)} {
						if err := oidcauth.Require(ctx); !errors.Is(err, want) {
							t.Errorf("%s%s: Require() = %v, want %v", when, name, err, want)
						}
					}
				}
				require("at first", nil)
				first := issuer.Key().ID()
				issuer.Rotate()
				time.Sleep(time.Minute)
				next := issuer.Token(map[string]any{"jti": "two", "sid": "login-2", "exp": time.Now().Add(5 * time.Hour).Unix()})
				if _, err := s.Renew(t.Context(), next); err != nil {
					t.Fatal(err)
				}
				require("renewed", nil)
				time.Sleep(2 * time.Hour)
				require("when its token has expired", nil)
				if tt.revoke.KeyID != "" {
					tt.revoke.KeyID = first
				}
				revoke(t, a, tt.revoke)
				require("when something is revoked", tt.then)
				if err := oidcauth.Require(s.CallContext()); err != nil {
					t.Errorf("a new call: Require() = %v, want nil", err)
				}
			})
		})
	}
}
