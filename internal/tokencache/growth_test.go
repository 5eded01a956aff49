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

// TestCache_Shards: there are as many, in powers of two, as have 8 MiB each, and 64 at
// most.
func TestCache_Shards(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]int{1: 1, 16<<20 - 1: 1, 16 << 20: 2, 32<<20 - 1: 2, 512<<20 - 1: 32, 512 << 20: 64, 1 << 40: 64} {
		if got := tokencache.New[verdict](size, nil).Shards(); got != want {
			t.Errorf("a cache of %d bytes has %d parts, want %d", size, got, want)
		}
	}
}

// TestCache_Spreads: the first bits of a token's hash say which part it is in.
func TestCache_Spreads(t *testing.T) {
	t.Parallel()
	c := tokencache.New[verdict](32<<20, nil)
	for n, want := range []string{"[1 0 0 0]", "[1 1 0 0]", "[1 1 1 0]", "[1 1 1 1]"} {
		c.PutHashed(uint64(n)<<62, token(n), &verdict{})
		if got := fmt.Sprint(c.Lens()); got != want {
			t.Errorf("the parts hold %s tokens, want %s", got, want)
		}
	}
	check(t, c)
}

// TestCache_Buckets: a cache begins with at most 64 buckets, and doubles them when an
// entry has none of its own.
func TestCache_Buckets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		size        int64
		first, most int
	}{
		{63 << 10, 43, 43},
		{63 * 1536, 64, 64},
		{64 * 1536, 32, 64},
		{1 << 20, 42, 672},
	} {
		c := tokencache.New[verdict](tt.size, nil)
		if first, most := c.Buckets(); first != tt.first || most != tt.most {
			t.Errorf("a cache of %d bytes has %d buckets, %d at most, want %d and %d", tt.size, first, most, tt.first, tt.most)
			continue
		}
		want := tt.first
		for n := range 2 * tt.most {
			if n == want && want < tt.most {
				want *= 2
			}
			c.Put(fmt.Sprint(n), &verdict{}, 0, later(), uint64(n))
			if now, _ := c.Buckets(); now != want {
				t.Fatalf("%d buckets for %d tokens, want %d", now, n+1, want)
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
