// Package natsauth shares revocations between the servers of a cluster through
// a NATS JetStream key-value bucket:
//
//	js, err := jetstream.New(conn)
//	…
//	log, err := natsauth.New(natsauth.Config{JetStream: js, Replicas: 3})
//	…
//	auth, err := oidcauth.New(oidcauth.Config{Issuers: issuers, Revocations: log})
//
// What one server revokes then reaches the live sessions of all, a server that
// joins later refuses what was revoked before, and one that was cut off catches
// up when it is back.
//
// # What is stored
//
// Each revocation is one entry of the bucket, in JSON; its key is a hash of its
// contents. An entry holds IDs (issuer, subject, session ID, token ID, key ID)
// and times, never a token. Entries leave the bucket by themselves a minute after
// [oidcauth.Revocation.Until], which needs a NATS server of version 2.11 or later.
//
// # Who may write
//
// Whoever may write to the bucket can revoke any token, and whoever may delete
// from it can undo a revocation for servers that start afterwards. Give the
// servers a NATS account of their own, or users that are allowed no more than
//
//	publish    $KV.<bucket>.>, $JS.API.>, $JS.FC.>
//	subscribe  _INBOX.>
//
// # The connection
//
// The connection is the caller's, to make, to secure and to close. Make it with
// nats.RetryOnFailedConnect(true) and nats.MaxReconnects(-1), so that a server
// can start without NATS and never gives up to reach it; a connection that is
// closed is not opened again. [Config.Grace] says how long an interruption may
// last before it counts.
package natsauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

const (
	defaultBucket   = "oidcauth_revocations"
	defaultInterval = 5 * time.Second
)

// Config says where the revocations are. JetStream is required.
type Config struct {
	// JetStream is the context of the connection: what jetstream.New returns.
	JetStream jetstream.JetStream

	// Bucket is the name of the key-value bucket, which is created when it does
	// not exist. One that exists is used as it is, if it keeps what it is given
	// and expires each entry at its own time. Empty means "oidcauth_revocations".
	Bucket string

	// Replicas is the number of NATS servers that keep a copy, when the bucket is
	// created. Zero means 1; a cluster wants 3.
	Replicas int

	// MaxBytes bounds the bucket when it is created. A full bucket takes no more
	// revocations and forgets none: [oidcauth.Authenticator.Revoke] returns an
	// error then. Zero means no limit of its own.
	MaxBytes int64

	// Heartbeat is how often a follower asks whether it has all there is, and
	// whether the NATS servers that keep it are a majority. A contact that is lost
	// without notice is noticed within twice that and Timeout. Zero means 5 seconds;
	// negative is an error.
	Heartbeat time.Duration

	// Timeout bounds each exchange with NATS. Zero means 5 seconds; negative is an
	// error.
	Timeout time.Duration

	// Grace is how long contact may be lost before followers are told so, if it
	// comes back and brings everything by then: a NATS server that restarts, or a
	// moment without network, need not refuse every token and end every session
	// where [oidcauth.Config.RequireRevocations] is set. The price is that this
	// server may miss a revocation for that time, beginning with the loss or, when
	// contact is lost without notice, with the moment that Heartbeat notices it.
	// What the loss does not leave open is told at once: that revocations are known
	// to be missing, that the connection was closed for good, and that none were
	// read yet. Zero means none; a few seconds suit most.
	Grace time.Duration

	// Logger gets a line when contact is lost, with the cause, when it is back,
	// and for each damaged entry. Nil means no logging.
	Logger *slog.Logger
}

// A Log is an [oidcauth.RevocationLog] in a JetStream key-value bucket. It is
// safe for concurrent use, by several Authenticators too.
type Log struct {
	js        jetstream.JetStream
	bucket    jetstream.KeyValueConfig
	heartbeat time.Duration
	timeout   time.Duration
	grace     time.Duration
	lateness  time.Duration // how long entries outlive their revocations
	logger    *slog.Logger

	opened  atomic.Pointer[openBucket] // for Append; nil until needed
	damaged atomic.Uint64              // the last damaged entry that was logged
}

var _ oidcauth.RevocationLog = (*Log)(nil)

// An openBucket is a handle, behind a pointer so that it can be exchanged.
type openBucket struct{ jetstream.KeyValue }

// New checks the configuration. It does not contact NATS: that begins with the
// first [Log.Append] or [Log.Follow].
func New(cfg Config) (*Log, error) {
	switch {
	case cfg.JetStream == nil:
		return nil, errors.New("natsauth: Config.JetStream is missing")
	case cfg.Replicas < 0 || cfg.MaxBytes < 0 || cfg.Heartbeat < 0 || cfg.Timeout < 0 || cfg.Grace < 0:
		return nil, fmt.Errorf("natsauth: Config.Replicas, MaxBytes, Heartbeat, Timeout, Grace: got %d, %d, %v, %v, %v, want none negative",
			cfg.Replicas, cfg.MaxBytes, cfg.Heartbeat, cfg.Timeout, cfg.Grace)
	}
	l := &Log{
		js: cfg.JetStream, heartbeat: cfg.Heartbeat, timeout: cfg.Timeout, grace: cfg.Grace, lateness: maxLateness, logger: cfg.Logger,
		bucket: jetstream.KeyValueConfig{
			Bucket: cfg.Bucket, Replicas: cfg.Replicas, MaxBytes: cfg.MaxBytes,
			Description: "revoked tokens", Storage: jetstream.FileStorage, LimitMarkerTTL: markerTime,
		},
	}
	if l.bucket.Bucket == "" {
		l.bucket.Bucket = defaultBucket
	}
	if l.heartbeat == 0 {
		l.heartbeat = defaultInterval
	}
	if l.timeout == 0 {
		l.timeout = defaultInterval
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	return l, nil
}

// Append implements [oidcauth.RevocationLog]. While the connection is down it
// waits for it, until the configured timeout. A revocation whose Append failed
// may reach the bucket all the same: the answer alone may have been lost.
func (l *Log) Append(ctx context.Context, r oidcauth.Revocation) (added bool, err error) {
	key, value, err := encode(r)
	if err != nil {
		return false, fmt.Errorf("natsauth: append: %w", err)
	}
	options, over := expiry(r, time.Now(), l.lateness)
	if over {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	kv := l.opened.Load()
	if kv == nil {
		opened, err := l.open(ctx)
		if err != nil {
			return false, fmt.Errorf("natsauth: append: %w", err)
		}
		kv = &openBucket{opened}
		l.opened.Store(kv)
	}
	switch _, err := kv.Create(ctx, key, value, options...); {
	case errors.Is(err, jetstream.ErrKeyExists):
		return false, nil
	case err != nil:
		// Perhaps the bucket is gone: look again next time.
		l.opened.CompareAndSwap(kv, nil)
		return false, fmt.Errorf("natsauth: append to bucket %q: %w", l.bucket.Bucket, err)
	}
	return true, nil
}

// FirstUse implements [oidcauth.RevocationLog].
func (l *Log) FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error) {
	return l.Append(ctx, oidcauth.Revocation{TokenID: "first use " + hex.EncodeToString(id[:]), Until: until.UTC()})
}

// open returns a handle to the bucket, which it creates if there is none.
func (l *Log) open(ctx context.Context) (jetstream.KeyValue, error) {
	kv, err := l.js.KeyValue(ctx, l.bucket.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = l.js.CreateKeyValue(ctx, l.bucket)
		if errors.Is(err, jetstream.ErrBucketExists) { // another server was faster
			kv, err = l.js.KeyValue(ctx, l.bucket.Bucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %q: %w", l.bucket.Bucket, err)
	}
	status, err := kv.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("bucket %q: %w", l.bucket.Bucket, err)
	}
	if err := checkBucket(status); err != nil {
		return nil, fmt.Errorf("bucket %q: %w", l.bucket.Bucket, err)
	}
	return kv, nil
}

// checkBucket refuses a bucket that would lose revocations before their time, or
// keep them for ever.
func checkBucket(status jetstream.KeyValueStatus) error {
	if ttl := status.TTL(); ttl != 0 {
		return fmt.Errorf("got a bucket that forgets after %v, want one without a TTL of its own", ttl)
	}
	if status.LimitMarkerTTL() == 0 {
		return errors.New("got a bucket without limit markers, want one that expires each entry at its own time")
	}
	return nil
}
