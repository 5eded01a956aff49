package main

import (
	"context"
	"fmt"
	"maps"
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
	report(slices.Collect(maps.Values(book.outcomes)), len(drawn))
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

// report prints the counts and what survived.
func report(outcomes []outcome, places int) {
	counts := tally{}
	inOrder(outcomes)
	for _, o := range outcomes {
		counts[o.verdict]++
	}
	fmt.Printf("\n%d of %d places: %d killed, %d timed out, %d survived (%.1f %% killed of those that ended); %d more did not compile\n",
		counts.counted(), places, counts[killed], counts[timedOut], counts[survived], 100*counts.share(), counts[invalid])
	for _, o := range outcomes {
		if o.verdict != killed && o.verdict != invalid {
			fmt.Printf("%-9s %s\n", o.verdict, o.site)
		}
	}
}
