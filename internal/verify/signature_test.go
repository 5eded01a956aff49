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
