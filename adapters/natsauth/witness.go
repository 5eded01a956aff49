package natsauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// maxWitnesses bounds the memory of entries that a stream must still have.
	maxWitnesses = 64

	// witnessTime is how much longer an entry has to stay to be looked for: the
	// clocks of the NATS servers may differ.
	witnessTime = 2 * time.Minute
)

// Witnesses are entries that arrived and that the stream has to have as long as
// they last, so that it can be seen whether it is the same: each comes after and
// ends before the one before it.
type witnesses []message

// add takes an entry in, in place of those that it outlasts.
func (w *witnesses) add(m message) {
	list := *w
	for len(list) > 0 && !list[len(list)-1].end.After(m.end) {
		list = list[:len(list)-1]
	}
	if len(list) == maxWitnesses {
		list = list[:len(list)-1]
	}
	m.value = nil
	*w = append(list, m)
}

// best returns the latest that stays for a while, by the clock of NATS, or nil.
func (w witnesses) best(now time.Time) *message {
	for len(w) > 0 && w[len(w)-1].end.Before(now.Add(witnessTime)) {
		w = w[:len(w)-1]
	}
	if len(w) == 0 {
		return nil
	}
	m := w[len(w)-1]
	return &m
}

// verify asks the stream's leader whether it has the entry. Nil means that there
// is nothing to look for.
func (m *message) verify(ctx context.Context, stream *handle) error {
	if m == nil {
		return nil
	}
	got, err := stream.GetMsg(ctx, m.sequence)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound) && time.Since(m.arrived) < minPatience:
		return nil // the leader may be about to have it
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return fmt.Errorf("%w: entry %d is gone", errReplaced, m.sequence)
	case err != nil:
		return err
	case got.Subject != m.subject || !got.Time.Equal(m.stored):
		return fmt.Errorf("%w: entry %d is another", errReplaced, m.sequence)
	}
	return nil
}
