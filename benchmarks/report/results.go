package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

//go:embed results.md.tmpl
var page string

// results is all that the report found.
type results struct {
	Rounds     int
	Time       time.Duration
	Machine    machine
	Peers      []peers.Peer
	Faults     []refusals.Case
	Floods     []floodRow
	Storms     []stormRow
	Outages    []outageRow
	Starts     []startRow
	Clients    int
	Kept       []keptRow
	KeptCount  int
	TokenBytes int
	samples    samples
}

// keptRow is the memory that one peer keeps for a verified token.
type keptRow struct {
	Peer  string
	Bytes float64
}

// measure takes every measurement of the report.
func measure(ctx context.Context, s settings) (*results, error) {
	r := &results{
		Rounds:    s.rounds,
		Time:      s.time,
		Machine:   thisMachine(),
		Peers:     peers.All(),
		Faults:    refusals.All(),
		Clients:   harness.StormClients,
		KeptCount: 100_000,
	}
	if s.quick {
		r.Clients /= 20
		r.KeptCount /= 50
	}
	var err error
	if r.samples, err = interleave(ctx, s); err != nil {
		return nil, err
	}
	if err := crowds(ctx, s, r.samples); err != nil {
		return nil, err
	}
	if err := r.startups(ctx); err != nil {
		return nil, err
	}
	if r.Floods, err = floods(ctx, s); err != nil {
		return nil, err
	}
	if r.Storms, err = storms(ctx, r.Clients); err != nil {
		return nil, err
	}
	if r.Outages, err = outages(ctx); err != nil {
		return nil, err
	}
	return r, r.weigh(ctx)
}

// weigh measures the memory of kept tokens and the length of a token.
func (r *results) weigh(ctx context.Context) error {
	issuer, err := idp.Offline()
	if err != nil {
		return err
	}
	r.TokenBytes = len(issuer.Token(idp.RS256, 0))
	for _, p := range r.Peers {
		if !p.KeepsTokens {
			continue
		}
		log.Printf("memory: %s", p.Name)
		kept, err := harness.MemoryPerToken(ctx, p, r.KeptCount)
		if err != nil {
			return err
		}
		r.Kept = append(r.Kept, keptRow{p.Name, kept})
	}
	return nil
}

// write writes the results as Markdown.
func (r *results) write(w io.Writer) error {
	parsed, err := template.New("results").Funcs(template.FuncMap{
		"code":     func(s string) string { return "`" + s + "`" },
		"contains": slices.Contains[[]string],
		"join":     strings.Join,
		"ms":       func(d time.Duration) string { return fmt.Sprintf("%.0f", d.Seconds()*1000) },
		"versions": versions,
	}).Parse(page)
	if err != nil {
		return err
	}
	return parsed.Execute(w, r)
}

// Cold returns the ratio to the floor, when every signature is checked.
func (r *results) Cold(peer, algorithm string) string {
	k := key{harness.Authenticate, algorithm, harness.Cold, peer}
	ratio := r.coldRatio(k)
	if !r.samples.has(k) {
		return "–"
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", ratio.Median, ratio.Low, ratio.High)
}

func (r *results) coldRatio(k key) spread {
	return r.samples.ratio(k, key{harness.Authenticate, k.algorithm, harness.Cold, floor})
}

// AloneCold is Cold for a token whose claims are not read.
func (r *results) AloneCold(peer, algorithm string) string {
	k := key{harness.Alone, algorithm, harness.Cold, peer}
	ratio := r.coldRatio(k)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", ratio.Median, ratio.Low, ratio.High)
}

// Took returns the time of an operation with an RS256 token.
func (r *results) Took(what, temperature, peer string) string {
	return r.took(key{what, idp.RS256, temperature, peer})
}

// CrowdTook returns the time of a hit among very many tokens.
func (r *results) CrowdTook(what, peer string) string {
	return r.took(key{what, idp.EdDSA, harness.Crowd, peer})
}

func (r *results) took(k key) string {
	if !r.samples.has(k) {
		return "–"
	}
	t := r.samples.time(k).Median
	if t < 1000 {
		return fmt.Sprintf("%.0f ns", t)
	}
	return fmt.Sprintf("%.1f µs", t/1000)
}

// Memory returns the bytes and allocations of an operation with an RS256
// token.
func (r *results) Memory(what, temperature, peer string) string {
	return r.memory(key{what, idp.RS256, temperature, peer})
}

// CrowdMemory is Memory for a hit among very many tokens.
func (r *results) CrowdMemory(what, peer string) string {
	return r.memory(key{what, idp.EdDSA, harness.Crowd, peer})
}

func (r *results) memory(k key) string {
	if !r.samples.has(k) {
		return "–"
	}
	bytes, allocs := r.samples.memory(k)
	return fmt.Sprintf("%d B, %d", bytes, allocs)
}

// Speedup returns how much more every core together does than one.
func (r *results) Speedup(temperature, peer string) string {
	one := key{harness.Authenticate, idp.RS256, temperature, peer}
	every := key{harness.AuthenticateParallel, idp.RS256, temperature, peer}
	return fmt.Sprintf("%.2f", r.samples.speedup(one, every).Median)
}

// Algorithms returns the measured algorithms.
func (r *results) Algorithms() []string { return idp.Algorithms() }
