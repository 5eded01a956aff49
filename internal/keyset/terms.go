package keyset

import "slices"

// terms are what may change of an issuer while its keys are where they were. They
// never change themselves.
type terms struct {
	aliases      []string
	reusesKeyIDs bool
}

// Adjust says anew what [Config.Aliases] and [Config.ReusesKeyIDs] have said. It
// counts for the requests that are begun afterwards; keys in hand stay.
func (s *Set) Adjust(aliases []string, reusesKeyIDs bool) {
	s.terms.Store(&terms{slices.Clone(aliases), reusesKeyIDs})
}

// ReusesKeyIDs returns what was said last of [Config.ReusesKeyIDs].
func (s *Set) ReusesKeyIDs() bool { return s.terms.Load().reusesKeyIDs }
