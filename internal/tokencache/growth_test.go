package tokencache_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// TestCache_Grows: a cache begins small, since whatever it holds costs every
// collection of garbage, and finds all tokens while it grows.
func TestCache_Grows(t *testing.T) {
	t.Parallel()
	c := tokencache.New[verdict](64<<20, nil)
	if c.Bytes() > 256<<10 {
		t.Errorf("Bytes() = %d of an empty cache", c.Bytes())
	}
	for n := range 6000 {
		put(c, n)
		if n%997 != 0 {
			continue
		}
		check(t, c)
		for old := range n {
			if !has(t, c, old) {
				t.Fatalf("token %d is lost after %d", old, n)
			}
		}
	}
}

// TestCache_ChainsGrowNoLonger fills chains on either side of borders between
// buckets, as tokens made to collide would, and lets the cache grow to its last
// bucket: no two of the chains may become one.
func TestCache_ChainsGrowNoLonger(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{200 << 10, 1 << 20, 3 << 20, 6 << 20, 7 << 20} {
		c := tokencache.New[verdict](size, nil)
		const borders = 16
		for border := range uint64(borders) {
			for side := range uint64(2) {
				for n := range tokencache.MaxChain {
					tok := fmt.Sprint("full", border, side, n)
					c.PutHashed(border<<32/borders-1+side, tok, &verdict{subject: tok})
				}
			}
		}
		check(t, c)
		for n := range 6000 {
			tok := fmt.Sprint(n)
			c.PutHashed(uint64(rand.Uint32()), tok, &verdict{subject: tok})
			if n%250 == 0 {
				check(t, c)
			}
		}
		check(t, c)
	}
}

// TestCache_GrowsUnderReaders: whoever reads while the buckets are doubled gets
// the token's own value or none, comes to an end, and finds everything again
// afterwards.
func TestCache_GrowsUnderReaders(t *testing.T) {
	t.Parallel()
	const known, fresh = 100, 1500
	all := make([]string, known+fresh)
	for n := range all {
		all[n] = token(n)
	}
	for range 4 {
		c := tokencache.New[verdict](16<<20, nil)
		put := func(n int) { c.Put(all[n], &verdict{subject: all[n]}, verdictBytes, later(), uint64(n)) }
		for n := range known {
			put(n)
		}
		var grown atomic.Bool
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for !grown.Load() {
					for _, tok := range all[:known] {
						if v, ok := c.Get(tok); ok && v.subject != tok {
							t.Error("Get() returns the value of another token")
						}
					}
				}
			})
		}
		for n := known; n < len(all); n++ {
			put(n)
		}
		grown.Store(true)
		wg.Wait()
		for n := range all {
			if !has(t, c, n) {
				t.Errorf("token %d is lost", n)
			}
		}
		check(t, c)
	}
}
