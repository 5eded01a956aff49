package natsauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

var (
	errDisconnected = errors.New("not connected to NATS")
	errStalled      = errors.New("entries exist that do not arrive")
	errNoQuorum     = errors.New("the NATS server has lost the others")
	errReplaced     = errors.New("the bucket was replaced")
	errSlow         = errors.New("no answer from NATS")
	errStopped      = errors.New("the watch was stopped")
	errClosed       = nats.ErrConnectionClosed
)

// Follow implements [oidcauth.RevocationLog]. It returns when ctx ends or when
// the connection is closed for good; everything else it waits out and reads the
// bucket from the beginning again.
func (l *Log) Follow(ctx context.Context, apply func(oidcauth.Revocation), caughtUp func(bool)) error {
	conn := l.js.Conn()
	changes := conn.StatusChanged()
	defer conn.RemoveStatusListener(changes)
	f := &follower{log: l, conn: conn, changes: changes, contact: &contact{grace: l.grace, apply: apply, caughtUp: caughtUp}}
	defer f.contact.end()
	for lost, pause := false, firstPause; ; {
		f.current = false
		err := f.pass(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if conn.IsClosed() {
			f.contact.lost(errClosed)
			return fmt.Errorf("natsauth: follow: %w", errClosed)
		}
		f.contact.lost(err)
		if f.current {
			lost, pause = false, firstPause
		}
		if !lost {
			lost = true
			l.logger.LogAttrs(ctx, slog.LevelWarn, "revocations lost contact",
				slog.String("bucket", l.bucket.Bucket), slog.String("error", err.Error()))
		}
		if f.wait(ctx, pause/2+rand.N(pause)) {
			pause = firstPause
		} else {
			pause = min(2*pause, maxPause)
		}
	}
}

// A follower is one call of Follow. Its methods run in one goroutine.
type follower struct {
	log     *Log
	conn    *nats.Conn
	changes chan nats.Status
	contact *contact

	// Of the current pass:
	current bool   // all that existed at the beginning was applied
	seen    uint64 // the last revision that arrived
	begin   pulse
}

// pass reads the bucket from the beginning and goes on until contact is lost.
func (f *follower) pass(ctx context.Context) error {
	f.drainChanges()
	if !f.conn.IsConnected() {
		return errDisconnected
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kv, watcher, err := f.start(ctx, cancel)
	if err != nil {
		return err
	}
	// The end of ctx stops the watch, which waits for an answer if there is no
	// contact, and blocks on entries that nobody takes. Both end in seconds.
	defer func() { go drain(watcher) }()
	return f.read(ctx, kv, watcher)
}

func drain(watcher jetstream.KeyWatcher) {
	for range watcher.Updates() {
	}
}

// start begins a watch. It has the configured time for it, although the watch
// lasts as long as ctx.
func (f *follower) start(ctx context.Context, cancel context.CancelCauseFunc) (jetstream.KeyValue, jetstream.KeyWatcher, error) {
	limit := time.AfterFunc(f.log.timeout, func() { cancel(errSlow) })
	defer limit.Stop()
	kv, watcher, err := f.begun(ctx)
	if err != nil && context.Cause(ctx) == errSlow {
		err = fmt.Errorf("%w within %v", errSlow, f.log.timeout)
	}
	return kv, watcher, err
}

func (f *follower) begun(ctx context.Context) (jetstream.KeyValue, jetstream.KeyWatcher, error) {
	kv, err := f.log.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	// What exists now is to arrive before the watch says that it has caught up.
	if f.begin = ask(ctx, kv); f.begin.err != nil {
		return nil, nil, f.begin.err
	}
	f.seen = 0
	watcher, err := kv.WatchAll(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("watch: %w", err)
	}
	return kv, watcher, nil
}

// read takes what arrives, and asks at each heartbeat whether that is all.
func (f *follower) read(ctx context.Context, kv jetstream.KeyValue, watcher jetstream.KeyWatcher) error {
	heartbeat := time.NewTimer(f.log.heartbeat)
	defer heartbeat.Stop()
	answers := make(chan pulse, 1)
	var before, asked uint64 // seen when the last answer came, and when it was asked for
	last := f.begin
	for {
		select {
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return errStopped
			case entry == nil:
				f.caught(ctx)
			default:
				f.take(ctx, entry)
			}
		case status, ok := <-f.changes:
			if !ok || status != nats.CONNECTED {
				return errDisconnected
			}
		case <-heartbeat.C:
			asked = f.seen
			go func() { // ends by its timeout
				ctx, cancel := context.WithTimeout(ctx, f.log.timeout)
				defer cancel()
				answers <- ask(ctx, kv)
			}()
		case now := <-answers:
			if err := f.judge(last, now, before, asked); err != nil {
				return err
			}
			last, before = now, f.seen
			heartbeat.Reset(f.log.heartbeat)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// caught notes that all that existed at the beginning of the pass was applied.
func (f *follower) caught(ctx context.Context) {
	// What expired meanwhile never arrives.
	f.seen = max(f.seen, f.begin.last)
	f.current = true
	f.log.logger.LogAttrs(ctx, slog.LevelInfo, "revocations caught up",
		slog.String("bucket", f.log.bucket.Bucket), slog.Uint64("revision", f.seen))
	f.contact.back()
}

// take applies one entry.
func (f *follower) take(ctx context.Context, entry jetstream.KeyValueEntry) {
	f.seen = max(f.seen, entry.Revision())
	if entry.Operation() != jetstream.KeyValuePut {
		return
	}
	r, err := decode(entry.Value())
	if err == nil {
		f.contact.take(r)
		return
	}
	// Entries come in their order, so that one which was logged comes not after
	// the last that was.
	if last := f.log.damaged.Load(); entry.Revision() > last && f.log.damaged.CompareAndSwap(last, entry.Revision()) {
		f.log.logger.LogAttrs(ctx, slog.LevelError, "damaged revocation skipped", slog.String("bucket", f.log.bucket.Bucket),
			slog.String("key", entry.Key()), slog.Uint64("revision", entry.Revision()), slog.String("error", err.Error()))
	}
}

// judge compares the answer to a heartbeat with the one before it: what existed
// then has to have arrived by now. While the watch catches up it has to advance.
func (f *follower) judge(last, now pulse, before, asked uint64) error {
	switch {
	case now.err != nil:
		return now.err
	case !now.created.Equal(f.begin.created) || now.last < asked:
		return errReplaced
	case f.current && f.seen < last.last, !f.current && f.seen == before:
		return errStalled
	}
	return nil
}

// wait returns after a while, or at once when the connection is back, and
// reports whether it is.
func (f *follower) wait(ctx context.Context, pause time.Duration) (connected bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case status, ok := <-f.changes:
			if !ok || status == nats.CONNECTED || status == nats.CLOSED {
				return true
			}
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// drainChanges forgets changes of the connection that are over.
func (f *follower) drainChanges() {
	for {
		select {
		case _, ok := <-f.changes:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// A pulse is what the server says of the bucket.
type pulse struct {
	last    uint64 // the revision of the last entry
	created time.Time
	err     error
}

func ask(ctx context.Context, kv jetstream.KeyValue) pulse {
	status, err := kv.Status(ctx)
	if err != nil {
		return pulse{err: fmt.Errorf("heartbeat: %w", err)}
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return pulse{err: fmt.Errorf("heartbeat: got a status of type %T, want a stream's", status)}
	}
	info := bucket.StreamInfo()
	if !hasQuorum(info.Cluster) {
		return pulse{err: errNoQuorum}
	}
	return pulse{last: info.State.LastSeq, created: info.Created}
}

// hasQuorum reports whether a majority of the servers that keep the bucket are in
// touch. One that has lost the others goes on to answer, with what it has.
func hasQuorum(c *jetstream.ClusterInfo) bool {
	if c == nil { // a server that is alone by design
		return true
	}
	reached := 1
	for _, replica := range c.Replicas {
		if !replica.Offline {
			reached++
		}
	}
	return c.Leader != "" && 2*reached > len(c.Replicas)+1
}
