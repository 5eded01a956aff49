package localissuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The next token says what the former one said, for as long, and is another one.
func TestRenew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, localissuer.Config{Lifetime: time.Hour, MaxLifetime: 10 * time.Hour, NoExpiry: true})
		a := trusting(t, l)
		for _, r := range []localissuer.Request{
			{},
			{Subject: "alice", Lifetime: 3 * time.Hour, Claims: map[string]any{"roles": []string{"writer"}, "n": json.Number("1.50")}},
			{Lifetime: 10 * time.Hour, Audiences: []string{testAudience, "other"}},
			{Subject: "bob", NoExpiry: true, Claims: map[string]any{"name": "<Bob> & \u2028"}},
		} {
			c := authenticate(t, a, issue(t, l, r))
			for range 3 {
				time.Sleep(50*time.Second + 300*time.Millisecond)
				token, expires, err := l.Renew(t.Context(), c)
				if err != nil {
					t.Fatalf("Renew() error = %v", err)
				}
				next := authenticate(t, a, token)
				if next.Identity() != c.Identity() || next.Subject() != c.Subject() || next.TokenID() == c.TokenID() {
					t.Errorf("renewed to %v, want another token of %v", next, c)
				}
				if !next.Expiry().Equal(expires) || next.Expiry().Sub(next.IssuedAt()) != c.Expiry().Sub(c.IssuedAt()) {
					t.Errorf("good from %v to %v, Renew() says %v, want for as long as before (%v to %v)", next.IssuedAt(), next.Expiry(), expires, c.IssuedAt(), c.Expiry())
				}
				if !slices.Equal(slices.Collect(next.Audience()), slices.Collect(c.Audience())) {
					t.Errorf("for %q, want those of %q", slices.Collect(next.Audience()), slices.Collect(c.Audience()))
				}
				for name := range r.Claims {
					was, _ := c.Lookup(name)
					if is, _ := next.Lookup(name); string(is) != string(was) {
						t.Errorf("%s: got %s, want %s", name, is, was)
					}
				}
				if len(r.Claims) > 0 && next.HasRole("writer") != c.HasRole("writer") {
					t.Error("the role is lost")
				}
				c = next
			}
		}
	})
}

// Nobody becomes one of the issuer's callers by the name of a subject, and no token is
// renewed that would be refused.
func TestRenew_Refuses(t *testing.T) {
	t.Parallel()
	l := newLocal(t, localissuer.Config{})
	idp, trusted := newIssuer(t, oidctest.Config{URL: "https://idp.test"})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{l.Issuer(), trusted}, Client: idp.Client()}
	a := newAuthenticator(t, cfg)
	alice := func() *oidcauth.Claims {
		return authenticate(t, a, issue(t, l, localissuer.Request{Subject: "alice"}))
	}
	namesake := newLocal(t, localissuer.Config{})
	unverified, err := a.UnverifiedClaims(alice().Payload(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest("POST", "/ticket", nil)
	ticket, err := l.Ticket(request, alice(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	sold, err := a.AuthenticateTicket(request, ticket, "chat")
	if err != nil {
		t.Fatal(err)
	}
	revoked := alice()
	revoke(t, a, oidcauth.Revocation{Issuer: l.URL(), TokenID: revoked.TokenID()})
	closed := newAuthenticator(t, cfg)
	late := authenticate(t, closed, issue(t, l, localissuer.Request{Subject: "alice"}))
	closed.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name   string
		ctx    context.Context
		claims *oidcauth.Claims
		want   error
	}{
		{"nobody", t.Context(), nil, oidcauth.ErrNoToken},
		{"the zero value", t.Context(), new(oidcauth.Claims), oidcauth.ErrSignature},
		{"not verified", t.Context(), unverified, oidcauth.ErrSignature},
		{"another issuer", t.Context(), authenticate(t, a, idp.Token(map[string]any{"sub": "alice"})), oidcauth.ErrForbidden},
		{"another issuer of the name", t.Context(), authenticate(t, trusting(t, namesake), issue(t, namesake, localissuer.Request{Subject: "alice"})), oidcauth.ErrForbidden},
		{"from a ticket", t.Context(), sold, oidcauth.ErrTokenType},
		{"revoked", t.Context(), revoked, oidcauth.ErrRevoked},
		{"of an Authenticator that was closed", t.Context(), late, oidcauth.ErrClosed},
		{"a context that has ended", ended, alice(), context.Canceled},
		{"nil for a context", nil, alice(), oidcauth.ErrMalformedRequest},
	} {
		if token, expires, err := l.Renew(tt.ctx, tt.claims); !errors.Is(err, tt.want) || token != "" || !expires.IsZero() {
			t.Errorf("%s: Renew() = %q, %v, %v, want %v", tt.name, token, expires, err, tt.want)
		}
	}
	if _, _, err := l.Renew(t.Context(), alice()); err != nil {
		t.Errorf("Renew() error = %v, want nil", err)
	}
	if _, _, err := new(localissuer.Issuer).Renew(t.Context(), alice()); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Renew() error = %v of an issuer that was not made, want %v", err, oidcauth.ErrClosed)
	}
}

// What has expired is not renewed, and what a removed key signed neither.
func TestRenew_RefusesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(t, localissuer.Config{})
		a := trusting(t, l)
		c := authenticate(t, a, issue(t, l, localissuer.Request{Lifetime: time.Hour}))
		time.Sleep(time.Hour + 29*time.Second)
		if _, _, err := l.Renew(t.Context(), c); err != nil {
			t.Errorf("Renew() error = %v within the leeway, want nil", err)
		}
		time.Sleep(2 * time.Second)
		if _, _, err := l.Renew(t.Context(), c); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Renew() error = %v, want %v", err, oidcauth.ErrExpired)
		}
		c = authenticate(t, a, issue(t, l, localissuer.Request{}))
		if err := l.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Renew(t.Context(), c); err != nil {
			t.Errorf("Renew() error = %v under a retired key, want nil", err)
		}
		if err := l.Remove(t.Context(), c.KeyID()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.Renew(t.Context(), c); !errors.Is(err, oidcauth.ErrUnknownKey) {
			t.Errorf("Renew() error = %v under a removed key, want %v", err, oidcauth.ErrUnknownKey)
		}
	})
}

// A token that another program of the name has signed becomes one as they are issued here.
func TestRenew_Imported(t *testing.T) {
	t.Parallel()
	l, key := newLocal(t, localissuer.Config{NoExpiry: true, ImportedAudiences: []string{"spacetimedb"}}), newKey(t)
	if _, err := l.Import(t.Context(), privatePEM(t, key)); err != nil {
		t.Fatal(err)
	}
	a := trusting(t, l)
	renew := func(payload string) *oidcauth.Claims {
		t.Helper()
		token, _, err := l.Renew(t.Context(), authenticate(t, a, signAs(t, key, "JWT", payload)))
		if err != nil {
			t.Fatalf("Renew() error = %v", err)
		}
		return authenticate(t, a, token)
	}
	c := renew(`{"iss":"localhost","sub":"bob","aud":["spacetimedb"],"exp":null,"sid":"s","roles":["writer"]}`)
	if c.Subject() != "bob" || !c.HasRole("writer") || c.SessionID() != "" || !c.Expiry().IsZero() || !slices.Equal(slices.Collect(c.Audience()), []string{testAudience}) {
		t.Errorf("renewed to %s", c.Payload())
	}
	c = renew(`{"iss":"localhost","sub":"bob","aud":["spacetimedb"],"exp":4102444800}`)
	if life := c.Expiry().Sub(c.IssuedAt()); life != 24*time.Hour {
		t.Errorf("good for %v, want the issuer's default", life)
	}
}

// A lifetime that is no longer permitted is cut, and one without end refused.
func TestRenew_OtherLifetimes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	before := newLocal(t, localissuer.Config{Dir: dir, MaxLifetime: 10 * time.Hour, NoExpiry: true})
	a := trusting(t, before)
	long := authenticate(t, a, issue(t, before, localissuer.Request{Lifetime: 10 * time.Hour}))
	endless := authenticate(t, a, issue(t, before, localissuer.Request{NoExpiry: true}))
	now := newLocal(t, localissuer.Config{Dir: dir, Lifetime: time.Hour})
	token, _, err := now.Renew(t.Context(), long)
	if err != nil {
		t.Fatal(err)
	}
	if c := authenticate(t, a, token); c.Expiry().Sub(c.IssuedAt()) != time.Hour {
		t.Errorf("good from %v to %v, want for an hour", c.IssuedAt(), c.Expiry())
	}
	if _, _, err := now.Renew(t.Context(), endless); err == nil {
		t.Error("Renew() error = nil for a token without end, which the issuer does not permit")
	}
}

// A revocation that holds before the next token is made reaches it, also one that came once
// the former was found good: the next is as old as what was looked at.
func TestRenew_RevokedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var left, ahead atomic.Int64 // calls until it is revoked, and how far the clock is ahead
		var revoked func()
		l := newLocal(t, localissuer.Config{Now: func() time.Time {
			if left.Add(-1) == 0 {
				revoked()
				ahead.Store(int64(2 * time.Second))
			}
			return time.Now().Add(time.Duration(ahead.Load()))
		}})
		a := trusting(t, l)
		claims := authenticate(t, a, issue(t, l, localissuer.Request{Subject: "alice"}))
		revoked = func() {
			revoke(t, a, oidcauth.Revocation{Issuer: l.URL(), Subject: "alice", IssuedBefore: time.Now().Add(time.Second)})
		}
		left.Store(2)
		token, _, err := l.Renew(t.Context(), claims)
		if err != nil {
			t.Fatalf("Renew() error = %v, want a token: it was good when it was looked at", err)
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
		}
	})
}
