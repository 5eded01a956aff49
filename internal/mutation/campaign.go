package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"sync"
	"time"
)

// campaign tries changes in their order until n were tested, and reports.
func campaign(ctx context.Context, drawn []site, n, workers int, limit time.Duration, logged string) error {
	lab, err := newLaboratory(ctx, limit)
	if err != nil {
		return err
	}
	defer lab.close()
	book, err := openLog(logged, drawn)
	if err != nil {
		return err
	}
	defer book.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The quick answers first.
	for _, known := range []verdict{"", passed} {
		next := taker(drawn, n, book, known)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for s, more := next(); more && ctx.Err() == nil; s, more = next() {
					o, err := lab.try(ctx, s, known)
					if err == nil {
						err = book.add(o)
					}
					if err != nil {
						cancel(err)
					}
				}
			})
		}
		wg.Wait()
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	report(slices.Collect(maps.Values(book.outcomes)), len(drawn), harmlessOf(text))
	return context.Cause(ctx)
}

// taker returns a function that gives out the changes of which so much is known, in
// their order. With nothing known these are as many as are missing to n; those that are
// being tried count.
func taker(drawn []site, n int, book *log, known verdict) func() (site, bool) {
	var mu sync.Mutex
	next := 0
	running := map[string]bool{}
	return func() (site, bool) {
		mu.Lock()
		defer mu.Unlock()
		for id := range running {
			if book.verdictOf(id) != known {
				delete(running, id)
			}
		}
		for ; next < len(drawn) && (known != "" || book.counted()+len(running) < n); next++ {
			if s := drawn[next]; book.verdictOf(s.id) == known {
				next++
				running[s.id] = true
				return s, true
			}
		}
		return site{}, false
	}
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
const document = "docs/mutation.md"

var row = regexp.MustCompile(`(?m)^\| ([0-9a-f]{10}) \|`)

// harmlessOf returns the ids of the changes that a document lists.
func harmlessOf(text []byte) map[string]bool {
	ids := map[string]bool{}
	for _, match := range row.FindAllSubmatch(text, -1) {
		ids[string(match[1])] = true
	}
	return ids
}
