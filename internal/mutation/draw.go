package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// draw puts sites in the order in which a seed draws them. The same seed and the
// same sources give the same order, so that anybody can draw a sample again.
func draw(sites []site, seed uint64) []site {
	drawn := slices.Clone(sites)
	random := rand.New(rand.NewPCG(seed, 0))
	random.Shuffle(len(drawn), func(i, j int) { drawn[i], drawn[j] = drawn[j], drawn[i] })
	return drawn
}

// A verdict is what became of one change.
type verdict string

const (
	killed   verdict = "killed"    // a test fails
	timedOut verdict = "timed out" // a test does not end
	survived verdict = "survived"  // all tests pass
	invalid  verdict = "invalid"   // it does not compile, and does not count
)

// A tally counts the verdicts of a sample.
type tally map[verdict]int

// counted returns how many changes of the sample were tested.
func (t tally) counted() int { return t[killed] + t[timedOut] + t[survived] }

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
