package natsauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Where the last of a stream is none of ours, nobody waits for it, however something
// of ours arrives before it: here just after the leader was asked, a few times.
func TestRead_SharedStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRead(t, 1000)
		heard := &jetstream.PeerInfo{Active: time.Millisecond}
		r.state.Cluster = &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{heard, heard}}
		r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return nil, jetstream.ErrMsgNotFound }
		for i := range uint64(3) { // it is asked each five seconds, and a quarter
			r.later(time.Duration(i+1)*5*time.Second+260*time.Millisecond, func() { r.arrive(i+1, i+1, "a") })
		}
		r.later(time.Minute, r.cancel)
		if err := r.run(); !errors.Is(err, context.Canceled) || !slices.Equal(r.told, []bool{true}) || len(r.got) != 3 {
			t.Errorf("told caughtUp%v, and %d entries arrived: %v", r.told, len(r.got), err)
		}
	})
}
