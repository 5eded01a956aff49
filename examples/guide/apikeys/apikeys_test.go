package apikeys_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/examples/guide/apikeys"
	"github.com/oidcauth/oidcauth/oidctest"
)

func open(t *testing.T) (*apikeys.Keys, *oidctest.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	keys, idp := &apikeys.Keys{}, oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "notes"}})
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: idp.URL(), Audiences: []string{"notes"}}, keys.Issuer("notes")},
		Client:  idp.Client(), KeepWarm: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return keys, idp, auth
}

// TestKeys: a key has an identity and roles, and a session for as long as the table has it.
func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, idp, auth := open(t)
		key := keys.Issue(apikeys.Key{ID: "1", Owner: "importer", Roles: []string{"writer"}})
		other := keys.Issue(apikeys.Key{ID: "2", Owner: "importer"})
		claims, err := auth.Authenticate(t.Context(), key)
		if err != nil || claims.Subject() != "importer" || !claims.HasRole("writer") {
			t.Fatalf("Authenticate() = %v, %v, want importer, a writer", claims, err)
		}
		if person, err := auth.Authenticate(t.Context(), idp.Token(nil)); err != nil || person.Identity() == claims.Identity() {
			t.Errorf("Authenticate() = %v, %v, want a person", person, err)
		}
		if _, err := auth.Authenticate(t.Context(), key+"x"); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("Authenticate() error = %v for a key that nobody has, want ErrRevoked", err)
		}
		if err := auth.Ready(t.Context()); err != nil {
			t.Errorf("Ready() error = %v", err)
		}
		session := auth.NewSession(t.Context(), claims)
		defer session.Close()
		time.Sleep(72 * time.Hour)
		if err := context.Cause(session.Context()); err != nil {
			t.Fatalf("the session has ended: %v", err)
		}
		if err := keys.Withdraw(t.Context(), auth, "1"); err != nil {
			t.Fatal(err)
		}
		if err := context.Cause(session.Context()); !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("the session: %v, want that it ended with ErrRevoked", err)
		}
		if _, err := auth.Authenticate(t.Context(), other); err != nil {
			t.Errorf("Authenticate() error = %v for the other key", err)
		}
	})
}

// TestKeys_WithdrawNone: no ID withdraws no key.
func TestKeys_WithdrawNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, _, auth := open(t)
		key := keys.Issue(apikeys.Key{Owner: "importer"})
		if err := keys.Withdraw(t.Context(), auth, ""); !errors.Is(err, oidcauth.ErrMalformedRequest) {
			t.Errorf("Withdraw() error = %v, want ErrMalformedRequest", err)
		}
		if claims, err := auth.Authenticate(t.Context(), key); err != nil || claims.TokenID() == "" {
			t.Errorf("Authenticate() = %v, %v, want a caller by a key with an ID", claims, err)
		}
	})
}

// TestKeys_End: a key of limited life ends by itself.
func TestKeys_End(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, _, auth := open(t)
		key := keys.Issue(apikeys.Key{ID: "1", Owner: "importer", Ends: time.Now().Add(time.Hour)})
		if _, err := auth.Authenticate(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Minute)
		if _, err := auth.Authenticate(t.Context(), key); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("Authenticate() error = %v, want ErrExpired", err)
		}
	})
}
