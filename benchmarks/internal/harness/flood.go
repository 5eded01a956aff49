package harness

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// FloodTokens is the number of forged tokens in a flood.
const FloodTokens = 1000

// jwksDelay is how long the issuer takes to answer in a flood, so that
// concurrent callers can meet in one fetch.
const jwksDelay = 5 * time.Millisecond

// Arrival is the way in which the forged tokens of a flood come.
type Arrival struct {
	Name    string
	Workers int
}

// Arrivals returns the ways in which floods come.
func Arrivals() []Arrival {
	return []Arrival{{"one-by-one", 1}, {"50-workers", 50}, {"at-once", FloodTokens}}
}

// FloodResult is what a flood of forged tokens did.
type FloodResult struct {
	Fetches int64 // of the key set, by the flood
	Passed  int64 // forged tokens that were accepted: 0, or all is lost
	// Rotated says whether, and after how long, the first good token of a
	// key that was made after the flood is accepted.
	Rotated Acceptance
}

// Acceptance says when a token was accepted.
type Acceptance struct {
	Accepted bool
	After    time.Duration // since it was first shown; 0: at once
}

func (a Acceptance) String() string {
	switch {
	case !a.Accepted:
		return "no"
	case a.After == 0:
		return "at once"
	default:
		return fmt.Sprintf("after %.0f s", a.After.Seconds())
	}
}

// Flood sends forged tokens with random key IDs, then rotates the issuer's
// keys and shows a token of the new key, again and again until patience ends.
func Flood(ctx context.Context, p peers.Peer, workers int, patience time.Duration) (FloodResult, error) {
	issuer, v, err := openFresh(ctx, p)
	if err != nil {
		return FloodResult{}, err
	}
	defer issuer.Close()
	defer v.Close()

	forged := make(chan string, FloodTokens)
	for range FloodTokens {
		forged <- issuer.Forged()
	}
	close(forged)
	issuer.ResetFetches()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			var user peers.User
			for token := range forged {
				if v.Authenticate(ctx, token, &user) == nil {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	result := FloodResult{Fetches: issuer.Fetches(), Passed: passed.Load()}
	result.Rotated, err = rotate(ctx, issuer, v, patience)
	return result, err
}

// Rotation rotates the keys of an issuer that nobody floods.
func Rotation(ctx context.Context, p peers.Peer, patience time.Duration) (Acceptance, error) {
	issuer, v, err := openFresh(ctx, p)
	if err != nil {
		return Acceptance{}, err
	}
	defer issuer.Close()
	defer v.Close()
	return rotate(ctx, issuer, v, patience)
}

// openFresh sets a peer up with an issuer of its own and lets it accept a
// token.
func openFresh(ctx context.Context, p peers.Peer) (*idp.Issuer, *peers.Verifier, error) {
	issuer, err := idp.Start()
	if err != nil {
		return nil, nil, err
	}
	issuer.Behave(idp.Behaviour{Delay: jwksDelay})
	v, err := p.Open(ctx, peers.Setup{Issuer: issuer})
	if err != nil {
		issuer.Close()
		return nil, nil, err
	}
	var user peers.User
	if err := v.Authenticate(ctx, issuer.Token(idp.RS256, 0), &user); err != nil {
		v.Close()
		issuer.Close()
		return nil, nil, fmt.Errorf("%s: a good token: %w", p.Name, err)
	}
	return issuer, v, nil
}

func rotate(ctx context.Context, issuer *idp.Issuer, v *peers.Verifier, patience time.Duration) (Acceptance, error) {
	if err := issuer.Rotate(); err != nil {
		return Acceptance{}, err
	}
	const pause = 100 * time.Millisecond
	token, shown := issuer.Token(idp.RS256, 1), time.Now()
	for first := true; ; first = false {
		var user peers.User
		if v.Authenticate(ctx, token, &user) == nil {
			if first {
				return Acceptance{Accepted: true}, nil
			}
			return Acceptance{Accepted: true, After: time.Since(shown)}, nil
		}
		if time.Since(shown)+pause > patience {
			return Acceptance{}, nil
		}
		time.Sleep(pause)
	}
}
