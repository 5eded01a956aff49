package natsauth

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"
)

// A twin is a stream that takes the same subjects as ours. In one account NATS allows
// none, but one of a leaf node's own JetStream, in a domain of its own, gets each message
// that passes there, and answers first. That it has a message says nothing of ours, which
// may be out of reach.

// settle decides what an acknowledgement from another domain is worth. Ours is looked for
// again: the operator may have given its domain a name since.
func (w *write) settle(ctx context.Context, ack *jetstream.PubAck) (added bool, err error) {
	w.pending = true
	w.store.reopen()
	stream, err := w.open(ctx)
	switch {
	case err != nil:
		return false, err
	case ack.Domain == stream.domain:
		w.sequence = ack.Sequence
		return true, nil
	}
	return w.findBehind(ctx, stream, fmt.Sprintf("domain %q", ack.Domain))
}

// findBehind looks at what is stored after the answer of a twin.
func (w *write) findBehind(ctx context.Context, stream *handle, twin string) (added bool, err error) {
	w.pending = true
	w.store.warnTwin(ctx, twin)
	added, err = w.find(ctx, stream)
	if err != nil {
		return false, fmt.Errorf("the answer came from another stream, of %s: %w", twin, err)
	}
	return added, nil
}

// warnTwin writes one line on a twin.
func (s *store) warnTwin(ctx context.Context, twin string) {
	if s.twin.Swap(true) {
		return
	}
	s.log.logger.LogAttrs(ctx, slog.LevelWarn, "another stream takes the same subjects, so that each write is looked for: "+
		"delete that stream, or have it take others, or give Config.Stream another name",
		slog.String("stream", s.config.Name), slog.String("other", twin))
}
