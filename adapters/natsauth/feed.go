package natsauth

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullTime is how long one request for entries lasts.
	pullTime = 30 * time.Second

	// idleTime is how long NATS keeps a consumer that nobody asks.
	idleTime = time.Minute

	markerHeader = "Nats-Marker-Reason"
)

// A message is one entry as it arrived.
type message struct {
	number   uint64 // in this reading, from one on
	sequence uint64 // in the stream
	subject  string
	value    []byte
	arrived  time.Time
	stored   time.Time
	end      time.Time // when it leaves the stream
	marker   bool      // it is none, but says that one has left
	foreign  bool      // it is somebody else's, under a subject that is none of ours
}

// A feed reads the revocations from the first on.
type feed struct {
	prefix   string // of our subjects
	messages chan message
	errors   chan error // the first thing that went wrong
	stop     func()
}

// filter returns by what subject a reading of a stream is filtered: by none if it has ours
// alone. NATS counts what fits a filter before it answers, a second for each million entries,
// and holds up all else that is asked of the stream meanwhile.
func (s *store) filter(stream *handle) string {
	if len(stream.CachedInfo().Config.Subjects) == 1 {
		return ""
	}
	return s.config.Subjects[0]
}

// newFeed begins to read. Beginning is bounded by limited; ctx ends the reading.
func newFeed(limited, ctx context.Context, l *Log, stream *handle) (*feed, error) {
	s := &l.revocations
	consumer, err := l.js.CreateConsumer(limited, s.config.Name, jetstream.ConsumerConfig{
		Name: "follower_" + rand.Text(), FilterSubject: s.filter(stream),
		DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: idleTime, MemoryStorage: true, Replicas: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	f := &feed{prefix: s.prefix, messages: make(chan message, 256), errors: make(chan error, 1)}
	reading, err := consumer.Consume(
		func(m jetstream.Msg) { f.pass(ctx, m) },
		jetstream.PullExpiry(pullTime), jetstream.PullHeartbeat(min(max(l.heartbeat, time.Second), pullTime/2)),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { f.fail(fmt.Errorf("consumer: %w", err)) }))
	if err != nil {
		return nil, fmt.Errorf("consumer: %w", err)
	}
	f.stop = reading.Stop
	return f, nil
}

// pass hands one entry on. It runs on the subscription's goroutine.
func (f *feed) pass(ctx context.Context, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		f.fail(fmt.Errorf("consumer: %w", err))
		return
	}
	msg := message{
		number: meta.Sequence.Consumer, sequence: meta.Sequence.Stream, subject: m.Subject(), value: m.Data(),
		arrived: time.Now(), stored: meta.Timestamp, end: endOf(meta.Timestamp, m.Headers().Get(jetstream.MsgTTLHeader)),
		marker:  len(m.Data()) == 0 && m.Headers().Get(markerHeader) != "",
		foreign: !strings.HasPrefix(m.Subject(), f.prefix),
	}
	select {
	case f.messages <- msg:
	case <-ctx.Done():
	}
}

// endOf returns when an entry leaves the stream, by its header; one of which that
// cannot be told is taken not to stay.
func endOf(stored time.Time, ttl string) time.Time {
	if ttl == "" {
		return stored.Add(1<<63 - 1)
	}
	d, err := time.ParseDuration(ttl)
	if err != nil {
		return stored
	}
	return stored.Add(d)
}

func (f *feed) fail(err error) {
	select {
	case f.errors <- err:
	default:
	}
}
