package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What a token is bound to is read whole, and a server that cannot have all of it
// proved refuses the token.
func TestPolicy_CheckBinding(t *testing.T) {
	t.Parallel()
	key, certificate := strings.Repeat("A", 43), strings.Repeat("E", 43)
	none, both := policy.Methods{}, policy.Methods{Key: true, Certificate: true}
	for _, tt := range []struct {
		name    string
		bound   string
		able    policy.Methods
		payload string
		want    error
		methods []string
	}{
		{"a bearer token", "", none, `{}`, nil, nil},
		{"a bearer token where proofs are checked", "", both, `{}`, nil, nil},
		{"another claim's name", "", both, `{"CNF":{}}`, nil, nil},
		{"a key", "", both, `{"cnf":{"jkt":"` + key + `"}}`, nil, []string{"jkt"}},
		{"a key that nobody asks for", "", policy.Methods{Certificate: true}, `{"cnf":{"jkt":"` + key + `"}}`, refusal.ErrTokenType, nil},
		{"a certificate", "", policy.Methods{Certificate: true}, `{"cnf":{"x5t#S256":"` + certificate + `"}}`, nil, []string{"x5t#S256"}},
		{"a certificate that nobody asks for", "", policy.Methods{Key: true}, `{"cnf":{"x5t#S256":"` + certificate + `"}}`, refusal.ErrTokenType, nil},
		{"both", "", both, `{"cnf":{"jkt":"` + key + `","x5t#S256":"` + certificate + `"}}`, nil, []string{"jkt", "x5t#S256"}},
		{"both, of which one is asked for", "", policy.Methods{Key: true}, `{"cnf":{"jkt":"` + key + `","x5t#S256":"` + certificate + `"}}`, refusal.ErrTokenType, nil},
		{"a key, and what nobody knows", "", both, `{"cnf":{"kc-jkt-type":"dpop","jkt":"` + key + `"}}`, nil, []string{"jkt"}},
		{"what nobody knows alone", "", both, `{"cnf":{"jwk":{}}}`, refusal.ErrTokenType, nil},
		{"nothing", "", both, `{"cnf":{}}`, refusal.ErrTokenType, nil},
		{"null", "", both, `{"cnf":null}`, refusal.ErrTokenType, nil},
		{"a string", "", both, `{"cnf":"` + key + `"}`, refusal.ErrTokenType, nil},
		{"a key that is null", "", both, `{"cnf":{"jkt":null}}`, refusal.ErrTokenType, nil},
		{"a key that is null beside a certificate", "", both, `{"cnf":{"jkt":null,"x5t#S256":"` + certificate + `"}}`, refusal.ErrTokenType, nil},
		{"an empty key", "", both, `{"cnf":{"jkt":""}}`, refusal.ErrTokenType, nil},
		{"a short thumbprint", "", both, `{"cnf":{"jkt":"AAAA"}}`, refusal.ErrTokenType, nil},
		{"a padded thumbprint", "", both, `{"cnf":{"jkt":"` + key + `="}}`, refusal.ErrTokenType, nil},
		{"a thumbprint in another spelling", "", both, `{"cnf":{"jkt":"` + key[:42] + `B"}}`, refusal.ErrTokenType, nil},
		{"a key's name with an escape", "", both, `{"cnf":{"\u006akt":"` + key + `"}}`, nil, []string{"jkt"}},
		{"required", policy.BoundRequired, both, `{"cnf":{"jkt":"` + key + `"}}`, nil, []string{"jkt"}},
		{"required and missing", policy.BoundRequired, both, `{}`, refusal.ErrTokenType, nil},
		{"refused", policy.BoundRefused, both, `{"cnf":{"jkt":"` + key + `"}}`, refusal.ErrTokenType, nil},
		{"refused and missing", policy.BoundRefused, both, `{}`, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, r := policy.Policy{Bound: tt.bound}, reader(t, tt.payload)
			if err := p.CheckBinding(r, tt.able); !errors.Is(err, tt.want) {
				t.Fatalf("CheckBinding() error = %v, want %v", err, tt.want)
			}
			var methods []string
			if c := r.Record.Confirmation; c != nil {
				methods = c.Methods()
			}
			if tt.want == nil && !slices.Equal(methods, tt.methods) {
				t.Errorf("bound by %q, want %q", methods, tt.methods)
			}
		})
	}
}
