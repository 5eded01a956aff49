package natsauth_test

import (
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// The entry that is looked for is the latest that still has a while to stay.
func TestWitnesses(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		ends []time.Duration // of the entries, in the order of their sequences from 1 on
		want uint64          // zero means none
	}{
		{"none", nil, 0},
		{"one", []time.Duration{time.Hour}, 1},
		{"the latest", []time.Duration{time.Hour, time.Hour, time.Hour}, 3},
		{"the latest, which ends first", []time.Duration{3 * time.Hour, 2 * time.Hour, time.Hour}, 3},
		{"one that is nearly over", []time.Duration{time.Second}, 0},
		{"before those that are nearly over", []time.Duration{time.Hour, time.Second, 2 * time.Second}, 1},
		{"between", []time.Duration{3 * time.Hour, time.Hour, time.Second}, 2},
		{"one that outlasts all", []time.Duration{time.Second, time.Hour, 2 * time.Hour}, 3},
		{"one that lasts for ever", []time.Duration{1<<63 - 1, time.Second}, 1},
	} {
		if got := natsauth.Witness(now, tt.ends); got != tt.want {
			t.Errorf("%s: got entry %d, want %d", tt.name, got, tt.want)
		}
	}
	var falling []time.Duration
	for i := range 1000 {
		falling = append(falling, time.Hour-time.Duration(i)*time.Second)
	}
	if got := natsauth.Witness(now, falling); got < 1000-1 {
		t.Errorf("of 1000 that end earlier each: got entry %d, want the last", got)
	}
}

// When an entry leaves is read from its header; what cannot be read is not
// relied upon.
func TestEndOf(t *testing.T) {
	t.Parallel()
	stored := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		ttl  string
		want time.Time
	}{
		{"1h0m0s", stored.Add(time.Hour)},
		{"", stored.Add(1<<63 - 1)},
		{"soon", stored},
		{"99999999999999999999h", stored},
	} {
		if got := natsauth.EndOf(stored, tt.ttl); !got.Equal(tt.want) {
			t.Errorf("TTL %q: got %v, want %v", tt.ttl, got, tt.want)
		}
	}
}
