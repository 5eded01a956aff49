// Package roster puts descriptions of issuers in order: which belong to one issuer,
// by which names it is found, and whether any two could give two callers one
// identity. It knows nothing of what else a description says.
package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Description is what places an issuer's description among others.
type Description struct {
	URL     string
	Aliases []string
	Name    string // of the description
	Prefix  string // of its subjects
	// Match reports whether a template stands for an issuer. It is nil where URL is
	// an issuer's name.
	Match func(issuer string) bool
}

// A Place is what a description has to know of the others.
type Place struct {
	// Reserved are what its subjects must not begin with: with that begin those of
	// other descriptions of the issuer. They are sorted.
	Reserved []string

	// Except are the issuers that a template does not stand for, because they have
	// descriptions of their own. They are sorted.
	Except []string
}

// Equal reports whether two places are the same.
func (p Place) Equal(other Place) bool {
	return slices.Equal(p.Reserved, other.Reserved) && slices.Equal(p.Except, other.Except)
}

// Arrange places descriptions, in their order. SameSubjects tells of two, by their
// positions, whether a subject of the one is the same caller as that subject of the
// other: whether the same keys sign for it, and the same claims make it. The error
// is the first contradiction, and names the issuer.
func Arrange(all []Description, sameSubjects func(i, j int) bool) ([]Place, error) {
	places, byURL, owners := make([]Place, len(all)), map[string]int{}, map[string]int{}
	groups := [][]int{}
	for i := range all {
		g, known := byURL[all[i].URL]
		if !known {
			g = len(groups)
			byURL[all[i].URL], groups = g, append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	for g, members := range groups {
		first := &all[members[0]]
		if err := checkGroup(all, members, sameSubjects); err != nil {
			return nil, fmt.Errorf("issuer %q: %w", first.URL, err)
		}
		for _, name := range append([]string{first.URL}, first.Aliases...) {
			if _, taken := owners[name]; taken {
				return nil, fmt.Errorf("issuer %q is configured twice", name)
			}
			owners[name] = g
		}
		for _, i := range members {
			places[i].Reserved = reserved(all, members, i)
		}
	}
	for i := range all {
		places[i].Except = except(all, &all[i])
	}
	return places, nil
}

// checkGroup checks the descriptions of one issuer.
func checkGroup(all []Description, members []int, sameSubjects func(i, j int) bool) error {
	for n, i := range members {
		d := &all[i]
		if len(members) > 1 && d.Name == "" {
			return errors.New("it is described twice or more, and not always with a Name: set another in each")
		}
		for _, j := range members[:n] {
			other := &all[j]
			switch {
			case d.Name == other.Name:
				return fmt.Errorf("two of its descriptions have the Name %q", d.Name)
			case !sameNames(d.Aliases, other.Aliases):
				return fmt.Errorf("its descriptions %q and %q have other Aliases: they are names of the issuer, the same for all", other.Name, d.Name)
			case d.Prefix == other.Prefix && !sameSubjects(j, i):
				return fmt.Errorf("its descriptions %q and %q have other keys or another Subject, so that one subject may be two callers: say the same of both where it is one, or set SubjectPrefix in one of them", other.Name, d.Name)
			}
		}
	}
	return nil
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// reserved returns what the subjects of a description must not begin with.
func reserved(all []Description, members []int, i int) []string {
	var found []string
	for _, j := range members {
		if p := all[j].Prefix; p != all[i].Prefix && strings.HasPrefix(p, all[i].Prefix) {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// except returns the issuers that a template does not stand for.
func except(all []Description, d *Description) []string {
	if d.Match == nil {
		return nil
	}
	var found []string
	for i := range all {
		for _, name := range append([]string{all[i].URL}, all[i].Aliases...) {
			if d.Match(name) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
