package oidcauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// A ClaimRule is a demand on one claim, as data.
type ClaimRule struct {
	// Claim is where the claim is. Required.
	Claim Path `json:"claim"`

	// Op is what is demanded. Required.
	Op ClaimOp `json:"op"`

	// Values are what Op compares with, byte for byte. Required, except that
	// [ClaimPresent] and [ClaimAbsent] take none.
	Values []string `json:"values,omitempty"`

	// Or are further rules: a token that satisfies any of them need not satisfy
	// this one. Empty means that it must.
	Or []ClaimRule `json:"or,omitempty"`
}

// A ClaimOp says what a [ClaimRule] demands. A claim's values are the string
// itself, the strings of an array, or the text of a number or boolean.
type ClaimOp string

const (
	// ClaimIn demands the claim, with one value at least among Values.
	ClaimIn ClaimOp = "in"
	// ClaimAbsentOrIn is [ClaimIn] for a claim that may be missing.
	ClaimAbsentOrIn ClaimOp = "absent-or-in"
	// ClaimNotIn demands that no value of the claim is among Values; a missing
	// claim satisfies it. A number in a spelling that others of the same value have
	// (1.0, 1e0, -0) does not: it cannot be told from those in Values.
	ClaimNotIn ClaimOp = "not-in"
	// ClaimPresent demands that the claim is there and holds something: that it is
	// not null and no empty string, array or object.
	ClaimPresent ClaimOp = "present"
	// ClaimAbsent demands that the claim is not there.
	ClaimAbsent ClaimOp = "absent"
	// ClaimPrefix demands the claim, with one value at least that begins with one of Values.
	ClaimPrefix ClaimOp = "prefix"
)

func (r ClaimRule) validate() error {
	if len(r.Claim) == 0 || slices.Contains(r.Claim, "") {
		return fmt.Errorf("claim rule: the path to the claim is empty or has an empty name")
	}
	switch r.Op {
	case ClaimIn, ClaimAbsentOrIn, ClaimNotIn, ClaimPrefix:
		if len(r.Values) == 0 {
			return fmt.Errorf("claim rule %s %s: Values is empty", r.Claim, r.Op)
		}
	case ClaimPresent, ClaimAbsent:
		if len(r.Values) > 0 {
			return fmt.Errorf("claim rule %s %s: takes no Values", r.Claim, r.Op)
		}
	default:
		return fmt.Errorf("claim rule %s: unknown op %q", r.Claim, r.Op)
	}
	if r.Op == ClaimPrefix && slices.Contains(r.Values, "") {
		return fmt.Errorf("claim rule %s %s: an empty prefix demands nothing", r.Claim, r.Op)
	}
	for _, alternative := range r.Or {
		if err := alternative.validate(); err != nil {
			return err
		}
	}
	return nil
}

// A claimLookup finds a claim. It fails where the path leads through something
// other than objects.
type claimLookup func(Path) (jws.Member, bool, error)

// check reports how the payload breaks the rule and, if it does, those beside it.
func (r ClaimRule) check(lookup claimLookup) error {
	err := r.checkAlone(lookup)
	if err == nil || len(r.Or) == 0 {
		return err
	}
	for _, alternative := range r.Or {
		other := alternative.check(lookup)
		if other == nil {
			return nil
		}
		err = fmt.Errorf("%w, and %w", err, other)
	}
	return err
}

func (r ClaimRule) checkAlone(lookup claimLookup) error {
	m, found, err := lookup(r.Claim)
	if err != nil {
		return fmt.Errorf("claim %s: %w", r.Claim, err)
	}
	if !found {
		return r.checkMissing()
	}
	switch r.Op {
	case ClaimAbsent:
		return fmt.Errorf("claim %s is present, want absent", r.Claim)
	case ClaimPresent:
		if isEmpty(m) {
			return fmt.Errorf("claim %s: got %s without anything in it, want a value", r.Claim, m.Kind)
		}
		return nil
	}
	return r.checkValues(m)
}

func (r ClaimRule) checkMissing() error {
	switch r.Op {
	case ClaimAbsent, ClaimAbsentOrIn, ClaimNotIn:
		return nil
	}
	return fmt.Errorf("claim %s is missing", r.Claim)
}

func (r ClaimRule) checkValues(m jws.Member) error {
	values, err := plainValues(m)
	if err != nil {
		return fmt.Errorf("claim %s: %w", r.Claim, err)
	}
	if r.Op == ClaimNotIn && hasOtherSpellings(m) {
		return fmt.Errorf("claim %s: got the number %s, want it in digits alone", r.Claim, m.Value)
	}
	matches := func(v string) bool { return slices.Contains(r.Values, v) }
	if r.Op == ClaimPrefix {
		matches = func(v string) bool {
			return slices.ContainsFunc(r.Values, func(p string) bool { return strings.HasPrefix(v, p) })
		}
	}
	if slices.ContainsFunc(values, matches) == (r.Op == ClaimNotIn) {
		return fmt.Errorf("claim %s: got %s, want %s %s", r.Claim, quoteAll(values), r.Op, quoteAll(r.Values))
	}
	return nil
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
