package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

// campaign tries changes in their order until n were tested, and reports.
func campaign(ctx context.Context, drawn []site, n, workers int, limit time.Duration, logged string) error {
	lab, err := newLaboratory(ctx, workers, limit)
	if err != nil {
		return err
	}
	defer lab.close()
	if lab.book, err = openLog(logged, drawn); err != nil {
		return err
	}
	defer lab.book.close()
	failed := lab.tryAll(ctx, drawn, n)
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	report(slices.Collect(maps.Values(lab.book.outcomes)), len(drawn), harmlessOf(text))
	return failed
}

// tryAll tries changes by the tests of their own packages until n were tested, and what
// these do not notice by all others that can. Those that go together are first.
func (l *laboratory) tryAll(ctx context.Context, drawn []site, n int) error {
	for more := true; more; more = len(l.book.untried(drawn, n)) > 0 {
		sites := slices.Concat(l.book.with(drawn, passed), l.book.untried(drawn, n))
		for _, alone := range []bool{false, true} {
			if err := l.rounds(ctx, sites, alone); err != nil {
				return err
			}
		}
	}
	for _, s := range l.book.with(drawn, passed) {
		if err := l.book.add(outcome{site: s, verdict: survived}); err != nil {
			return err
		}
	}
	return nil
}

// rounds tries changes by the tests of their own packages, and what these do not notice
// by the others.
func (l *laboratory) rounds(ctx context.Context, sites []site, alone bool) error {
	own := func(suites []string) []string { return suites[:1] }
	if err := l.round(ctx, l.book.with(sites, ""), alone, own); err != nil {
		return err
	}
	others := func(suites []string) []string { return suites[1:] }
	return l.round(ctx, l.book.with(sites, passed), alone, others)
}

// round tries changes by some of the packages whose tests can notice them, and by none
// once they are noticed.
func (l *laboratory) round(ctx context.Context, sites []site, alone bool, of func(suites []string) []string) error {
	bySuite := map[string][]site{}
	for _, s := range sites {
		for _, suite := range of(l.packages.suites(filepath.Dir(s.file))) {
			bySuite[suite] = append(bySuite[suite], s)
		}
	}
	suites := slices.Collect(maps.Keys(bySuite))
	slices.SortFunc(suites, func(a, b string) int {
		return cmp.Or(cmp.Compare(weight(a), weight(b)), cmp.Compare(a, b))
	})
	for _, suite := range suites {
		left := slices.DeleteFunc(bySuite[suite], func(s site) bool {
			v := l.book.verdictOf(s.id)
			return v != "" && v != passed
		})
		if err := l.tryBy(ctx, suite, left, alone); err != nil {
			return err
		}
	}
	return nil
}

// weight puts the root first, which is made of most, and last what sees the whole.
func weight(suite string) int {
	switch {
	case slices.Contains(whole, suite):
		return 2
	case suite == ".":
		return 0
	}
	return 1
}

// report prints the counts and what survived, of which some is known.
func report(outcomes []outcome, places int, harmless map[string]bool) {
	counts := tally{}
	inOrder(outcomes)
	for _, o := range outcomes {
		counts[o.verdict]++
	}
	fmt.Printf("\n%d of %d places: %d killed, %d timed out, %d survived (%.1f %% killed of those that ended); %d more did not compile\n",
		counts.counted(), places, counts[killed], counts[timedOut], counts[survived], 100*counts.share(), counts[invalid])
	for _, o := range outcomes {
		switch {
		case o.verdict == survived && harmless[o.site.id]:
			fmt.Println("harmless ", o.site)
		case o.verdict != killed && o.verdict != invalid:
			fmt.Printf("%-9s %s\n", o.verdict, o.site)
		}
	}
}

// document lists the survivors that are harmless, each with the reason.
const document = "internal/mutation/harmless.md"

var row = regexp.MustCompile(`(?m)^\| ([0-9a-f]{10}) \|`)

// harmlessOf returns the ids of the changes that a document lists.
func harmlessOf(text []byte) map[string]bool {
	ids := map[string]bool{}
	for _, match := range row.FindAllSubmatch(text, -1) {
		ids[string(match[1])] = true
	}
	return ids
}
