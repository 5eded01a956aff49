package clocks_test

import (
	"math"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/clockstest"
)

// Whichever clock says that it is later is believed.
func TestClocks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name            string
		wall, monotonic time.Duration // to go
		left            time.Duration
	}{
		{"by both, soon", 1, 1, 1},
		{"by both, now", 0, 0, 0},
		{"by both, a moment ago", -1, -1, -1},
		{"after a sleep", -time.Hour, time.Minute, -time.Hour},
		{"after a sleep, just now", 0, time.Minute, 0},
		{"after a sleep, soon", 1, time.Minute, 1},
		{"after the clock was set back", time.Hour, -time.Minute, -time.Minute},
		{"after the clock was set back, just now", time.Hour, 0, 0},
		{"after the clock was set back, soon", time.Hour, 1, 1},
	} {
		check(t, tt.name, now, clockstest.Move(now, tt.wall, tt.monotonic), tt.left)
	}
}

// A time that was written down has one clock's reading.
func TestClocks_WallAlone(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, left := range []time.Duration{time.Hour, 1, 0, -1, -time.Hour} {
		check(t, "a time without the monotonic clock", now, now.Round(0).Add(left), left)
		check(t, "times without the monotonic clock", now.Round(0), now.Round(0).Add(left), left)
	}
}

// No time is so far away that its sign is wrong.
func TestClocks_Far(t *testing.T) {
	t.Parallel()
	now := time.Now()
	check(t, "the zero time", now, time.Time{}, math.MinInt64)
	check(t, "a time in thousands of years", now, now.AddDate(5000, 0, 0), math.MaxInt64)
}

func check(t *testing.T, name string, now, at time.Time, left time.Duration) {
	t.Helper()
	if got := clocks.Left(now, at); got != left {
		t.Errorf("%s: Left() = %v, want %v", name, got, left)
	}
	if got, want := clocks.Reached(now, at), left <= 0; got != want {
		t.Errorf("%s: Reached() = %t, want %t", name, got, want)
	}
	want := -left
	if left == math.MinInt64 {
		want = math.MaxInt64
	}
	if got := clocks.Age(now, at); got != want && !(left == math.MaxInt64 && got == math.MinInt64) {
		t.Errorf("%s: Age() = %v, want %v", name, got, want)
	}
}
