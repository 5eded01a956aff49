package natsauth_test

import (
	"cmp"
	"context"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// A script is a JetStream without servers, for what none does when a test wants it: each
// answer is the test's, and the time is that of a bubble.
type script struct {
	jetstream.JetStream
	t       *testing.T
	begun   time.Time
	conn    *nats.Conn // is never connected
	configs map[string]jetstream.StreamConfig

	stream  func(ctx context.Context, name string) (*jetstream.StreamInfo, error)      // nil: as it was configured
	create  func(cfg jetstream.StreamConfig) (*jetstream.StreamInfo, error)            // nil: is not asked
	publish func(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error)          // nil: is not asked
	last    func(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) // nil: is not asked
	info    func(ctx context.Context, name string) (*jetstream.StreamInfo, error)      // nil: as it was configured
	get     func(sequence uint64) (*jetstream.RawStreamMsg, error)                     // nil: is not asked
	next    func(sequence uint64) (*jetstream.RawStreamMsg, error)                     // from it on; nil: is not asked
	consume func(ctx context.Context) error                                            // nil: begins

	mu         sync.Mutex // guards what follows; held for what a test does later
	deliver    jetstream.MessageHandler
	unreadable error // nil: reading begins
	stopped    bool  // the reading

	looked    int             // for a stream
	published []time.Duration // when, since the script began
	ids       []string        // of the calls, at each publication
	before    context.Context // of the last call
}

// newScript returns a log that talks to a script.
func newScript(t *testing.T, cfg natsauth.Config) (*script, *natsauth.Log) {
	t.Helper()
	s := &script{t: t, begun: time.Now(), conn: new(nats.Conn), configs: map[string]jetstream.StreamConfig{}}
	cfg.JetStream = s
	l, err := natsauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	revocations, uses := l.StreamConfig()
	s.configs[revocations.Name], s.configs[uses.Name] = revocations, uses
	return s, l
}

// called expects that the context of the call before has ended with it.
func (s *script) called(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil && s.before != ctx && s.before.Err() == nil {
		s.t.Error("the context of a call goes on after it")
	}
	s.before = ctx
}

func (s *script) Conn() *nats.Conn { return s.conn }

func (s *script) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s.called(ctx)
	s.mu.Lock()
	s.looked++
	s.mu.Unlock()
	if s.stream == nil {
		return s.found(&jetstream.StreamInfo{Config: s.configs[name]}, nil)
	}
	return s.found(s.stream(ctx, name))
}

func (s *script) CreateStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	s.called(ctx)
	return s.found(s.create(cfg))
}

func (s *script) found(info *jetstream.StreamInfo, err error) (jetstream.Stream, error) {
	if err != nil {
		return nil, err
	}
	return &scriptedStream{script: s, info: info}, nil
}

func (s *script) PublishMsg(ctx context.Context, m *nats.Msg, _ ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	s.called(ctx)
	s.published = append(s.published, time.Since(s.begun))
	s.ids = append(s.ids, m.Header.Get("Oidcauth-Write"))
	var ours bool
	for _, cfg := range s.configs {
		key, ok := strings.CutPrefix(m.Subject, strings.TrimSuffix(cfg.Subjects[0], "*"))
		ours = ours || ok && len(key) == 64
	}
	if !ours {
		s.t.Errorf("published under %s, want 64 digits of a stream's subjects", m.Subject)
	}
	if len(s.published) > 10_000 {
		s.t.Error("published for ever")
		return nil, nats.ErrConnectionClosed
	}
	return s.publish(ctx, m)
}

// A scriptedStream is one that the script gave.
type scriptedStream struct {
	jetstream.Stream
	script *script
	info   *jetstream.StreamInfo
}

func (s *script) CreateConsumer(ctx context.Context, stream string, cfg jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	s.called(ctx)
	if s.consume != nil {
		if err := s.consume(ctx); err != nil {
			return nil, err
		}
	}
	want := jetstream.ConsumerConfig{
		Name: cfg.Name, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy,
		InactiveThreshold: time.Minute, MemoryStorage: true, Replicas: 1,
	}
	if subjects := s.configs[stream].Subjects; len(subjects) > 1 {
		want.FilterSubject = subjects[0]
	}
	if !strings.HasPrefix(cfg.Name, "follower_") || !reflect.DeepEqual(cfg, want) {
		s.t.Errorf("asked for a consumer %+v, want %+v", cfg, want)
	}
	return &scriptedConsumer{script: s}, nil
}

// A scriptedConsumer brings what the test delivers.
type scriptedConsumer struct {
	jetstream.Consumer
	jetstream.ConsumeContext
	script *script
}

func (c *scriptedConsumer) Consume(handler jetstream.MessageHandler, _ ...jetstream.PullConsumeOpt) (jetstream.ConsumeContext, error) {
	if c.script.unreadable != nil {
		return nil, c.script.unreadable
	}
	c.script.mu.Lock()
	defer c.script.mu.Unlock()
	c.script.deliver = handler
	return c, nil
}

func (c *scriptedConsumer) Stop() {
	c.script.mu.Lock()
	defer c.script.mu.Unlock()
	c.script.stopped = true
}

// An arrival is an entry as the client library hands it over.
type arrival struct {
	jetstream.Msg
	number, sequence uint64
	subject, value   string
	headers          nats.Header
	err              error
}

func (a *arrival) Metadata() (*jetstream.MsgMetadata, error) {
	return &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Consumer: a.number, Stream: a.sequence}, Timestamp: time.Now()}, a.err
}

func (a *arrival) Subject() string      { return cmp.Or(a.subject, "oidcauth_revocations.r.a") }
func (a *arrival) Data() []byte         { return []byte(a.value) }
func (a *arrival) Headers() nats.Header { return a.headers }

func (s *scriptedStream) Info(ctx context.Context, _ ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	if s.script.info == nil {
		return s.info, nil
	}
	return s.script.info(ctx, s.info.Config.Name)
}

func (s *scriptedStream) GetMsg(_ context.Context, sequence uint64, options ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	if len(options) > 0 {
		return s.script.next(sequence)
	}
	return s.script.get(sequence)
}

func (s *scriptedStream) CachedInfo() *jetstream.StreamInfo { return s.info }

func (s *scriptedStream) GetLastMsgForSubject(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	s.script.called(ctx)
	return s.script.last(ctx, subject)
}

// A family counts the contexts that were made of it and have not ended.
type family struct {
	context.Context
	cancel context.CancelFunc
	living atomic.Int64
}

func newFamily(t *testing.T) *family {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return &family{Context: ctx, cancel: cancel}
}

// Value hides the context within, to which its children would belong.
func (*family) Value(any) any { return nil }

// AfterFunc is what package context calls for each child.
func (f *family) AfterFunc(do func()) (stop func() bool) {
	f.living.Add(1)
	inner := context.AfterFunc(f.Context, func() {
		f.living.Add(-1)
		do()
	})
	return func() bool {
		stopped := inner()
		if stopped {
			f.living.Add(-1)
		}
		return stopped
	}
}
