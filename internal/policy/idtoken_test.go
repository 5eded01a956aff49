package policy_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Who sends an ID token to what takes access tokens is told that. Whatever else is
// refused is not taken for one.
func TestErrIDToken(t *testing.T) {
	t.Parallel()
	kind := func(claim string, values ...string) policy.Policy {
		return policy.Policy{Types: []string{policy.TypeJWT}, Demands: []policy.Demand{{Claim: []string{claim}, Kind: policy.In, Values: values}}}
	}
	for _, tt := range []struct {
		name    string
		policy  policy.Policy
		payload string
		want    bool
	}{
		{"Keycloak", kind("typ", "Bearer"), `{"typ":"ID"}`, true},
		{"Cognito", kind("token_use", "access"), `{"token_use":"id"}`, true},
		{"Zitadel", kind("token_type", "access_token"), `{"token_type":"id_token"}`, true},
		{"by the hash of the access token", kind("typ", "Bearer"), `{"at_hash":"x"}`, true},
		{"by the hash of the code", kind("typ", "Bearer"), `{"c_hash":"x"}`, true},
		{"another kind", kind("typ", "Bearer"), `{"typ":"Refresh"}`, false},
		{"a kind that is a number", kind("typ", "Bearer"), `{"typ":1}`, false},
		{"ID tokens are taken as well", kind("typ", "Bearer", "ID"), `{"typ":"Refresh","at_hash":"x"}`, false},
		{"another claim is asked for", kind("role", "admin"), `{"typ":"ID","at_hash":"x"}`, false},
		{"a claim within the kind's", policy.Policy{Types: []string{policy.TypeJWT}, Demands: []policy.Demand{{Claim: []string{"typ", "x"}, Kind: policy.In, Values: []string{"y"}}}}, `{"typ":"ID"}`, false},
	} {
		tt.policy.Complete()
		err := tt.policy.CheckDemands(reader(t, tt.payload))
		if !errors.Is(err, refusal.ErrRule) || errors.Is(err, policy.ErrIDToken) != tt.want {
			t.Errorf("%s: CheckDemands() error = %v, an ID token: want %v", tt.name, err, tt.want)
		}
	}
}
