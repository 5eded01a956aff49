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
		if got := useCost(t, a, tok); got > limit {
			t.Errorf("%s: got %v allocations, want %v at most", alg, got, limit)
		}
	}
}
