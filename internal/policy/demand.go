package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Kind is what a [Demand] demands of a claim.
type Kind string

// The kinds of demand. A claim's values are the string itself, the strings of an
// array, or the text of a number or boolean.
const (
	In      Kind = "in"     // one value at least is among Values
	All     Kind = "all of" // each of Values is one
	NotIn   Kind = "not in" // none is
	Prefix  Kind = "prefix" // one value at least begins with one of Values
	Suffix  Kind = "suffix" // one value at least ends with one of Values
	Differs Kind = "other than"
	Present Kind = "present"
	Absent  Kind = "absent"
)

// A Demand is what one claim has to be.
type Demand struct {
	Claim    claims.Path
	Kind     Kind
	Values   []string
	Other    claims.Path // for Differs: the claim that must have no value of this one's
	Optional bool        // a missing claim will do
	Or       []Demand    // any of these will do instead

	// Supplement says that the claim is looked for in what supplements the token,
	// and there alone.
	Supplement bool
}

// Supplemented reports whether the demand cannot be judged by the token alone.
func (d *Demand) Supplemented() bool {
	return d.Supplement || slices.ContainsFunc(d.Or, func(other Demand) bool { return other.Supplemented() })
}

// A Lookup finds a claim. It fails where the path leads through something other
// than objects.
type Lookup func(claims.Path) (jws.Member, bool, error)

// Check reports how the payload fails the demand and, if it does, those beside it.
// What supplements the payload is looked up in supplement, nil if nothing does.
func (d *Demand) Check(payload, supplement Lookup) error {
	lookup := payload
	if d.Supplement {
		lookup = supplement
	}
	err := d.checkAlone(lookup)
	if err == nil || len(d.Or) == 0 {
		return err
	}
	for i := range d.Or {
		other := d.Or[i].Check(payload, supplement)
		if other == nil {
			return nil
		}
		err = fmt.Errorf("%w, and %w", err, other)
	}
	return err
}

func (d *Demand) checkAlone(lookup Lookup) error {
	m, found, err := lookup(d.Claim)
	switch {
	case err != nil:
		return fmt.Errorf("claim %s: %w", d.Claim, err)
	case !found:
		if d.Kind == Absent || d.Kind == NotIn || d.Optional {
			return nil
		}
		return fmt.Errorf("claim %s is missing", d.Claim)
	case d.Kind == Absent:
		return fmt.Errorf("claim %s is present, want absent", d.Claim)
	case d.Kind == Present:
		if claims.IsEmpty(m) {
			return fmt.Errorf("claim %s: got %s without anything in it, want a value", d.Claim, m.Kind)
		}
		return nil
	case d.Kind == Differs:
		return d.checkDiffers(m, lookup)
	}
	return d.checkValues(m)
}

// checkDiffers compares the claim with the other one. Both must have a value, and numbers
// the one spelling that they have, so that what is alike looks alike.
func (d *Demand) checkDiffers(m jws.Member, lookup Lookup) error {
	other, found, err := lookup(d.Other)
	switch {
	case err != nil:
		return fmt.Errorf("claim %s: %w", d.Other, err)
	case !found:
		return fmt.Errorf("claim %s is missing, and %s has to differ from it", d.Other, d.Claim)
	}
	var values [2][]string
	for n, of := range []jws.Member{m, other} {
		path := []claims.Path{d.Claim, d.Other}[n]
		if values[n], err = plainValues(of); err != nil {
			return fmt.Errorf("claim %s: %w", path, err)
		}
		if len(values[n]) == 0 || hasOtherSpellings(of) {
			return fmt.Errorf("claim %s: got %s, want a value that can be compared", path, refusal.Quote(of.Value))
		}
	}
	if slices.ContainsFunc(values[0], func(v string) bool { return slices.Contains(values[1], v) }) {
		return fmt.Errorf("claim %s: got %s, want other values than those of %s", d.Claim, refusal.QuoteAll(values[0]), d.Other)
	}
	return nil
}

func (d *Demand) checkValues(m jws.Member) error {
	values, err := plainValues(m)
	if err != nil {
		return fmt.Errorf("claim %s: %w", d.Claim, err)
	}
	if d.Kind == NotIn && hasOtherSpellings(m) {
		return fmt.Errorf("claim %s: got the number %s, want it in digits alone", d.Claim, refusal.Quote(m.Value))
	}
	if !d.satisfied(values) {
		return fmt.Errorf("claim %s: got %s, want %s %s", d.Claim, refusal.QuoteAll(values), d.Kind, refusal.QuoteAll(d.Values))
	}
	return nil
}

// satisfied reports whether the values of the claim are as demanded.
func (d *Demand) satisfied(values []string) bool {
	switch d.Kind {
	case All:
		return !slices.ContainsFunc(d.Values, func(v string) bool { return !slices.Contains(values, v) })
	case NotIn:
		return !slices.ContainsFunc(values, d.matches)
	}
	return slices.ContainsFunc(values, d.matches)
}

// matches reports whether a value of the claim is one of those that are compared.
func (d *Demand) matches(value string) bool {
	switch d.Kind {
	case Prefix:
		return slices.ContainsFunc(d.Values, func(p string) bool { return strings.HasPrefix(value, p) })
	case Suffix:
		return slices.ContainsFunc(d.Values, func(s string) bool { return strings.HasSuffix(value, s) })
	}
	return slices.Contains(d.Values, value)
}

// hasOtherSpellings reports whether a claim is a number that is not written in
// the one way that a whole number without exponent has.
func hasOtherSpellings(m jws.Member) bool {
	return m.Kind == jws.Number && (strings.ContainsAny(m.Value, ".eE") || m.Value == "-0")
}

// plainValues returns the values of a claim that a demand compares.
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
