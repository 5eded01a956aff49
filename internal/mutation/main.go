// Command mutation asks whether the tests would notice if the code that decides were
// another: it makes one small change at a time (a condition turned round, a bound
// moved, a statement or an error or a table's entry left out), runs the tests of the
// package and of those made of it, and lists the changes that no test notices.
//
//	go run ./internal/mutation -n 50            a sample of all places
//	go run ./internal/mutation -list | wc -l    how many there are
//	go run ./internal/mutation -n 20 internal/jws internal/claims
//	go run ./internal/mutation -match 'ticket.go:177'
//
// The sample is that of -seed: the same seed and sources give the same sample. It
// takes a quarter of a minute for each change and processor.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"time"
)

// deciding are the packages that decide who is let in, and for how long.
var deciding = []string{
	".", "internal/jws", "internal/sigcheck", "internal/claims", "internal/policy", "internal/verify",
	"internal/keyset", "internal/keyring", "internal/strangers", "internal/revoked", "internal/ticket",
	"internal/alarm", "internal/tokencache", "internal/extract", "internal/forwarded", "internal/origin",
	"internal/supplement", "internal/roster", "internal/byvalue", "localissuer", "spacetime", "guard",
	"oauthbearer", "userinfo", "identity",
}

func main() {
	seed := flag.Uint64("seed", 1, "of the sample")
	n := flag.Int("n", 20, "changes to try; those that do not compile are not counted")
	workers := flag.Int("j", 2, "changes tried at once")
	limit := flag.Duration("timeout", 2*time.Minute, "for the tests of one package")
	list := flag.Bool("list", false, "print all places and try none")
	match := flag.String("match", "", "only places whose line of -list this regular expression matches")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	all, err := places(flag.Args(), *match)
	switch {
	case err != nil:
	case *list:
		for _, s := range all {
			fmt.Println(s)
		}
	default:
		var outcomes []outcome
		outcomes, err = tryAll(ctx, draw(all, *seed), *n, *workers, *limit)
		report(outcomes, len(all), *seed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// places returns the sites of some packages, of all that decide if none are named.
func places(dirs []string, match string) ([]site, error) {
	wanted, err := regexp.Compile(match)
	if err != nil {
		return nil, err
	}
	if len(dirs) == 0 {
		dirs = deciding
	}
	var all []site
	for _, dir := range dirs {
		found, err := sitesOf(dir)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if wanted.MatchString(s.String()) {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// tryAll tries changes in their order until n were tested.
func tryAll(ctx context.Context, drawn []site, n, workers int, limit time.Duration) ([]outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var outcomes []outcome
	counts, next := tally{}, 0
	take := func() (site, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(drawn) || counts.counted() >= n || ctx.Err() != nil {
			return site{}, false
		}
		next++
		return drawn[next-1], true
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for s, more := take(); more; s, more = take() {
				o, err := try(ctx, s, limit)
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				counts[o.verdict]++
				outcomes = append(outcomes, o)
				mu.Unlock()
				if o.verdict != invalid {
					fmt.Printf("%-9s %s\n", o.verdict, s)
				}
			}
		})
	}
	wg.Wait()
	return outcomes, context.Cause(ctx)
}

// report prints the counts and what survived.
func report(outcomes []outcome, places int, seed uint64) {
	counts := tally{}
	inOrder(outcomes)
	for _, o := range outcomes {
		counts[o.verdict]++
	}
	fmt.Printf("\nseed %d: %d of %d places: %d killed, %d timed out, %d survived (%.1f %% killed of those that ended); %d did not compile\n",
		seed, counts.counted(), places, counts[killed], counts[timedOut], counts[survived], 100*counts.share(), counts[invalid])
	for _, o := range outcomes {
		if o.verdict == survived {
			fmt.Println("survived", o.site)
		}
	}
}
