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
			chosen := o.choose(keys, maxChecks)
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
			chosen := o.choose(keys, limit)
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
