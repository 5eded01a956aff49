package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	stormTime  = 48 * time.Hour
	staleLimit = 24 * time.Hour
)

// TestStorm lets everything go wrong at once, for two days, as a seed decides.
// OIDCAUTH_STORM_SEEDS and OIDCAUTH_STORM_SEED choose the seeds.
func TestStorm(t *testing.T) {
	t.Parallel()
	first, seeds := seedsOf("STORM", 6)
	var sum tally
	var mu sync.Mutex // guards sum
	t.Run("seeds", func(t *testing.T) {
		for seed := first; seed < first+seeds; seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				var one tally
				synctest.Test(t, func(t *testing.T) { one = newStorm(t, seed).run() })
				mu.Lock()
				defer mu.Unlock()
				sum.add(one)
			})
		}
	})
	t.Logf("%d seeds: %+v", seeds, sum)
	if sum.Accepted == 0 || sum.RemovedRefused == 0 || sum.FailedFetches == 0 || sum.GoodFetches == 0 {
		t.Errorf("the storm was none: %+v", sum)
	}
}

// tally counts what happened, so that a storm in which nothing happens is seen.
type tally struct {
	Accepted, Unknown, Unavailable int // good tokens
	MustAccept, RemovedRefused     int // claims that were put to the test
	Forged                         int
	GoodFetches, FailedFetches     int
	Requests                       int // for the key set
	MostRequests                   int // in one storm
}

// add adds what happened in another storm.
func (t *tally) add(o tally) {
	t.Accepted += o.Accepted
	t.Unknown += o.Unknown
	t.Unavailable += o.Unavailable
	t.MustAccept += o.MustAccept
	t.RemovedRefused += o.RemovedRefused
	t.Forged += o.Forged
	t.GoodFetches += o.GoodFetches
	t.FailedFetches += o.FailedFetches
	t.Requests += o.Requests
	t.MostRequests = max(t.MostRequests, o.MostRequests)
}

// A storm is one issuer in trouble, and what its tokens must get meanwhile.
type storm struct {
	*testing.T
	random *rand.Rand
	issuer *oidctest.Issuer
	auth   *oidcauth.Authenticator
	reuses bool

	mu      sync.Mutex // guards all below, and what is in keys
	keys    []*weathered
	tally   tally
	asks    int  // occasions for a fetch besides refreshes
	failing bool // the last fetch failed
	outages int  // failures in a row
}

// A weathered key is a key and what the library can know about it.
type weathered struct {
	*oidctest.Key
	published, removed time.Time
	seen               time.Time // end of the last fetch that saw it; zero if none did
	gone               bool      // a fetch saw that it is not there any more
	lastToken          string
}

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{T: t, random: rand.New(rand.NewPCG(seed, 0))}
	s.reuses = s.random.IntN(4) == 0
	issuer, trusted := newIssuer(t, oidctest.Config{Algorithm: "EdDSA"})
	trusted.Keys.ReusesKeyIDs = s.reuses
	s.issuer = issuer
	s.keys = []*weathered{{Key: issuer.Key(), published: time.Now()}}
	cacheBytes := int64(0)
	if s.random.IntN(2) == 0 {
		cacheBytes = -1
	}
	s.auth = newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: cacheBytes,
		KeepWarm: s.random.IntN(2) == 0,
		Trace:    &authtrace.Hooks{KeysFetched: s.fetched},
	})
	return s
}

// fetched notes what a fetch must have shown. Of keys that came or went while it
// was under way it may have shown either.
func (s *storm) fetched(f authtrace.KeyFetch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Err != nil {
		if !s.failing {
			s.outages++
		}
		s.failing = true
		s.tally.FailedFetches++
		return
	}
	s.failing = false
	s.tally.GoodFetches++
	end := time.Now()
	start := end.Add(-f.Duration)
	for _, k := range s.keys {
		there := !k.published.After(start)
		switch {
		case there && (k.removed.IsZero() || k.removed.After(end)):
			k.seen = end
		case there && k.removed.Before(start):
			k.seen, k.gone = time.Time{}, true
		default:
			k.seen = time.Time{}
		}
	}
}

func (s *storm) run() tally {
	start := time.Now()
	for time.Since(start) < stormTime {
		s.happen()
		for range 1 + s.random.IntN(3) {
			s.present()
		}
		time.Sleep(s.pause())
	}
	s.auth.Close()
	return s.finish()
}

// pause is mostly short, sometimes an hour, and rarely more than keys live.
func (s *storm) pause() time.Duration {
	switch n := s.random.IntN(1000); {
	case n < 2:
		return time.Duration(s.random.Int64N(int64(26 * time.Hour)))
	case n < 20:
		return time.Duration(s.random.Int64N(int64(time.Hour)))
	case n < 500:
		return time.Duration(s.random.Int64N(int64(5 * time.Second)))
	}
	return time.Duration(s.random.Int64N(int64(3 * time.Minute)))
}

// happen lets one thing befall the issuer.
func (s *storm) happen() {
	switch n := s.random.IntN(100); {
	case n < 8:
		s.issuer.Fail(s.endpoint(), s.fault())
	case n < 12:
		s.issuer.FailNext(1+s.random.IntN(5), s.endpoint(), s.fault())
	case n < 24:
		s.issuer.Clear()
	case n < 27:
		s.add(s.issuer.Rotate())
	case n < 30:
		s.removeOne()
	case n < 31:
		broken := oidctest.BrokenJWKs()
		s.issuer.AddJWK(broken[s.random.IntN(len(broken))].Bytes)
	case n < 33:
		s.issuer.SetCaching(oidctest.JWKS, oidctest.Caching{
			MaxAge: time.Duration(s.random.Int64N(int64(3 * time.Hour))), ETag: s.random.IntN(2) == 0,
			WeakETag: s.random.IntN(4) == 0,
		})
	case n < 35:
		s.flood()
	}
}

func (s *storm) endpoint() oidctest.Endpoint {
	if s.random.IntN(4) == 0 {
		return oidctest.Discovery
	}
	return oidctest.JWKS
}

// fault returns something wrong with an answer. None of them makes a document
// say something else than it should.
func (s *storm) fault() oidctest.Fault {
	documents := oidctest.BrokenDocuments()
	faults := []oidctest.Fault{
		{Refuse: true}, {Reset: true}, {Hang: true}, {Stall: true}, {Cut: true},
		{Status: 500}, {Status: 404}, {Status: 401},
		{Status: 429, Header: http.Header{"Retry-After": {"1000"}}},
		{Delay: time.Duration(s.random.Int64N(int64(12 * time.Second)))},
		{Drip: 20 * time.Millisecond, DripBytes: 10}, {Drip: time.Second},
		{Redirect: "/moved/jwks.json"}, {Redirect: "https://10.0.0.1/"}, {Redirect: "http://issuer.test/jwks.json"},
		{Pad: 1 << 20}, {Pad: 1000, Gzip: true}, {Pad: 1 << 20, Gzip: true},
		{Body: documents[s.random.IntN(len(documents))].Bytes},
		oidctest.HTMLPage(200), oidctest.HTMLPage(503),
	}
	return faults[s.random.IntN(len(faults))]
}

func (s *storm) add(k *oidctest.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, &weathered{Key: k, published: time.Now()})
}

// removeOne takes the oldest key out of the set that is not the only one.
func (s *storm) removeOne() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys[:len(s.keys)-1] {
		if k.removed.IsZero() {
			k.removed = time.Now()
			s.issuer.RemoveKey(k.ID())
			return
		}
	}
}

// flood shows forged tokens from all sides: under random key IDs and under that
// of a good key.
func (s *storm) flood() {
	s.mu.Lock()
	s.asks++
	s.tally.Forged += 20
	s.mu.Unlock()
	var wg sync.WaitGroup
	defer wg.Wait()
	stranger := s.issuer.NewKey(oidctest.KeyConfig{ID: s.issuer.Key().ID()})
	for n := range 20 {
		id := fmt.Sprint("random-", n, s.random.Uint64())
		if n%4 == 0 {
			id = stranger.ID()
		}
		token := stranger.WithID(id).Token(nil)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(s.Context(), 3*time.Second)
			defer cancel()
			if _, err := s.auth.Authenticate(ctx, token); err == nil {
				s.Error("a forged token was accepted")
			}
		})
	}
}

// present shows the token of one of the keys, a fresh one or that of last time,
// and compares the outcome with what is due.
func (s *storm) present() {
	synctest.Wait()
	k := s.pick()
	must, mustNot := s.due(k)
	token := k.lastToken
	if token == "" || s.random.IntN(3) > 0 {
		token = k.Token(map[string]any{"exp": time.Now().Add(30 * 24 * time.Hour).Unix()})
		k.lastToken = token
	}
	ctx, cancel := context.WithTimeout(s.Context(), 3*time.Second)
	defer cancel()
	began := time.Now()
	_, err := s.auth.Authenticate(ctx, token)
	waited := time.Since(began)
	if must && (err != nil || waited > 0) {
		// A fetch that ended in the same instant may have changed what is due.
		synctest.Wait()
		must, _ = s.due(k)
	}
	switch {
	case must && (err != nil || waited > 0):
		s.Fatalf("at %v: Authenticate() error = %v after %v under %q, want none, at once", time.Now(), err, waited, k.ID())
	case mustNot && err == nil:
		s.Fatalf("at %v: a token under the removed key %q was accepted", time.Now(), k.ID())
	}
	s.count(err, must, mustNot)
}

// pick prefers the keys of the last days to older ones.
func (s *storm) pick() *weathered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[max(0, len(s.keys)-1-s.random.IntN(6))]
}

// due says what a good token under the key must get now.
func (s *storm) due(k *weathered) (must, mustNot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !k.seen.IsZero() && time.Since(k.seen) < staleLimit, k.gone
}

func (s *storm) count(err error, must, mustNot bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.tally.Accepted++
	case errors.Is(err, oidcauth.ErrUnknownKey):
		s.tally.Unknown++
	case errors.Is(err, oidcauth.ErrKeysUnavailable):
		s.tally.Unavailable++
	default:
		s.Fatalf("Authenticate() error = %v, which is the token's fault and cannot be", err)
	}
	if must {
		s.tally.MustAccept++
	} else {
		s.asks++
	}
	if mustNot {
		s.tally.RemovedRefused++
	}
}

// finish compares the requests with the budget: a refresh or a retry every 3¾
// minutes, eight quicker retries in each outage, and two look-ups for each
// occasion. One fetch may ask twice, when the keys have moved.
func (s *storm) finish() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.Requests = s.issuer.Fetches().JWKS
	refreshes := int(stormTime / (225 * time.Second))
	if most := 2*(refreshes+8*s.outages) + 2*s.asks; s.tally.Requests > most {
		s.Errorf("%d requests for the key set, want at most %d", s.tally.Requests, most)
	}
	s.tally.MostRequests = s.tally.Requests
	return s.tally
}
