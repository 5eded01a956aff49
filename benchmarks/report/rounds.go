package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// floor is the peer that every figure is compared with.
const floor = "bare"

// key names one measurement of one peer.
type key struct{ what, algorithm, temperature, peer string }

// sample is what one round gave. The time is that of the processor, which
// other programs hardly disturb, but for parallel measurements, and where the
// system does not tell it, that on the wall.
type sample struct {
	ns     float64
	wall   float64
	bytes  int64
	allocs int64
}

// samples holds one sample a round for each key.
type samples map[key][]sample

// spread is a median with the quartiles around it.
type spread struct{ Low, Median, High float64 }

// group is a set of cases that are measured one right after the other.
type group struct {
	what         string
	algorithms   []string
	temperatures []string
}

func groups() []group {
	all, one := idp.Algorithms(), []string{idp.RS256}
	first, both := []string{harness.Cold}, []string{harness.Cold, harness.Hot}
	return []group{
		{harness.Authenticate, all, first},
		{harness.Authenticate, one, []string{harness.Hot}},
		{harness.AuthenticateParallel, one, both},
		{harness.Middleware, one, both},
		{harness.Alone, all, first},
		{harness.Alone, one, []string{harness.Hot}},
		{harness.MiddlewareAlone, one, both},
	}
}

// interleave runs the rounds.
func interleave(ctx context.Context, s settings) (samples, error) {
	suite, err := harness.NewSuite(s.quick)
	if err != nil {
		return nil, err
	}
	defer suite.Close()
	taken := make(samples)
	for round := range s.rounds {
		log.Printf("round %d of %d", round+1, s.rounds)
		for _, g := range groups() {
			for _, algorithm := range g.algorithms {
				for _, temperature := range g.temperatures {
					cases := suite.Cases(g.what, []string{algorithm}, temperature)
					if err := taken.add(ctx, cases); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return taken, nil
}

// crowds runs the rounds with a hundred thousand tokens. They come last and
// apart: so large a heap would spare the others collections.
func crowds(ctx context.Context, s settings, taken samples) error {
	suite, err := harness.NewSuite(s.quick)
	if err != nil {
		return err
	}
	defer suite.Close()
	log.Print("crowd")
	for range s.rounds {
		for _, what := range []string{harness.Authenticate, harness.Alone} {
			cases := suite.Cases(what, []string{idp.EdDSA}, harness.Crowd)
			if err := taken.add(ctx, cases); err != nil {
				return err
			}
		}
	}
	return nil
}

// add runs cases in random order.
func (m samples) add(ctx context.Context, cases []harness.Case) error {
	rand.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		runtime.GC()
		result := testing.Benchmark(c.Run)
		if result.N == 0 {
			return fmt.Errorf("%s/%s failed; go test -bench says why", c.What, c.Name())
		}
		k := key{c.What, c.Algorithm, c.Temperature, c.Peer}
		m[k] = append(m[k], sample{
			ns:     nanoseconds(c, result),
			wall:   float64(result.T.Nanoseconds()) / float64(result.N),
			bytes:  result.AllocedBytesPerOp(),
			allocs: result.AllocsPerOp(),
		})
	}
	return nil
}

func nanoseconds(c harness.Case, result testing.BenchmarkResult) float64 {
	if cpu := result.Extra[harness.CPUMetric]; cpu > 0 && !strings.HasSuffix(c.What, "Parallel") {
		return cpu
	}
	return float64(result.T.Nanoseconds()) / float64(result.N)
}

// speedup returns how many times as much every core does as one, by the time on
// the wall.
func (m samples) speedup(one, every key) spread {
	over, under := m[one], m[every]
	ratios := make([]float64, min(len(over), len(under)))
	for n := range ratios {
		ratios[n] = over[n].wall / under[n].wall
	}
	return spreadOf(ratios)
}

// ratio divides the times of a by those of b, round by round.
func (m samples) ratio(a, b key) spread {
	over, under := m[a], m[b]
	ratios := make([]float64, min(len(over), len(under)))
	for n := range ratios {
		ratios[n] = over[n].ns / under[n].ns
	}
	return spreadOf(ratios)
}

// time returns the nanoseconds of an operation.
func (m samples) time(k key) spread {
	times := make([]float64, len(m[k]))
	for n, s := range m[k] {
		times[n] = s.ns
	}
	return spreadOf(times)
}

// memory returns the bytes and allocations of an operation: the smallest of
// the rounds, since only strangers' work adds to them.
func (m samples) memory(k key) (bytes, allocs int64) {
	for n, s := range m[k] {
		if n == 0 || s.bytes < bytes {
			bytes = s.bytes
		}
		if n == 0 || s.allocs < allocs {
			allocs = s.allocs
		}
	}
	return bytes, allocs
}

func (m samples) has(k key) bool { return len(m[k]) > 0 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	return spread{quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)}
}

// quantile interpolates between the two values that lie around it.
func quantile(sorted []float64, share float64) float64 {
	place := share * float64(len(sorted)-1)
	below := int(place)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + (place-float64(below))*(sorted[below+1]-sorted[below])
}
