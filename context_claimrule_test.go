package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Each demand on a claim of each shape: satisfied or not.
func TestClaimRule(t *testing.T) {
	t.Parallel()
	shapes := []struct{ name, text string }{
		{"missing", ""}, {"null", "null"}, {"string", `"a"`}, {"another string", `"b"`}, {"longer string", `"ab"`}, {"empty string", `""`},
		{"array", `["b","a"]`}, {"another array", `["b"]`}, {"empty array", "[]"}, {"mixed array", `["a",1]`},
		{"object", `{"a":1}`}, {"true", "true"}, {"number", "7"},
		{"empty object", "{ }"}, {"array of an empty one", "[[]]"}, {"false", "false"}, {"zero", "0"}, {"number with a fraction", "7.0"},
		{"number with an exponent", "7e0"}, {"a zero below", "-0"},
	}
	tests := []struct {
		rule oidcauth.ClaimRule
		want string // a letter for each shape: y satisfied, n not
	}{
		{oidcauth.ClaimRule{In: []string{"a"}}, "nnynnnynnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{In: []string{"x", "true", "7"}}, "nnnnnnnnnnnyynnnnnnn"},
		{oidcauth.ClaimRule{In: []string{"a"}, Optional: true}, "ynynnnynnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{NotIn: []string{"a"}}, "ynnyyynyynnyynnyynnn"},
		{oidcauth.ClaimRule{NotIn: []string{"true", "7"}}, "ynyyyyyyynnnnnnyynnn"},
		{oidcauth.ClaimRule{Present: true}, "nnyyynyynyyyynyyyyyy"},
		{oidcauth.ClaimRule{Absent: true}, "ynnnnnnnnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Prefix: []string{"a"}}, "nnynynynnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Prefix: []string{"x", "ab"}}, "nnnnynnnnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Prefix: []string{"x", "ab"}, Optional: true}, "ynnnynnnnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Suffix: []string{"b"}}, "nnnyynyynnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Suffix: []string{"x", "ab"}}, "nnnnynnnnnnnnnnnnnnn"},
		{oidcauth.ClaimRule{Suffix: []string{"ue"}, Optional: true}, "ynnnnnnnnnnynnnnnnnn"},
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	open := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range tests {
		if len(tt.want) != len(shapes) {
			t.Fatalf("%+v: %d verdicts for %d shapes", tt.rule, len(tt.want), len(shapes))
		}
		for _, path := range []oidcauth.Path{{"claim"}, {"outer", "claim"}} {
			tt.rule.Claim = path
			trusted.ClaimRules = []oidcauth.ClaimRule{tt.rule}
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			rule, err := tt.rule.Rule()
			if err != nil {
				t.Fatal(err)
			}
			for i, shape := range shapes {
				claims := map[string]any{}
				if shape.text != "" {
					claims["claim"] = json.RawMessage(shape.text)
				}
				if len(path) > 1 {
					claims = map[string]any{"outer": claims}
				}
				_, err := a.Authenticate(t.Context(), issuer.Token(claims))
				satisfied := tt.want[i] == 'y'
				if satisfied != (err == nil) || !satisfied && !errors.Is(err, oidcauth.ErrRule) {
					t.Errorf("%+v on %s: error = %v, want satisfied %v", tt.rule, shape.name, err, satisfied)
				}
				c, err := open.Authenticate(t.Context(), issuer.Token(claims))
				if err != nil {
					t.Fatal(err)
				}
				err = oidcauth.Require(oidcauth.NewContext(t.Context(), c), rule)
				if satisfied != (err == nil) || !satisfied && !errors.Is(err, oidcauth.ErrForbidden) {
					t.Errorf("%+v as a rule on %s: error = %v, want satisfied %v", tt.rule, shape.name, err, satisfied)
				}
			}
		}
	}
}

// A token that a client got for itself is refused where the subject has to differ from
// the client, in a description and as a rule of a program's own.
func TestClaimRule_Differs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"claim": ["sub"], "differs": ["client_id"]}`:                            true,
		`{"claim": ["sub"], "differs": []}`:                                       false,
		`{"claim": ["sub"], "differs": ["sub"]}`:                                  false,
		`{"claim": ["sub"], "differs": [""]}`:                                     false,
		`{"claim": ["sub"], "differs": ["client_id"], "not_in": ["a"]}`:           false,
		`{"claim": ["sub"], "differs": ["client_id"], "optional": true}`:          false,
		`{"claim": ["sub"], "in": ["a"], "or": [{"claim":["sub"],"differs":[]}]}`: false,
	} {
		var rule oidcauth.ClaimRule
		if err := json.Unmarshal([]byte(text), &rule); err != nil {
			t.Fatal(err)
		}
		if _, err := rule.Rule(); (err == nil) != want {
			t.Errorf("%s: Rule() error = %v, want a good rule: %t", text, err, want)
		}
	}
	differs := oidcauth.ClaimRule{Claim: oidcauth.Path{"sub"}, Differs: oidcauth.Path{"client_id"}}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	open := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	trusted.ClaimRules = []oidcauth.ClaimRule{differs}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	rule, err := differs.Rule()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		claims map[string]any
		good   bool
	}{
		{"a person", map[string]any{"client_id": "web"}, true},
		{"a client", map[string]any{"client_id": "alice"}, false},
		{"no client", nil, false},
	} {
		token := issuer.Token(row.claims)
		if _, err := a.Authenticate(t.Context(), token); (err == nil) != row.good || !row.good && !errors.Is(err, oidcauth.ErrRule) {
			t.Errorf("%s: Authenticate() error = %v, want accepted: %t", row.name, err, row.good)
		}
		c, err := open.Authenticate(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if err := oidcauth.Require(oidcauth.NewContext(t.Context(), c), rule); (err == nil) != row.good || !row.good && !errors.Is(err, oidcauth.ErrForbidden) {
			t.Errorf("%s: Require() error = %v, want allowed: %t", row.name, err, row.good)
		}
	}
}

// A rule of a program's own is refused where it demands nothing, and without a
// supplement nobody satisfies what is demanded of one, not even that it lacks a claim.
func TestClaimRule_Rule(t *testing.T) {
	t.Parallel()
	for _, wrong := range []oidcauth.ClaimRule{
		{}, {Claim: oidcauth.Path{"a"}}, {Claim: oidcauth.Path{"a"}, In: []string{}}, {Present: true},
	} {
		if rule, err := wrong.Rule(); err == nil || rule != nil {
			t.Errorf("%+v: Rule() = %t, %v, want an error", wrong, rule != nil, err)
		}
	}
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	c, err := a.Authenticate(t.Context(), issuer.Token(nil))
	if err != nil {
		t.Fatal(err)
	}
	for supplement, want := range map[bool]error{false: nil, true: oidcauth.ErrForbidden} {
		rule, err := oidcauth.ClaimRule{Claim: oidcauth.Path{"a"}, Absent: true, Supplement: supplement}.Rule()
		if err != nil {
			t.Fatal(err)
		}
		if err := oidcauth.Require(oidcauth.NewContext(t.Context(), c), rule); !errors.Is(err, want) {
			t.Errorf("of the supplement %t: error = %v, want %v", supplement, err, want)
		}
	}
}

// All rules of an issuer count, those on claims before the program's own.
// A rule about what is supplied judges a caller of whom nothing is as the issuer's
// description does: the claim is missing. So it does in a replay. Of an issuer that nobody
// is asked about, nobody knows.
func TestClaimRule_NothingSupplied(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule oidcauth.ClaimRule
		want bool
	}{
		{oidcauth.ClaimRule{Absent: true}, true},
		{oidcauth.ClaimRule{NotIn: []string{"x"}}, true},
		{oidcauth.ClaimRule{In: []string{"x"}, Optional: true}, true},
		{oidcauth.ClaimRule{In: []string{"x"}}, false},
		{oidcauth.ClaimRule{Present: true}, false},
	} {
		tt.rule.Claim, tt.rule.Supplement = oidcauth.Path{"groups"}, true
		rule, err := tt.rule.Rule()
		if err != nil {
			t.Fatal(err)
		}
		issuer, trusted := newIssuer(t, oidctest.Config{})
		alone := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
		asks := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		trusted.ClaimRules = []oidcauth.ClaimRule{tt.rule}
		demands := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		token := issuer.Token(nil)
		c := authenticate(t, asks, token)
		replayed, err := asks.UnverifiedClaims(c.Payload(), c.Supplement())
		if err != nil {
			t.Fatal(err)
		}
		_, refused := demands.Authenticate(t.Context(), token)
		for what, got := range map[string]bool{"the description": refused == nil, "the rule": rule(c) == nil, "the rule in a replay": rule(replayed) == nil} {
			if got != tt.want {
				t.Errorf("%+v: by %s: satisfied %t, want %t", tt.rule, what, got, tt.want)
			}
		}
		if rule(authenticate(t, alone, token)) == nil {
			t.Errorf("%+v: satisfied by a token of an issuer without Supplement", tt.rule)
		}
	}
}

func TestIssuer_AllRulesCount(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	asked := false
	trusted.ClaimRules = []oidcauth.ClaimRule{
		{Claim: oidcauth.Path{"a"}, Present: true}, {Claim: oidcauth.Path{"b"}, Present: true},
	}
	trusted.Rules = []oidcauth.Rule{func(*oidcauth.Claims) error { asked = true; return nil }}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, claims := range []map[string]any{{}, {"a": 1}, {"b": 1}} {
		if _, err := a.Authenticate(t.Context(), issuer.Token(claims)); !errors.Is(err, oidcauth.ErrRule) || asked {
			t.Errorf("with %v: error = %v, want %v; the program's rule asked: %v", claims, err, oidcauth.ErrRule, asked)
		}
	}
	if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"a": 1, "b": 1})); err != nil || !asked {
		t.Errorf("with both: error = %v; the program's rule asked: %v", err, asked)
	}
}

// The program's rules are asked at every use of a token: they may depend on
// more than its claims.
func TestIssuer_RulesAtEveryUse(t *testing.T) {
	t.Parallel()
	for _, cacheBytes := range []int64{0, -1} {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		var asked atomic.Int64
		var cause atomic.Pointer[error]
		trusted.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
			asked.Add(1)
			if c.Subject() != "alice" {
				t.Errorf("the rule saw subject %q", c.Subject())
			}
			if err := cause.Load(); err != nil {
				return *err
			}
			return nil
		}}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: cacheBytes})
		tok := issuer.Token(nil)
		for n := range int64(5) {
			if _, err := a.Authenticate(t.Context(), tok); err != nil || asked.Load() != n+1 {
				t.Errorf("use %d: error = %v, rule asked %d times", n, err, asked.Load())
			}
		}
		banned := errors.New("banned")
		cause.Store(&banned)
		if _, err := a.Authenticate(t.Context(), tok); !errors.Is(err, oidcauth.ErrRule) || !errors.Is(err, banned) {
			t.Errorf("Authenticate() error = %v, want %v by %v", err, oidcauth.ErrRule, banned)
		}
		cause.Store(nil)
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Errorf("Authenticate() error = %v once the rule is satisfied again", err)
		}
	}
}
