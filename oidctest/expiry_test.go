package oidctest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// The hour that a token lives takes no time in a bubble, for a client that has
// timers and fetches too.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: iss.URL(), Audiences: []string{"my-db"}}},
			Client:  iss.Client(),
			Leeway:  -1, // issuer and server have one clock here
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close() // a bubble waits for all that was started in it
		claims, err := auth.Authenticate(t.Context(), iss.Token(nil))
		if err != nil {
			t.Fatal(err)
		}
		session := auth.NewSession(t.Context(), claims)
		time.Sleep(oidctest.TokenLifetime - time.Second)
		synctest.Wait()
		if err := context.Cause(session.Context()); err != nil {
			t.Errorf("a second before: cause = %v, want none", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if err := context.Cause(session.Context()); !errors.Is(err, oidcauth.ErrExpired) {
			t.Errorf("an hour later: cause = %v, want %v", err, oidcauth.ErrExpired)
		}
	})
}
