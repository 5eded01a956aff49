package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/process"
)

// A result is how a server fared under one load.
type result struct {
	server      string
	connections int
	connecting  time.Duration // until everybody was in
	// What the process holds: before anybody came, when all are there and nobody
	// says anything, at the end of the load, and the most there was.
	empty, idle, loaded, peak int64
	cpu, clients              time.Duration // of the server and of all clients during the load
	waits                     []time.Duration
}

func (r result) at(share float64) time.Duration {
	if len(r.waits) == 0 {
		return 0
	}
	return r.waits[int(share*float64(len(r.waits)-1))]
}

// each returns the part of one connection, in bytes.
func (r result) each(resident int64) int64 { return (resident - r.empty) / int64(r.connections) }

func (r result) String() string {
	return fmt.Sprintf("%-10s  delivered %d; half in %v, 99 %% in %v, 99.9 %% in %v, all in %v\n"+
		"            memory: empty %s, idle %s (%.1f KiB a connection), loaded %s (%.1f KiB), at most %s\n"+
		"            processor: server %v, clients %v; everybody was in after %v",
		r.server, len(r.waits), ms(r.at(.5)), ms(r.at(.99)), ms(r.at(.999)), ms(r.at(1)),
		mib(r.empty), mib(r.idle), float64(r.each(r.idle))/1024, mib(r.loaded), float64(r.each(r.loaded))/1024, mib(r.peak),
		r.cpu, r.clients, ms(r.connecting))
}

// figures are what is compared, by name.
var figures = []struct {
	name string
	of   func(result) float64
}{
	{"50th percentile", func(r result) float64 { return float64(r.at(.5)) }},
	{"99th percentile", func(r result) float64 { return float64(r.at(.99)) }},
	{"99.9th percentile", func(r result) float64 { return float64(r.at(.999)) }},
	{"memory, idle", func(r result) float64 { return float64(r.idle) }},
	{"memory, loaded", func(r result) float64 { return float64(r.loaded) }},
	{"memory, at most", func(r result) float64 { return float64(r.peak) }},
	{"memory a connection, idle", func(r result) float64 { return float64(r.each(r.idle)) }},
	{"memory a connection, loaded", func(r result) float64 { return float64(r.each(r.loaded)) }},
	{"processor time", func(r result) float64 { return float64(r.cpu) }},
}

// sum prints the median of the rounds' ratios of the first server to the others.
func (s settings) sum(servers []server, results map[string][]result) error {
	first := servers[0].name
	for _, other := range servers[1:] {
		fmt.Printf("\n%s as a multiple of %s, median of %d rounds:\n", first, other.name, s.rounds)
		for _, figure := range figures {
			var ratios []float64
			for round, r := range results[first] {
				ratios = append(ratios, figure.of(r)/figure.of(results[other.name][round]))
			}
			slices.Sort(ratios)
			fmt.Printf("  %-28s %.2f\n", figure.name, (ratios[len(ratios)/2]+ratios[(len(ratios)-1)/2])/2)
		}
	}
	return nil
}

func ms(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// ownCPU returns what this process, the clients', has used.
func ownCPU() time.Duration { return (&process.Process{ID: os.Getpid()}).CPU() }
