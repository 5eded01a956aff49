package natsauth_test

import (
	"errors"
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
		{"one that stays for two minutes", []time.Duration{2 * time.Minute}, 1},
		{"one that stays a little less", []time.Duration{2*time.Minute - 1}, 0},
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
	if got := natsauth.Witness(now, append(falling[:65:65], time.Second)); got != 63 {
		t.Errorf("of 66 that end earlier each, and the last soon: got entry %d, want 63 beside the last", got)
	}
	if got := natsauth.Witness(now, append(append([]time.Duration{time.Second}, falling[:65]...), time.Second)); got != 64 {
		t.Errorf("the same, after one that ends soon: got entry %d, want 64", got)
	}
}

// An entry that arrived a while ago is in the stream, as it was, or the stream is another.
func TestWitness_Verify(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{})
	appendTokens(t, l, "a")
	revocations, _ := l.StreamConfig()
	m, err := openStream(t, n, revocations.Name).GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		sequence uint64
		subject  string
		stored   time.Time
		ago      time.Duration
		want     error
	}{
		{"it is there", 1, m.Subject, m.Time, time.Hour, nil},
		{"it is gone", 2, m.Subject, m.Time, time.Hour, natsauth.ErrReplaced},
		{"it has only just arrived", 2, m.Subject, m.Time, 0, nil},
		{"it is of another subject", 1, m.Subject + "x", m.Time, time.Hour, natsauth.ErrReplaced},
		{"it was stored at another time", 1, m.Subject, m.Time.Add(1), time.Hour, natsauth.ErrReplaced},
	} {
		if err := l.Verify(t.Context(), tt.sequence, tt.subject, tt.stored, tt.ago); !errors.Is(err, tt.want) || (err != nil) != (tt.want != nil) {
			t.Errorf("%s: verify() error = %v, want %v", tt.name, err, tt.want)
		}
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
