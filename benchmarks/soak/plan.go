package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A kind is what an event is.
type kind string

const (
	outage kind = "outage" // the issuer answers nobody
	flood  kind = "flood"  // of tokens with key IDs that nobody has
	killed kind = "killed" // a NATS server
)

// An event is something that goes wrong, and ends. Its times count from the beginning.
type event struct {
	kind     kind
	how      string // an outage: 5xx, hang or refused
	member   int    // of the NATS servers
	from, to time.Duration
}

func (e event) String() string {
	what := string(e.kind)
	switch e.kind {
	case outage:
		what = "issuer " + e.how
	case killed:
		what = fmt.Sprintf("NATS server %d killed", e.member+1)
	}
	return fmt.Sprintf("%6.0f s to %6.0f s  %s", e.from.Seconds(), e.to.Seconds(), what)
}

// outages are the ways in which an issuer does not answer.
var outages = []string{"5xx", "hang", "refused"}

// members is the number of NATS servers.
const members = 3

// plan draws from a seed what goes wrong in a run of some length, in the order of its
// beginning. The last tenth is for recovering.
func plan(seed uint64, length time.Duration) []event {
	random := rand.New(rand.NewPCG(seed, 1))
	unit := min(time.Minute, length/6)
	between := func(least, most float64) time.Duration {
		return time.Duration((least + random.Float64()*(most-least)) * float64(unit))
	}
	trouble := length - min(unit, length/10)
	var events []event
	draw := func(e event, gap, lasts func() time.Duration, next func(*event)) {
		for at := gap(); ; at = e.to + gap() {
			e.from = at
			e.to = at + lasts()
			if e.to > trouble {
				return
			}
			next(&e)
			events = append(events, e)
		}
	}
	// After an outage servers wait for up to twice as long as it took.
	draw(event{kind: outage}, func() time.Duration { return between(1, 2.5) }, func() time.Duration { return between(.1, .5) },
		func(e *event) { e.how = outages[random.IntN(len(outages))] })
	draw(event{kind: flood}, func() time.Duration { return between(1, 3) }, func() time.Duration { return between(.3, .6) },
		func(*event) {})
	turn := random.IntN(members)
	draw(event{kind: killed}, func() time.Duration { return between(.75, 1.5) }, func() time.Duration { return between(.2, .6) },
		func(e *event) { e.member = turn % members; turn++ })
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.from, b.from) })
	return events
}
