package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// StormClients is the number of clients that come back at once.
const StormClients = 20_000

// crowdBytes is a cache that holds any crowd.
const crowdBytes = 1 << 30

// StormResult is how long the clients of a storm waited.
type StormResult struct {
	Wall time.Duration // until the last was served
	P50  time.Duration // half of them waited at most this long
	P99  time.Duration
}

// Storm lets every token be authenticated at the same time, each by a
// goroutine of its own, and measures from the moment at which all may begin.
func Storm(ctx context.Context, v *peers.Verifier, tokens []string) (StormResult, error) {
	waited := make([]time.Duration, len(tokens))
	failures := make([]error, len(tokens))
	begin := make(chan struct{})
	var began time.Time
	var ready, done sync.WaitGroup
	ready.Add(len(tokens))
	for n, token := range tokens {
		done.Go(func() {
			var user peers.User
			ready.Done()
			<-begin
			failures[n] = v.Authenticate(ctx, token, &user)
			waited[n] = time.Since(began)
		})
	}
	ready.Wait()
	runtime.GC()
	began = time.Now()
	close(begin)
	done.Wait()
	slices.Sort(waited)
	at := func(share float64) time.Duration { return waited[int(share*float64(len(waited)-1))] }
	return StormResult{Wall: at(1), P50: at(0.5), P99: at(0.99)}, errors.Join(failures...)
}

// MemoryPerToken returns the bytes of live heap that a peer keeps for each of
// count tokens that it has verified, the token itself included.
func MemoryPerToken(ctx context.Context, p peers.Peer, count int) (float64, error) {
	issuer, err := idp.Start()
	if err != nil {
		return 0, err
	}
	defer issuer.Close()
	v, err := p.Open(ctx, peers.Setup{Issuer: issuer, CacheBytes: crowdBytes})
	if err != nil {
		return 0, err
	}
	defer v.Close()

	var user peers.User
	show := func(n int) error { return v.Authenticate(ctx, issuer.LongToken(n), &user) }
	if err := show(count); err != nil {
		return 0, err
	}
	before := liveHeap()
	for n := range count {
		if err := show(n); err != nil {
			return 0, err
		}
	}
	kept := float64(liveHeap()-before) / float64(count)
	return kept, stillKept(ctx, v, issuer, count)
}

// stillKept makes sure that the figure is not small because tokens were
// pushed out: what is kept is recognized in far less time than a signature
// takes. Tokens signed with EdDSA come out the same when they are made again.
func stillKept(ctx context.Context, v *peers.Verifier, issuer *idp.Issuer, count int) error {
	var user peers.User
	var quick int
	const sample, limit = 200, 15 * time.Microsecond
	for n := range sample {
		token := issuer.LongToken(n * (count / sample))
		start := time.Now()
		if err := v.Authenticate(ctx, token, &user); err != nil {
			return err
		}
		if time.Since(start) < limit {
			quick++
		}
	}
	if quick < sample*9/10 {
		return fmt.Errorf("harness: only %d of %d tokens were still kept", quick, sample)
	}
	return nil
}

// liveHeap returns the bytes of heap in use after two collections: the
// second frees what the first only found unreachable.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
