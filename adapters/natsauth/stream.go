package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

var errUnseen = errors.New("it was created, and is not known everywhere yet")

// A store is one of the two streams.
type store struct {
	log    *Log
	config jetstream.StreamConfig // when it is created
	prefix string                 // of its subjects

	opened atomic.Pointer[handle] // nil until needed, and when to look again
	warned atomic.Bool
	twin   atomic.Bool // warned of
}

// A handle is a stream that was found fit.
type handle struct {
	jetstream.Stream
	created time.Time
	domain  string // of JetStream; empty where there are none
}

func (s *store) init(l *Log, cfg jetstream.StreamConfig, description string) {
	cfg.Description = description
	s.log, s.config, s.prefix = l, cfg, cfg.Subjects[0][:len(cfg.Subjects[0])-1]
}

// streamConfig returns how a stream is created: one that takes messages and gives
// up none before the time that each says itself.
func streamConfig(name, prefix string, replicas int, maxBytes int64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{prefix + "*"}, Replicas: max(replicas, 1), MaxBytes: maxBytes,
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		DenyDelete: true, DenyPurge: true, AllowMsgTTL: true,
	}
}

// open returns the stream, which it creates if there is none. It looks again only
// after reopen. While a cluster elects a leader nobody may answer, and nobody
// does later: it is for the caller to try again.
func (s *store) open(ctx context.Context) (*handle, error) {
	if h := s.opened.Load(); h != nil {
		return h, nil
	}
	ctx, cancel := s.log.request(ctx)
	defer cancel()
	name := s.config.Name
	stream, err := s.log.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.log.js.CreateStream(ctx, s.config)
		if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another server was faster
			stream, err = s.lookAgain(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream %q: %w", name, permanent(slow(ctx, err)))
	}
	info := stream.CachedInfo()
	if err := s.check(&info.Config); err != nil {
		return nil, err
	}
	s.log.noteTime(info.TimeStamp)
	s.warn(ctx, &info.Config)
	h := &handle{Stream: stream, created: info.Created, domain: info.Domain}
	s.opened.Store(h)
	return h, nil
}

// lookAgain looks at a stream that exists: what creates it does not say of which domain it
// is. Not every server of a cluster knows of it at once.
func (s *store) lookAgain(ctx context.Context) (jetstream.Stream, error) {
	stream, err := s.log.js.Stream(ctx, s.config.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, errUnseen
	}
	return stream, err
}

// reopen has the stream looked for again: perhaps it is gone, or another.
func (s *store) reopen() { s.opened.Store(nil) }

// check refuses a stream that would lose messages before their time or keep them
// for ever, or that is not this package's.
func (s *store) check(cfg *jetstream.StreamConfig) error {
	got, want := misfit(cfg, s.config.Subjects[0])
	if got == "" {
		return nil
	}
	return fmt.Errorf("%w: stream %q: got %s, want %s: %w", errLossy, cfg.Name, got, want, oidcauth.ErrNotStored)
}

// misfit says what about a stream will not do, and what would; nothing if it
// will.
func misfit(cfg *jetstream.StreamConfig, subject string) (got, want string) {
	switch {
	case !slices.Contains(cfg.Subjects, subject):
		return fmt.Sprintf("subjects %q", cfg.Subjects), fmt.Sprintf("%q among them", subject)
	case cfg.Mirror != nil || cfg.SubjectTransform != nil:
		return "a mirror, or a transform of subjects", "neither"
	case cfg.Storage != jetstream.FileStorage:
		return "one in memory, which a restart empties", "storage: file"
	case cfg.PersistMode != jetstream.DefaultPersistMode:
		return "one that acknowledges before it writes", "persist_mode: default"
	case cfg.Retention != jetstream.LimitsPolicy:
		return "retention " + cfg.Retention.String() + ", which removes what was read", "retention: limits"
	case cfg.MaxAge != 0:
		return fmt.Sprintf("a maximum age of %v, after which messages are removed", cfg.MaxAge), "max_age: 0"
	case cfg.Discard != jetstream.DiscardNew:
		return "one that discards old messages when it is full", "discard: new"
	case cfg.MaxMsgsPerSubject > 0 && !cfg.DiscardNewPerSubject:
		return fmt.Sprintf("max_msgs_per_subject %d, beyond which old messages are removed", cfg.MaxMsgsPerSubject), "none"
	case cfg.AllowRollup:
		return "one whose messages can be replaced by a rollup", "allow_rollup_hdrs: false"
	case !cfg.DenyPurge || !cfg.DenyDelete:
		return "one whose messages can be deleted or purged", "deny_delete: true and deny_purge: true"
	case !cfg.AllowMsgTTL:
		return "one whose messages cannot have an end of their own", "allow_msg_ttl: true (NATS 2.11 or later)"
	case cfg.AllowDirect:
		return "one that is read from servers that may be behind", "allow_direct: false"
	case cfg.NoAck || cfg.Sealed:
		return "one that acknowledges or takes nothing", "no_ack: false and sealed: false"
	}
	return "", ""
}

// warn writes one line on a stream that is less safe than it could be.
func (s *store) warn(ctx context.Context, cfg *jetstream.StreamConfig) {
	if cfg.Replicas > 1 || s.warned.Swap(true) {
		return
	}
	s.log.logger.LogAttrs(ctx, slog.LevelWarn, "stream has one replica: if its machine loses power, what it acknowledged within "+
		`the NATS server's sync_interval is lost (two minutes, unless set): set sync_interval to "always", or keep three replicas`,
		slog.String("stream", cfg.Name))
}

// request bounds one of several requests that there is time for.
func (l *Log) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.timeout/3, errSlow)
}

// slow words that a request was not answered.
func slow(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && context.Cause(ctx) == errSlow {
		return errSlow
	}
	return err
}

// permanent marks what NATS answers to a request that it will not grant the next
// time either.
func permanent(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code != 503 && api.ErrorCode != codeNotLeader && api.ErrorCode != codeNoPeers {
		return fmt.Errorf("%w: %w", oidcauth.ErrNotStored, err)
	}
	return err
}
