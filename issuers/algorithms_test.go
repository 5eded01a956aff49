package issuers_test

import (
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A description accepts every algorithm that the provider's servers let people
// choose: which one is used the key decides.
func TestAlgorithms(t *testing.T) {
	w := newWorld(t)
	lab := oidctest.NewIssuer(t, oidctest.Config{})
	for _, alg := range []string{"RS384", "RS512", "PS256", "PS384", "PS512"} {
		w.keys[alg] = w.keys["RS256"].As(alg)
	}
	for _, alg := range []string{"ES384", "ES512"} {
		w.keys[alg] = lab.NewKey(oidctest.KeyConfig{Algorithm: alg})
	}
	const rsa, ecdsa = "RS256 RS384 RS512 PS256 PS384 PS512", "ES256 ES384 ES512"
	for name, algorithms := range map[string]string{
		"Keycloak":    rsa + " " + ecdsa + " EdDSA",
		"OryHydra":    rsa + " " + ecdsa + " EdDSA",
		"Auth0Access": "RS256 RS512 PS256",
		"Auth0ID":     "RS256 RS512 PS256",
		"Zitadel":     "RS256 RS384 RS512 " + ecdsa + " EdDSA",
		"Authentik":   "RS256 " + ecdsa,
		"BetterAuth":  "EdDSA ES256 RS256 PS256 ES512",
		"Kubernetes":  "RS256 " + ecdsa,
	} {
		found := false
		for _, p := range providers {
			if p.name() != name {
				continue
			}
			found = true
			a := w.authenticator(t, p, p.issuer(t))
			for accepted := range p.accepts {
				for alg := range strings.FieldsSeq(algorithms) {
					token := w.sign(t, sampleOf(t, p.tokens, accepted).changed(map[string]any{"alg": alg}, nil))
					if _, err := a.Authenticate(t.Context(), token); err != nil {
						t.Errorf("%s, %s: Authenticate() error = %v", name, alg, err)
					}
				}
			}
		}
		if !found {
			t.Errorf("no provider %s", name)
		}
	}
}
