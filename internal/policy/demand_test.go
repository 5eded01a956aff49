package policy_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// Each demand on a claim of each shape: satisfied or not.
func TestDemand(t *testing.T) {
	t.Parallel()
	shapes := []struct{ name, text string }{
		{"missing", ""}, {"null", "null"}, {"string", `"a"`}, {"another string", `"b"`}, {"longer string", `"ab"`}, {"empty string", `""`},
		{"array", `["b","a"]`}, {"another array", `["b"]`}, {"empty array", "[ ]"}, {"mixed array", `["a",1]`},
		{"object", `{"a":1}`}, {"empty object", `{}`}, {"true", "true"}, {"number", "7"}, {"the number otherwise", "7.0"},
	}
	for _, tt := range []struct {
		demand policy.Demand
		want   string // a letter for each shape: y satisfied, n not
	}{
		{policy.Demand{Kind: policy.In, Values: []string{"a"}}, "nnynnnynnnnnnnn"},
		{policy.Demand{Kind: policy.In, Values: []string{"x", "true", "7"}}, "nnnnnnnnnnnnyyn"},
		{policy.Demand{Kind: policy.In, Values: []string{"a"}, Optional: true}, "ynynnnynnnnnnnn"},
		{policy.Demand{Kind: policy.NotIn, Values: []string{"a"}}, "ynnyyynyynnnyyn"},
		{policy.Demand{Kind: policy.NotIn, Values: []string{"true", "7"}}, "ynyyyyyyynnnnnn"},
		{policy.Demand{Kind: policy.Present}, "nnyyynyynyynyyy"},
		{policy.Demand{Kind: policy.Absent}, "ynnnnnnnnnnnnnn"},
		{policy.Demand{Kind: policy.Prefix, Values: []string{"a"}}, "nnynynynnnnnnnn"},
		{policy.Demand{Kind: policy.Prefix, Values: []string{"x", "ab"}, Optional: true}, "ynnnynnnnnnnnnn"},
		{policy.Demand{Kind: policy.Suffix, Values: []string{"b"}}, "nnnyynyynnnnnnn"},
		{policy.Demand{Kind: policy.Suffix, Values: []string{"ue"}, Optional: true}, "ynnnnnnnnnnnynn"},
		{policy.Demand{Kind: policy.Absent, Or: []policy.Demand{{Claim: claims.Path{"claim"}, Kind: policy.In, Values: []string{"b"}}}}, "ynnynnyynnnnnnn"},
	} {
		if len(tt.want) != len(shapes) {
			t.Fatalf("%+v: %d verdicts for %d shapes", tt.demand, len(tt.want), len(shapes))
		}
		tt.demand.Claim = claims.Path{"claim"}
		for i, shape := range shapes {
			payload := "{}"
			if shape.text != "" {
				payload = `{"claim":` + shape.text + `}`
			}
			members, err := jws.ParseObject(nil, payload)
			if err != nil {
				t.Fatal(err)
			}
			err = tt.demand.Check((&claims.Reader{Members: members}).Lookup, nil)
			if want := tt.want[i] == 'y'; (err == nil) != want {
				t.Errorf("%+v on %s: Check() error = %v, want satisfied %t", tt.demand, shape.name, err, want)
			}
		}
	}
}

func TestMediaType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		never    bool
	}{
		{"JWT", "jwt", false}, {"jwt", "jwt", false}, {"application/at+JWT", "at+jwt", false}, {"", "", false},
		{"application/logout+jwt", "logout+jwt", true}, {"DPoP+jwt", "dpop+jwt", true}, {"secevent+jwt", "secevent+jwt", true}, {"ticket+jwt", "ticket+jwt", true},
	} {
		got := policy.MediaType(tt.in)
		if got != tt.want || policy.NeverAuthenticates(got) != tt.never {
			t.Errorf("MediaType(%q) = %q, never authenticates %t, want %q, %t", tt.in, got, policy.NeverAuthenticates(got), tt.want, tt.never)
		}
	}
}
