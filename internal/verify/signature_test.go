package verify

import (
	"math"
	"testing"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

// The count by which keys take turns goes round without harm, on machines of 32
// bits too, and each key has its turn.
func TestOrder_GoesRound(t *testing.T) {
	t.Parallel()
	keys := make([]*keyset.Key, 6)
	for i := range keys {
		keys[i] = new(keyset.Key)
	}
	for _, turn := range []uint32{0, math.MaxInt32 - 4, math.MaxUint32 - 4} {
		var o Order
		o.turn.Store(turn)
		seen := map[*keyset.Key]bool{}
		for range 8 {
			chosen := o.choose(keys, new(attempts), maxChecks)
			if len(chosen) != maxChecks {
				t.Errorf("choose() from turn %d returned %d keys, want %d", turn, len(chosen), maxChecks)
			}
			for _, k := range chosen {
				seen[k] = true
			}
		}
		if len(seen) != len(keys) {
			t.Errorf("from turn %d %d keys had theirs, want all %d", turn, len(seen), len(keys))
		}
	}
}

// Keys that have proved themselves go first, and leave a place for one that has not: a
// new key among many would never be tried.
func TestOrder_ProvenFirst(t *testing.T) {
	t.Parallel()
	keys := make([]*keyset.Key, 12)
	for i := range keys {
		keys[i] = new(keyset.Key)
	}
	for limit := 1; limit <= maxChecks; limit++ {
		var o Order
		for _, k := range keys[:maxChecks-1] {
			o.prove(k)
		}
		seen := map[*keyset.Key]bool{}
		for range 2 * len(keys) {
			chosen := o.choose(keys, new(attempts), limit)
			for n, k := range chosen[:limit-1] {
				if want := keys[maxChecks-2-n]; k != want {
					t.Errorf("of %d, %d is not the one that proved itself last but %d", limit, n, n)
				}
			}
			seen[chosen[limit-1]] = true
		}
		if want := len(keys) - (limit - 1); len(seen) != want {
			t.Errorf("of %d, %d keys had the last place, want all %d others", limit, len(seen), want)
		}
	}
}

// A token may try some keys, and then some more once the issuer was asked for others.
// Wherever the turn stands, as many tokens as can have tried every key have done so.
func TestOrder_InTwoSteps(t *testing.T) {
	t.Parallel()
	for n := maxChecks + 1; n <= 16; n++ {
		keys := make([]*keyset.Key, n)
		for i := range keys {
			keys[i] = new(keyset.Key)
		}
		for proven := range maxChecks - 1 {
			for turn := range uint32(n * n) {
				var o Order
				for _, k := range keys[:proven] {
					o.prove(k)
				}
				o.turn.Store(turn)
				seen := map[*keyset.Key]bool{}
				for range (n + maxChecks - 1 - proven) / (maxChecks - proven) {
					tried := new(attempts)
					for _, more := range []int{maxChecks - 1, 1} {
						for _, k := range o.choose(keys, tried, more) {
							tried.keys[tried.count] = k
							tried.count++
							seen[k] = true
						}
					}
				}
				if len(seen) != n {
					t.Fatalf("%d keys, %d proven, from turn %d: %d had their turn, want all", n, proven, turn, len(seen))
				}
			}
		}
	}
}
