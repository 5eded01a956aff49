package oidcauth_test

import (
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/sigcheck"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAuthenticate_FirstUseAllocations bounds what the first use of a token allocates
// once its key has verified another: nothing for the signature, where keys are prepared.
func TestAuthenticate_FirstUseAllocations(t *testing.T) {
	for _, alg := range []string{"RS256", "RS512", "PS256", "EdDSA", "ES256"} {
		limit := 5.0
		if !sigcheck.Enabled() || alg == "ES256" {
			limit = 20
		}
		issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: alg, Claims: benchmarkClaims})
		trusted.Algorithms = []string{alg}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
		tok := issuer.Token(nil)
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		// What one use keeps for the next may be lost between the two, and is now and
		// then with the race detector: the least counts.
		least := useCost(t, a, tok)
		for range 20 {
			least = min(least, testing.AllocsPerRun(1, func() {
				if _, err := a.Authenticate(t.Context(), tok); err != nil {
					t.Fatal(err)
				}
			}))
		}
		if least > limit {
			t.Errorf("%s: got %v allocations, want %v at most", alg, least, limit)
		}
	}
}
