// Command mutation asks whether the tests would notice if the code that decides were
// another: it makes one small change at a time (a condition turned round, a bound
// moved, a statement or an error or a table's entry left out), runs the tests of the
// package and of those made of it, and lists the changes that no test notices.
//
//	go run ./internal/mutation -n 50            a sample of all places
//	go run ./internal/mutation -list | wc -l    how many there are
//	go run ./internal/mutation -n 20 internal/jws internal/claims
//	go run ./internal/mutation -match 'ticket.go:177'
//	go run ./internal/mutation -every internal/jws  all of a package
//
// The sample is that of -seed: the same seed and sources give the same sample. It
// takes about a second for each change and processor: most are compiled into one test
// binary for each package, in which a process turns on one of them, and runs the tests
// that come by it. A long run can be had in pieces: with -log, what was tried is written
// to a file, and not tried again by the same command. After tests are written for what
// survived, -match tries these places again.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

// deciding are the packages that decide who is let in, for how long, and what a
// stranger can make the server do.
var deciding = []string{
	".", "internal/jws", "internal/sigcheck", "internal/claims", "internal/policy", "internal/verify",
	"internal/keyset", "internal/keyring", "internal/disk", "internal/dirlock", "internal/fetch", "internal/strangers",
	"internal/revoked", "internal/ticket", "internal/clocks", "internal/alarm", "internal/watch",
	"internal/tokencache", "internal/extract", "internal/forwarded", "internal/proxied", "internal/origin",
	"internal/supplement", "internal/bound", "internal/roster", "internal/byvalue", "internal/panics",
	"internal/refusal", "internal/reply", "internal/quote", "internal/asked",
	"localissuer", "spacetime", "guard", "oauthbearer", "userinfo", "introspect", "identity",
	"possession", "dpop", "mtls", "adapters/natsauth", "adapters/grpcauth", "adapters/envoyauth",
}

func main() {
	seed := flag.Uint64("seed", 1, "of the sample")
	n := flag.Int("n", 20, "changes to try; those that do not compile are not counted")
	workers := flag.Int("j", 2, "changes tried at once")
	limit := flag.Duration("timeout", 5*time.Minute, "for the tests of one package, at most")
	list := flag.Bool("list", false, "print all places and try none")
	match := flag.String("match", "", "only places whose line of -list this regular expression matches")
	logged := flag.String("log", "", "a file of what was tried, which is not tried again")
	each := flag.Bool("every", false, "try all places")
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
	case *each:
		err = campaign(ctx, all, len(all), *workers, *limit, *logged)
	default:
		err = campaign(ctx, draw(all, *seed), *n, *workers, *limit, *logged)
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
