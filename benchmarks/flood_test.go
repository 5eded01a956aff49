package benchmarks_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// TestFlood holds this library to what the comparison says of floods: two
// fetches at most, however the forged tokens come, and a rotated key accepted
// at once in peace.
func TestFlood(t *testing.T) {
	p := peers.OIDCAuth()
	for _, arrival := range harness.Arrivals() {
		t.Run(arrival.Name, func(t *testing.T) {
			result, err := harness.Flood(t.Context(), p, arrival.Workers, 0)
			if err != nil {
				t.Fatal(err)
			}
			if result.Passed != 0 || result.Fetches > 2 {
				t.Errorf("%d tokens passed, %d fetches, want 0 and at most 2", result.Passed, result.Fetches)
			}
		})
	}
	calm, err := harness.Rotation(t.Context(), p, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !calm.Accepted {
		t.Error("the first token by a new key was refused")
	}
}
