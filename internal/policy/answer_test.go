package policy_test

import (
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What an issuer stands by for another purpose than access is refused, and so is what
// says of itself what nobody understands.
func TestCheckAnswerType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, payload string
		want          error
	}{
		{"no kind", `{}`, nil},
		{"an access token of Hydra", `{"token_use":"access_token"}`, nil},
		{"an access token of Cognito", `{"token_use":"access"}`, nil},
		{"a refresh token", `{"token_use":"refresh_token"}`, refusal.ErrTokenType},
		{"an ID token", `{"token_use":"id"}`, refusal.ErrTokenType},
		{"an empty use", `{"token_use":""}`, refusal.ErrTokenType},
		{"a use that is a number", `{"token_use":1,"token_type":"Bearer"}`, refusal.ErrClaim},
		{"a bearer token", `{"token_type":"bearer"}`, nil},
		{"a bound token", `{"token_type":"DPoP","cnf":{}}`, nil},
		{"a bound token, of which is not said to what", `{"token_type":"DPoP"}`, refusal.ErrTokenType},
		{"another type", `{"token_type":"N_A"}`, refusal.ErrTokenType},
		{"another type that is bound", `{"token_type":"mac","cnf":{}}`, refusal.ErrTokenType},
		{"an empty type", `{"token_type":""}`, refusal.ErrTokenType},
		{"a type that is a number", `{"token_use":"access","token_type":1}`, refusal.ErrClaim},
		{"a refresh token of a good type", `{"token_use":"refresh_token","token_type":"Bearer"}`, refusal.ErrTokenType},
		{"a security event", `{"token_type":"Bearer","events":{}}`, refusal.ErrTokenType},
	} {
		if err := policy.CheckAnswerType(reader(t, tt.payload)); !errors.Is(err, tt.want) {
			t.Errorf("%s: CheckAnswerType() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Nothing but true is yes, and nothing but false is no.
func TestCheckActive(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]error{
		`{"active":true}`:   nil,
		`{"active":false}`:  refusal.ErrRevoked,
		`{"active":"true"}`: refusal.ErrAnswerUnavailable,
		`{"active":1}`:      refusal.ErrAnswerUnavailable,
		`{"active":null}`:   refusal.ErrAnswerUnavailable,
		`{"Active":true}`:   refusal.ErrAnswerUnavailable,
		`{}`:                refusal.ErrAnswerUnavailable,
	} {
		members, err := jws.ParseObject(nil, answer)
		if err != nil {
			t.Fatal(err)
		}
		if err := policy.CheckActive(members); !errors.Is(err, want) {
			t.Errorf("%s: CheckActive() error = %v, want %v", answer, err, want)
		} else if got, want := errors.Is(err, policy.ErrInactive), want == refusal.ErrRevoked; got != want {
			t.Errorf("%s: CheckActive() error = %v, that it is not active: %t, want %t", answer, err, got, want)
		}
	}
}
