package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// draw puts sites in the order in which a seed draws them. A place's rank is that of its
// id and the seed alone: the same seed and sources give the same order, so that anybody
// can draw a sample again, and where some sources are others, the rest stays in order.
func draw(sites []site, seed uint64) []site {
	rank := func(s site) uint64 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.id), seed))
		return binary.BigEndian.Uint64(sum[:])
	}
	drawn := slices.Clone(sites)
	slices.SortStableFunc(drawn, func(a, b site) int { return cmp.Compare(rank(a), rank(b)) })
	return drawn
}

// A verdict is what became of one change.
type verdict string

const (
	killed   verdict = "killed"    // a test fails
	timedOut verdict = "timed out" // a test does not end
	passed   verdict = "passed"    // the tests nearest to it pass, the others are to come
	survived verdict = "survived"  // all tests pass
	invalid  verdict = "invalid"   // it does not compile, and does not count
)

// A tally counts the verdicts of a sample.
type tally map[verdict]int

// counted returns how many changes of the sample were tested.
func (t tally) counted() int { return t[killed] + t[timedOut] + t[passed] + t[survived] }

// share returns the part of the changes that tests noticed, those aside whose tests
// did not end.
func (t tally) share() float64 {
	return float64(t[killed]) / float64(max(t[killed]+t[survived], 1))
}

// inOrder sorts outcomes by place.
func inOrder(outcomes []outcome) {
	slices.SortFunc(outcomes, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(a.site.file, b.site.file), cmp.Compare(a.site.start, b.site.start))
	})
}
