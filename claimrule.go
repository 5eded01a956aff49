package oidcauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A ClaimRule is a demand on one claim, as data. It demands one thing: exactly
// one of In, NotIn, Prefix, Suffix, Present and Absent is set. A demand for
// several is several rules.
//
// The values of a claim are the string itself, the strings of an array, or the
// text of a number or boolean; they are compared byte for byte. A claim of any
// other shape breaks every rule about its values.
type ClaimRule struct {
	// Claim is where the claim is. Required.
	Claim Path `json:"claim"`

	// In demands that one value of the claim at least is among these.
	In []string `json:"in,omitempty"`

	// NotIn demands that no value of the claim is among these. A missing claim
	// satisfies it.
	NotIn []string `json:"not_in,omitempty"`

	// Prefix demands that one value of the claim at least begins with one of these.
	Prefix []string `json:"prefix,omitempty"`

	// Suffix demands that one value of the claim at least ends with one of these.
	Suffix []string `json:"suffix,omitempty"`

	// Present demands that the claim is there and not null.
	Present bool `json:"present,omitempty"`

	// Absent demands that the claim is not there, not even as null.
	Absent bool `json:"absent,omitempty"`

	// Optional lets a missing claim satisfy In, Prefix or Suffix. Null is not
	// missing.
	Optional bool `json:"optional,omitempty"`

	// Or are further rules: a token that satisfies any of them need not satisfy
	// this one. Empty means that it must.
	Or []ClaimRule `json:"or,omitempty"`
}

// compared returns the one list of values that is set, and what it is called.
func (r *ClaimRule) compared() (name string, values []string) {
	switch {
	case r.In != nil:
		return "in", r.In
	case r.NotIn != nil:
		return "not in", r.NotIn
	case r.Prefix != nil:
		return "prefix", r.Prefix
	case r.Suffix != nil:
		return "suffix", r.Suffix
	}
	return "", nil
}

func (r *ClaimRule) validate() error {
	if len(r.Claim) == 0 || slices.Contains(r.Claim, "") {
		return errors.New("claim rule: the path to the claim is empty or has an empty name")
	}
	demands := 0
	for _, set := range []bool{r.In != nil, r.NotIn != nil, r.Prefix != nil, r.Suffix != nil, r.Present, r.Absent} {
		if set {
			demands++
		}
	}
	name, values := r.compared()
	switch {
	case demands != 1:
		return fmt.Errorf("claim rule %s: got %d demands, want one of In, NotIn, Prefix, Suffix, Present and Absent", r.Claim, demands)
	case name != "" && len(values) == 0:
		return fmt.Errorf("claim rule %s %s: no values", r.Claim, name)
	case (r.Prefix != nil || r.Suffix != nil) && slices.Contains(values, ""):
		return fmt.Errorf("claim rule %s: an empty %s demands nothing", r.Claim, name)
	case r.Optional && (name == "" || r.NotIn != nil):
		return fmt.Errorf("claim rule %s: Optional is for In, Prefix and Suffix", r.Claim)
	}
	for i := range r.Or {
		if err := r.Or[i].validate(); err != nil {
			return err
		}
	}
	return nil
}

// clone copies the rule and all that it points to.
func (r *ClaimRule) clone() ClaimRule {
	c := *r
	c.Claim, c.In, c.NotIn = slices.Clone(r.Claim), slices.Clone(r.In), slices.Clone(r.NotIn)
	c.Prefix, c.Suffix, c.Or = slices.Clone(r.Prefix), slices.Clone(r.Suffix), cloneRules(r.Or)
	return c
}

func cloneRules(rules []ClaimRule) []ClaimRule {
	clone := make([]ClaimRule, len(rules))
	for i := range rules {
		clone[i] = rules[i].clone()
	}
	return clone
}

// A claimLookup finds a claim. It fails where the path leads through something
// other than objects.
type claimLookup func(Path) (jws.Member, bool, error)

// check reports how the payload breaks the rule and, if it does, those beside it.
func (r *ClaimRule) check(lookup claimLookup) error {
	err := r.checkAlone(lookup)
	if err == nil || len(r.Or) == 0 {
		return err
	}
	for i := range r.Or {
		other := r.Or[i].check(lookup)
		if other == nil {
			return nil
		}
		err = fmt.Errorf("%w, and %w", err, other)
	}
	return err
}

func (r *ClaimRule) checkAlone(lookup claimLookup) error {
	m, found, err := lookup(r.Claim)
	switch {
	case err != nil:
		return fmt.Errorf("claim %s: %w", r.Claim, err)
	case !found:
		if r.Absent || r.Optional || r.NotIn != nil {
			return nil
		}
		return fmt.Errorf("claim %s is missing", r.Claim)
	case r.Absent:
		return fmt.Errorf("claim %s is present, want absent", r.Claim)
	case r.Present:
		if m.Kind == jws.Null {
			return fmt.Errorf("claim %s is null, want a value", r.Claim)
		}
		return nil
	}
	return r.checkValues(m)
}

func (r *ClaimRule) checkValues(m jws.Member) error {
	values, err := plainValues(m)
	if err != nil {
		return fmt.Errorf("claim %s: %w", r.Claim, err)
	}
	if slices.ContainsFunc(values, r.matches) == (r.NotIn != nil) {
		name, wanted := r.compared()
		return fmt.Errorf("claim %s: got %s, want %s %s", r.Claim, quoteAll(values), name, quoteAll(wanted))
	}
	return nil
}

// matches reports whether a value of the claim is one of those that are compared.
func (r *ClaimRule) matches(value string) bool {
	switch {
	case r.Prefix != nil:
		return slices.ContainsFunc(r.Prefix, func(p string) bool { return strings.HasPrefix(value, p) })
	case r.Suffix != nil:
		return slices.ContainsFunc(r.Suffix, func(s string) bool { return strings.HasSuffix(value, s) })
	case r.NotIn != nil:
		return slices.Contains(r.NotIn, value)
	}
	return slices.Contains(r.In, value)
}

// plainValues returns the values of a claim that a rule compares.
func plainValues(m jws.Member) ([]string, error) {
	switch m.Kind {
	case jws.String:
		s, err := m.Text()
		return []string{s}, err
	case jws.Number, jws.Bool:
		return []string{m.Value}, nil
	case jws.Array:
		return m.AppendStrings(nil)
	}
	return nil, fmt.Errorf("got %s, want a string, a number, a boolean or an array of strings", m.Kind)
}
