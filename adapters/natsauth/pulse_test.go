package natsauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
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

// NATS servers hear from each other every second, so that an answer of one of several is
// believed a second or two later. That the last entries are over is known by then only, and
// they are not missed meanwhile, however quick the heartbeat is.
func TestRead_LastOverOfSeveral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const exist = 150
		r := newReadWith(t, exist+3, natsauth.Config{Heartbeat: 100 * time.Millisecond})
		info := r.script.info
		r.script.info = func(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
			state, err := info(ctx, name)
			heard := &jetstream.PeerInfo{Active: time.Since(r.script.begun)%time.Second + 1}
			state.Cluster = &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{heard, heard}}
			return state, err
		}
		r.script.next = func(sequence uint64) (*jetstream.RawStreamMsg, error) {
			if sequence > exist {
				return nil, jetstream.ErrMsgNotFound
			}
			return &jetstream.RawStreamMsg{Sequence: sequence}, nil
		}
		for i := range uint64(exist) {
			r.later(time.Duration(i+1)*11*time.Millisecond, func() { r.arrive(i+1, i+1, "a") })
		}
		r.later(10*time.Second, r.cancel)
		if err := r.run(); !errors.Is(err, context.Canceled) || !slices.Equal(r.told, []bool{true}) || len(r.got) != exist {
			t.Errorf("told caughtUp%v with %d entries, %v, want true with %d", r.told, len(r.got), err, exist)
		}
	})
}
