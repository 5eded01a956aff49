package policy_test

import (
	"strings"
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

// Who satisfies none of several demands is told of each.
func TestDemand_Or(t *testing.T) {
	t.Parallel()
	demand := policy.Demand{Claim: claims.Path{"a"}, Kind: policy.Present, Or: []policy.Demand{
		{Claim: claims.Path{"b"}, Kind: policy.Present}, {Claim: claims.Path{"c"}, Kind: policy.Present},
	}}
	err := demand.Check((&claims.Reader{}).Lookup, nil)
	for _, claim := range []string{"claim a ", "claim b ", "claim c "} {
		if err == nil || !strings.Contains(err.Error(), claim) {
			t.Errorf("got %v, want it to name %s", err, claim)
		}
	}
}

// Each shape of a claim beside each of the other that it has to differ from.
func TestDemand_Differs(t *testing.T) {
	t.Parallel()
	demand := policy.Demand{Claim: claims.Path{"sub"}, Kind: policy.Differs, Other: claims.Path{"of", "client"}}
	for _, tt := range []struct {
		name, sub, client string // nothing is missing
		want              bool
	}{
		{"different", `"alice"`, `"web"`, true},
		{"alike", `"web"`, `"web"`, false},
		{"alike, written otherwise", `"web"`, `"w\u0065b"`, false},
		{"in another case", `"Web"`, `"web"`, true},
		{"one of several", `"web"`, `["app","web"]`, false},
		{"none of several", `"web"`, `["app","other"]`, true},
		{"several of one", `["alice","web"]`, `"web"`, false},
		{"a number and its digits", `"7"`, `7`, false},
		{"another number", `"7"`, `8`, true},
		{"a number that may be alike", `"7"`, `7.0`, false},
		{"missing", "", `"web"`, false},
		{"the other missing", `"alice"`, "", false},
		{"null", "null", `"web"`, false},
		{"the other null", `"alice"`, "null", false},
		{"no values", "[]", `"web"`, false},
		{"the other without values", `"alice"`, "[ ]", false},
		{"the other an object", `"alice"`, `{"web":true}`, false},
	} {
		payload := `{"of":{}`
		if tt.client != "" {
			payload = `{"of":{"client":` + tt.client + `}`
		}
		if tt.sub != "" {
			payload += `,"sub":` + tt.sub
		}
		members, err := jws.ParseObject(nil, payload+"}")
		if err != nil {
			t.Fatal(err)
		}
		if err := demand.Check((&claims.Reader{Members: members}).Lookup, nil); (err == nil) != tt.want {
			t.Errorf("%s: Check() error = %v, want satisfied %t", tt.name, err, tt.want)
		}
	}
	members, err := jws.ParseObject(nil, `{"of":{"client":["app","web"]},"sub":"web"}`)
	if err != nil {
		t.Fatal(err)
	}
	const alike = `claim sub: got ["web"], want other values than those of of/client`
	if err := demand.Check((&claims.Reader{Members: members}).Lookup, nil); err == nil || err.Error() != alike {
		t.Errorf("got %v, want %s", err, alike)
	}
	members, err = jws.ParseObject(nil, `{"of":"a string","sub":"alice"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := demand.Check((&claims.Reader{Members: members}).Lookup, nil); err == nil {
		t.Error("a path through a string: satisfied")
	}
}

// What a claim holds is told in short, and in one line.
func TestDemand_Told(t *testing.T) {
	t.Parallel()
	number, list := "1."+strings.Repeat("0", 10_000), "["+strings.Repeat(" \n", 5_000)+"]"
	for _, tt := range []struct {
		name, value string
		demand      policy.Demand
	}{
		{"a long number", number, policy.Demand{Kind: policy.NotIn, Values: []string{"1"}}},
		{"a long number to compare", number, policy.Demand{Kind: policy.Differs, Other: claims.Path{"other"}}},
		{"a long list of nothing", list, policy.Demand{Kind: policy.Differs, Other: claims.Path{"other"}}},
		{"another number", number, policy.Demand{Kind: policy.In, Values: []string{"1"}}},
	} {
		members, err := jws.ParseObject(nil, `{"claim":`+tt.value+`,"other":"a"}`)
		if err != nil {
			t.Fatal(err)
		}
		tt.demand.Claim = claims.Path{"claim"}
		err = tt.demand.Check((&claims.Reader{Members: members}).Lookup, nil)
		if err == nil || len(err.Error()) > 300 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: Check() error = %.400v, want one short line", tt.name, err)
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
