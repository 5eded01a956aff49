package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// startRow is how one peer begins, by how long the issuer takes for its keys.
type startRow struct {
	Peer    string
	Fetches int64
	took    map[time.Duration][]time.Duration
	open    peers.Peer
	keyDir  string
}

// Took returns the median.
func (r startRow) Took(delay time.Duration) string {
	took := slices.Sorted(slices.Values(r.took[delay]))
	if len(took) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", took[len(took)/2].Seconds()*1000)
}

// StartDelays are what the issuer takes for its keys: as in the next room, and as
// over the network.
func (r *results) StartDelays() []time.Duration {
	return []time.Duration{0, 50 * time.Millisecond}
}

// startups measures how long each peer that fetches keys takes until it accepts a
// token, in rounds; and oidcauth once more with its keys in a directory.
func (r *results) startups(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "oidcauth-startup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	issuer, err := idp.Start()
	if err != nil {
		return err
	}
	defer issuer.Close()
	for _, p := range r.Peers {
		if !p.RemoteKeys {
			continue
		}
		r.Starts = append(r.Starts, startRow{Peer: p.Name, open: p})
		if p.Name == peers.OIDCAuth().Name {
			r.Starts = append(r.Starts, startRow{Peer: p.Name + ", keys in a directory", open: p, keyDir: dir})
		}
	}
	for round := range 3 * r.Rounds {
		log.Printf("startup: round %d", round+1)
		for _, n := range rand.Perm(len(r.Starts)) {
			if err := r.Starts[n].measure(ctx, issuer, r.StartDelays()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *startRow) measure(ctx context.Context, issuer *idp.Issuer, delays []time.Duration) error {
	if r.took == nil {
		r.took = make(map[time.Duration][]time.Duration)
		if r.keyDir != "" { // the life before, which leaves the keys behind
			if _, err := harness.Startup(ctx, r.open, issuer, r.keyDir); err != nil {
				return err
			}
		}
	}
	for _, delay := range delays {
		issuer.Behave(idp.Behaviour{Delay: delay})
		start, err := harness.Startup(ctx, r.open, issuer, r.keyDir)
		if err != nil {
			return err
		}
		// The least of all: what a peer that was closed has still on its way counts here.
		if len(r.took) == 0 || start.Fetches < r.Fetches {
			r.Fetches = start.Fetches
		}
		r.took[delay] = append(r.took[delay], start.Took)
	}
	return nil
}
