package supplement_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/oidcauth/oidcauth/internal/supplement"
)

// An answer is over as soon as one clock says so: the monotonic one stands still while a
// machine sleeps, and the wall clock can be set back.
func TestCounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name            string
		wall, monotonic time.Duration // to go
		want            bool
	}{
		{"by both, soon", 1, 1, true},
		{"by both, now", 0, 0, false},
		{"after a sleep", -time.Hour, time.Minute, false},
		{"after a sleep, just now", 0, time.Minute, false},
		{"after a sleep, soon", 1, time.Minute, true},
		{"after the clock was set back", time.Hour, -time.Minute, false},
		{"after the clock was set back, just now", time.Hour, 0, false},
		{"after the clock was set back, soon", time.Hour, 1, true},
	} {
		if got := supplement.Counts(now, later(t, now.Add(tt.wall), tt.monotonic-tt.wall)); got != tt.want {
			t.Errorf("%s: Counts() = %t, want %t", tt.name, got, tt.want)
		}
	}
}

// later returns a time that is so much later by the monotonic clock alone, as no two
// readings of the clocks in one test are: its second word is that clock's.
func later(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	moved := at
	*(*time.Duration)(unsafe.Add(unsafe.Pointer(&moved), 8)) += d
	if moved.Sub(at) != d || !moved.Round(0).Equal(at.Round(0)) {
		t.Fatalf("%v was not moved by the monotonic clock alone", at)
	}
	return moved
}
