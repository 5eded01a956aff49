package oidcauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestAuthenticate(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(map[string]any{
		"jti": "token-1", "sid": "login-1", "scope": "read write", "roles": []string{"writer"},
	})

	for _, use := range []string{"first use", "second use"} {
		c, err := a.Authenticate(context.Background(), token)
		if err != nil {
			t.Fatalf("%s: Authenticate() error = %v", use, err)
		}
		if want := identity.New(issuer.URL(), "alice"); c.Identity() != want {
			t.Errorf("%s: Identity() = %v, want %v", use, c.Identity(), want)
		}
		if c.Issuer() != issuer.URL() || c.Subject() != "alice" || c.TokenID() != "token-1" || c.SessionID() != "login-1" {
			t.Errorf("%s: got issuer %q, subject %q, token ID %q, session ID %q", use, c.Issuer(), c.Subject(), c.TokenID(), c.SessionID())
		}
		if !c.HasRole("writer") || c.HasRole("admin") || !c.HasScope("write") || c.HasScope("read write") {
			t.Errorf("%s: got roles %q, scopes %q", use, slices.Collect(c.Roles()), slices.Collect(c.Scopes()))
		}
		if !c.HasAudience(testAudience) || time.Until(c.Expiry()) <= 0 || c.IssuedAt().IsZero() || !c.NotBefore().IsZero() {
			t.Errorf("%s: got audience %q, expiry %v, issued at %v, not before %v", use, slices.Collect(c.Audience()), c.Expiry(), c.IssuedAt(), c.NotBefore())
		}
	}
}

func TestAuthenticate_ForgedAfterGood(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(nil)
	if _, err := a.Authenticate(context.Background(), token); err != nil {
		t.Fatal(err)
	}
	forged := []byte(token)
	forged[len(forged)-10] = 'A' + (forged[len(forged)-10]+1)%26
	if _, err := a.Authenticate(context.Background(), string(forged)); !errors.Is(err, oidcauth.ErrSignature) {
		t.Errorf("Authenticate(forged) error = %v, want %v", err, oidcauth.ErrSignature)
	}
}
