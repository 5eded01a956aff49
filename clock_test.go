package oidcauth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// useCost returns how many allocations the second and later uses of a token
// make: none when the verdict comes from the cache, several when the token is
// verified again.
func useCost(t *testing.T, a *oidcauth.Authenticator, tok string) float64 {
	t.Helper()
	return testing.AllocsPerRun(20, func() {
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	})
}

// Config.Now is the clock of token times and of nothing else: it neither ages
// the issuer's keys nor keeps them young.
func TestConfig_NowIsNotTheKeysClock(t *testing.T) {
	for _, ahead := range []time.Duration{-48 * time.Hour, 0, 48 * time.Hour, 20 * 365 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := func() time.Time { return time.Now().Add(ahead) }
				issuer, trusted := newIssuer(t, oidctest.Config{Now: now})
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: now,
				})
				tok := issuer.Token(map[string]any{"exp": now().Add(100 * time.Hour)})
				if n := useCost(t, a, tok); n != 0 {
					t.Errorf("a further use makes %v allocations, want 0: it does not come from the cache", n)
				}

				// In use, the keys are refreshed although their clock is another.
				for range 10 {
					time.Sleep(30 * time.Minute)
					if _, err := a.Authenticate(t.Context(), tok); err != nil {
						t.Fatal(err)
					}
				}
				if n := issuer.Fetches().JWKS; n < 4 || n > 10 {
					t.Errorf("%d fetches of the keys in 5 hours of use, want about one an hour", n)
				}
			})
		})
	}
}
