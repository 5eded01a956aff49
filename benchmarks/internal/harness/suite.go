// Package harness measures the peers: the same code serves the benchmarks
// and the report.
package harness

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// What is measured: the names of the benchmarks.
const (
	Authenticate         = "Authenticate"         // a token checked, its claims read
	AuthenticateParallel = "AuthenticateParallel" // the same on every core
	Middleware           = "Middleware"           // a request passed, the claims read by the handler
	MiddlewareParallel   = "MiddlewareParallel"   // the same on every core
	Alone                = "Alone"                // a token checked, no claim read
	MiddlewareAlone      = "MiddlewareAlone"      // a request passed, no claim read
)

// The temperatures of a measurement.
const (
	Cold  = "cold"  // every signature is checked, every time
	Hot   = "hot"   // the same token again
	Crowd = "crowd" // one of a hundred thousand tokens, seen before
)

// heap is what a suite holds besides: about the live heap of a small server. In
// a process without one, the runtime collects after every 4 MiB of garbage,
// far more often than in any server, and whoever makes garbage looks worse.
const heap = 64 << 20

const (
	ring  = 64      // distinct tokens that a cold measurement goes round
	crowd = 100_000 // distinct tokens of a crowd
)

// Case is one measurement of one peer.
type Case struct {
	What        string
	Algorithm   string
	Temperature string
	Peer        string
	Run         func(b *testing.B)
}

// Name returns the name of the case below its benchmark.
func (c Case) Name() string {
	return strings.Join([]string{c.Algorithm, c.Temperature, c.Peer}, "/")
}

// Suite holds an issuer and the peers that have been set up for it. It is
// not safe for concurrent use.
type Suite struct {
	Issuer    *idp.Issuer
	ctx       context.Context // ends with Close
	stop      context.CancelFunc
	verifiers map[string]*peers.Verifier
	warm      map[string]bool // what prepare has shown tokens to
	tokens    map[string][]string
	crowdSize int
	heap      []byte
}

// NewSuite starts an issuer. A quick suite has smaller crowds.
func NewSuite(quick bool) (*Suite, error) {
	issuer, err := idp.Start()
	if err != nil {
		return nil, err
	}
	s := &Suite{
		Issuer:    issuer,
		verifiers: make(map[string]*peers.Verifier),
		warm:      make(map[string]bool),
		tokens:    make(map[string][]string),
		crowdSize: crowd,
		heap:      make([]byte, heap),
	}
	if quick {
		s.crowdSize /= 50
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the peers and the issuer.
func (s *Suite) Close() {
	for _, v := range s.verifiers {
		v.Close()
	}
	s.stop()
	s.Issuer.Close()
	runtime.KeepAlive(s.heap)
}

// Cases returns the measurements of one kind, for every peer that can take
// part: a peer that reads nothing has no middleware worth measuring, and only
// one that keeps verified tokens can be measured without its claims being
// read, since the others read them to check them. To the others, too, one token
// among very many is like any other.
func (s *Suite) Cases(what string, algorithms []string, temperatures ...string) []Case {
	loop := loops()[what]
	var cases []Case
	for _, algorithm := range algorithms {
		for _, temperature := range temperatures {
			for _, p := range peers.All() {
				keepersOnly := loop.alone || temperature == Crowd
				if loop.claims && p.ReadsNothing || keepersOnly && !p.KeepsTokens {
					continue
				}
				cases = append(cases, Case{what, algorithm, temperature, p.Name, func(b *testing.B) {
					v, tokens, err := s.prepare(p, algorithm, temperature)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportAllocs()
					loop.run(b, v, tokens)
				}})
			}
		}
	}
	return cases
}

// prepare sets a peer up and shows it every token once, so that its keys and
// what it keeps are warm.
func (s *Suite) prepare(p peers.Peer, algorithm, temperature string) (*peers.Verifier, []string, error) {
	tokens := s.some(algorithm, temperature)
	id := p.Name + " " + temperature
	v, found := s.verifiers[id]
	if !found {
		setup := peers.Setup{Issuer: s.Issuer, NoCache: temperature == Cold}
		if temperature == Crowd {
			setup.CacheBytes = crowdBytes
		}
		var err error
		if v, err = p.Open(s.ctx, setup); err != nil {
			return nil, nil, err
		}
		s.verifiers[id] = v
	}
	if id += " " + algorithm; s.warm[id] {
		return v, tokens, nil
	}
	var user peers.User
	for _, token := range tokens {
		if err := v.Authenticate(s.ctx, token, &user); err != nil {
			return nil, nil, fmt.Errorf("%s: a good token: %w", p.Name, err)
		}
	}
	s.warm[id] = true
	return v, tokens, nil
}

// some returns the tokens of a measurement, the same for every peer. Those of
// a crowd come in random order.
func (s *Suite) some(algorithm, temperature string) []string {
	id := algorithm + " " + temperature
	if tokens, found := s.tokens[id]; found {
		return tokens
	}
	var tokens []string
	switch temperature {
	case Cold:
		tokens = s.Issuer.Tokens(algorithm, ring)
	case Crowd:
		tokens = make([]string, s.crowdSize)
		for n := range tokens {
			tokens[n] = s.Issuer.LongToken(n)
		}
		rand.Shuffle(len(tokens), func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	default:
		tokens = s.Issuer.Tokens(algorithm, 1)
	}
	s.tokens[id] = tokens
	return tokens
}
