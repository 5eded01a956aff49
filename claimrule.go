package oidcauth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// A ClaimRule is a demand on one claim, as data. It demands one thing: exactly
// one of In, All, NotIn, Prefix, Suffix, Present and Absent is set. A demand for
// several is several rules.
//
// The values of a claim are the string itself, the strings of an array, or the
// text of a number or boolean; they are compared byte for byte. A claim of any
// other shape breaks every rule about its values, and so does an array with
// anything in it but strings.
type ClaimRule struct {
	// Claim is where the claim is. Required.
	Claim Path `json:"claim"`

	// Supplement says that the claim is looked for in the answer of
	// [Issuer.Supplement], and there alone. False means in the token alone.
	Supplement bool `json:"supplement,omitempty"`

	// In demands that one value of the claim at least is among these.
	In []string `json:"in,omitempty"`

	// All demands that each of these is a value of the claim.
	All []string `json:"all,omitempty"`

	// NotIn demands that no value of the claim is among these. A missing claim
	// satisfies it. A number in a spelling that others of the same value have (1.0,
	// 1e0, -0) does not: it cannot be told from those listed.
	NotIn []string `json:"not_in,omitempty"`

	// Prefix demands that one value of the claim at least begins with one of these.
	Prefix []string `json:"prefix,omitempty"`

	// Suffix demands that one value of the claim at least ends with one of these.
	Suffix []string `json:"suffix,omitempty"`

	// Present demands that the claim is there and holds something: that it is not
	// null and no empty string, array or object.
	Present bool `json:"present,omitempty"`

	// Absent demands that the claim is not there, not even as null.
	Absent bool `json:"absent,omitempty"`

	// Optional lets a missing claim satisfy In, All, Prefix or Suffix. Null is not
	// missing.
	Optional bool `json:"optional,omitempty"`

	// Or are further rules: a token that satisfies any of them need not satisfy
	// this one. Empty means that it must.
	Or []ClaimRule `json:"or,omitempty"`
}

// compared returns the one list of values that is set, and how it is compared.
func (r *ClaimRule) compared() (kind policy.Kind, values []string) {
	switch {
	case r.In != nil:
		return policy.In, r.In
	case r.All != nil:
		return policy.All, r.All
	case r.NotIn != nil:
		return policy.NotIn, r.NotIn
	case r.Prefix != nil:
		return policy.Prefix, r.Prefix
	case r.Suffix != nil:
		return policy.Suffix, r.Suffix
	}
	return "", nil
}

func (r *ClaimRule) validate() error {
	if !r.Claim.IsValid() {
		return errors.New("claim rule: the path to the claim is empty or has an empty name")
	}
	demands := 0
	for _, set := range []bool{r.In != nil, r.All != nil, r.NotIn != nil, r.Prefix != nil, r.Suffix != nil, r.Present, r.Absent} {
		if set {
			demands++
		}
	}
	kind, values := r.compared()
	switch {
	case demands != 1:
		return fmt.Errorf("claim rule %s: got %d demands, want one of In, All, NotIn, Prefix, Suffix, Present and Absent", r.Claim, demands)
	case kind != "" && len(values) == 0:
		return fmt.Errorf("claim rule %s %s: no values", r.Claim, kind)
	case (r.Prefix != nil || r.Suffix != nil) && slices.Contains(values, ""):
		return fmt.Errorf("claim rule %s: an empty %s demands nothing", r.Claim, kind)
	case r.Optional && (kind == "" || r.NotIn != nil):
		return fmt.Errorf("claim rule %s: Optional is for In, All, Prefix and Suffix", r.Claim)
	}
	for i := range r.Or {
		if err := r.Or[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

// vouchesFor reports whether every token that satisfies the rule says of a claim that
// it is "true", or has none.
func (r *ClaimRule) vouchesFor(verified Path) bool {
	return slices.Equal(r.Claim, verified) && !r.Supplement && !r.Optional && len(r.Or) == 0 && (r.Absent || slices.Equal(r.In, []string{"true"}))
}

// demand returns what a valid rule demands, with copies of all that it holds.
func (r *ClaimRule) demand() policy.Demand {
	d := policy.Demand{Claim: slices.Clone(r.Claim), Optional: r.Optional, Or: demands(r.Or), Supplement: r.Supplement}
	switch {
	case r.Present:
		d.Kind = policy.Present
	case r.Absent:
		d.Kind = policy.Absent
	default:
		var values []string
		d.Kind, values = r.compared()
		d.Values = slices.Clone(values)
	}
	return d
}

func demands(rules []ClaimRule) []policy.Demand {
	all := make([]policy.Demand, len(rules))
	for i := range rules {
		all[i] = rules[i].demand()
	}
	return all
}

// A Path leads to a claim by its member names from the top of the payload:
// Path{"realm_access", "roles"}. Names are matched exactly. It is a []string, with
// the methods String, which joins the names with "/", and IsValid, which is false
// of one without names or with an empty one. [Issuer.Subject] and others hold it.
type Path = claims.Path
