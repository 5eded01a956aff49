package natsauth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// Entries that exist may be on their way for as long as a heartbeat, and a second at
// least, and so may an answer that is older than what has arrived.
func TestFollower_Judge(t *testing.T) {
	t.Parallel()
	const second, ms = time.Second, time.Millisecond
	for _, tt := range []struct {
		name string
		natsauth.Reading
		want error
	}{
		{"all has arrived", natsauth.Reading{Heartbeat: second, Seen: 9, End: 9, Owed: time.Hour, Moved: time.Hour}, nil},
		{"on its way", natsauth.Reading{Heartbeat: second, Seen: 8, End: 9, Owed: second - 1, Moved: time.Hour}, nil},
		{"for too long", natsauth.Reading{Heartbeat: second, Seen: 8, End: 9, Owed: second, Moved: second}, natsauth.ErrStalled},
		{"others arrive", natsauth.Reading{Heartbeat: second, Seen: 8, End: 9, Owed: time.Hour, Moved: second - 1}, nil},
		{"a quick heartbeat", natsauth.Reading{Heartbeat: ms, Seen: 8, End: 9, Owed: second - 1, Moved: second - 1}, nil},
		{"a quick heartbeat, for too long", natsauth.Reading{Heartbeat: ms, Seen: 8, End: 9, Owed: second, Moved: second}, natsauth.ErrStalled},
		{"a slow heartbeat", natsauth.Reading{Heartbeat: 9 * second, Seen: 8, End: 9, Owed: 9*second - 1, Moved: 9 * second}, nil},
		{"a slow heartbeat, for too long", natsauth.Reading{Heartbeat: 9 * second, Seen: 8, End: 9, Owed: 9 * second, Moved: 9 * second}, natsauth.ErrStalled},
		{"older than what has arrived since", natsauth.Reading{Heartbeat: 9 * second, Seen: 9, End: 8, Moved: second - 1}, nil},
		{"older than what arrived before", natsauth.Reading{Heartbeat: 9 * second, Seen: 9, End: 8, Moved: second}, natsauth.ErrReplaced},
	} {
		synctest.Test(t, func(t *testing.T) {
			if err := tt.Judge(t.Context()); !errors.Is(err, tt.want) {
				t.Errorf("%s: judge() error = %v, want %v", tt.name, err, tt.want)
			}
		})
	}
}

// What arrives is counted, and goes up.
func TestFollower_Take(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		number, sequence uint64
		want             error
	}{
		{"the next", 4, 8, nil},
		{"the next, after some that have left", 4, 100, nil},
		{"one was lost", 5, 9, natsauth.ErrGap},
		{"the same again", 3, 8, natsauth.ErrGap},
		{"the sequence of the last", 4, 7, natsauth.ErrGap},
		{"from before it", 4, 6, natsauth.ErrGap},
	} {
		count, seen, err := natsauth.Take(t.Context(), 3, 7, tt.number, tt.sequence)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: take() error = %v, want %v", tt.name, err, tt.want)
		}
		wantCount, wantSeen := uint64(3), uint64(7)
		if tt.want == nil {
			wantCount, wantSeen = tt.number, tt.sequence
		}
		if count != wantCount || seen != wantSeen {
			t.Errorf("%s: got %d up to %d, want %d up to %d", tt.name, count, seen, wantCount, wantSeen)
		}
	}
}

// Patience with entries that do not arrive is counted from the first that was known of.
func TestFollower_Owe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		exist []uint64
		want  time.Duration
	}{
		{"nothing else exists", []uint64{7, 7}, -1},
		{"less exists", []uint64{6}, -1},
		{"one more", []uint64{8}, 0},
		{"one more, later", []uint64{7, 8}, time.Second},
		{"more and more", []uint64{8, 9, 10}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := natsauth.Owe(7, tt.exist...); got != tt.want {
				t.Errorf("%s: owed since %v, want %v", tt.name, got, tt.want)
			}
		})
	}
}

// A wait is over when the connection is back, or will never be, and not by what happens
// to it meanwhile.
func TestFollower_Wait(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		changes []nats.Status
		took    time.Duration
		want    bool
	}{
		{"nothing happens", nil, time.Second, false},
		{"it tries", []nats.Status{nats.DISCONNECTED, nats.RECONNECTING, nats.CONNECTING}, time.Second, false},
		{"it is back", []nats.Status{nats.RECONNECTING, nats.CONNECTED}, 0, true},
		{"it is closed", []nats.Status{nats.CLOSED}, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			got := natsauth.Wait(t.Context(), time.Second, tt.changes...)
			if took := time.Since(began); got != tt.want || took != tt.took {
				t.Errorf("%s: wait() = %v after %v, want %v after %v", tt.name, got, took, tt.want, tt.took)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if natsauth.Wait(gone, time.Hour) {
		t.Error("wait() = true after its context ended")
	}
}

// The codes are those of the server.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	want := map[string]server.ErrorIdentifier{
		"no peers": server.JSClusterNoPeersErrF, "not the leader": server.JSClusterNotLeaderErr,
		"account limit": server.JSAccountResourcesExceededErr, "server limit": server.JSInsufficientResourcesErr,
		"storage limit": server.JSStorageResourcesExceededErr, "message too large": server.JSStreamMessageExceedsMaximumErr,
		"another stream": server.JSStreamNotMatchErr, "wrong sequence": server.JSStreamWrongLastSequenceErrF,
		"store failed": server.JSStreamStoreFailedF, "sealed": server.JSStreamSealedErr,
		"in process": server.JSStreamWrongLastSequenceConstantErr, "message TTL": server.JSMessageTTLInvalidErr,
		"message TTL denied": server.JSMessageTTLDisabledErr,
	}
	if len(want) != len(natsauth.ErrorCodes) {
		t.Errorf("got %d codes, want %d", len(natsauth.ErrorCodes), len(want))
	}
	for name, code := range natsauth.ErrorCodes {
		if code != jetstream.ErrorCode(want[name]) {
			t.Errorf("%s: code %d, want %d", name, code, want[name])
		}
	}
}
