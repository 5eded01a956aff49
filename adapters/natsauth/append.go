package natsauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

// Error codes of JetStream that its client library has no names for.
const (
	codeNoPeers          jetstream.ErrorCode = 10005 // too few servers are up to create a stream
	codeNotLeader        jetstream.ErrorCode = 10009
	codeAccountLimit     jetstream.ErrorCode = 10002
	codeServerLimit      jetstream.ErrorCode = 10023
	codeStorageLimit     jetstream.ErrorCode = 10047
	codeMessageTooLarge  jetstream.ErrorCode = 10054
	codeOtherStream      jetstream.ErrorCode = 10060
	codeWrongSequence    jetstream.ErrorCode = 10071 // something is stored under the subject
	codeStoreFailed      jetstream.ErrorCode = 10077 // the stream is full
	codeSealed           jetstream.ErrorCode = 10109
	codeInProcess        jetstream.ErrorCode = 10164 // something is stored under it, or will perhaps be
	codeMessageTTL       jetstream.ErrorCode = 10165
	codeMessageTTLDenied jetstream.ErrorCode = 10166
)

// writeHeader says which call wrote a message, so that one which did not hear of
// the acknowledgement knows its own.
const writeHeader = "Oidcauth-Write"

const (
	firstRetry = 20 * time.Millisecond
	maxRetry   = 500 * time.Millisecond

	// lateTime is how long after its end a call may say what it came to.
	lateTime = 50 * time.Millisecond
)

var (
	errInProcess = errors.New("an equal write is in process, and may fail")
	errEndsEarly = errors.New("an equal entry is stored, but leaves too early")
	errNoContext = errors.New("got a nil context, want one that ends, or context.Background()")
)

// Append implements [oidcauth.RevocationLog]. It tries until the configured
// timeout, also while the connection is down. A nil error means that the NATS
// servers have the revocation: they acknowledged it, or the stream's leader shows
// it. A revocation that is over, by [Config.Now] and by the clock of NATS, is not
// stored ([oidcauth.ErrNotStored]).
func (l *Log) Append(ctx context.Context, r oidcauth.Revocation) (added bool, err error) {
	if ctx == nil {
		return false, fmt.Errorf("natsauth: append: %w: %w", oidcauth.ErrNotStored, errNoContext)
	}
	key, value, err := encode(r)
	if err != nil {
		return false, fmt.Errorf("natsauth: append: %w: %w", oidcauth.ErrNotStored, err)
	}
	w := &write{store: &l.revocations, open: l.revocations.open, subject: l.revocations.prefix + key, value: value, until: r.Until, notOver: true}
	added, err = w.run(ctx)
	if err != nil {
		return false, fmt.Errorf("natsauth: append: %w", err)
	}
	return added, nil
}

// FirstUse implements [oidcauth.RevocationLog], as [Log.Append] does. When the stream
// of uses was made anew, or set back to an older copy, it is not known what was used before:
// for a quarter of an hour, or for the longest time that a use had to be kept for,
// FirstUse returns an error for things that may be from before. So it does for what was
// over a minute ago by the clock of NATS, whose use may have left the stream.
func (l *Log) FirstUse(ctx context.Context, id [32]byte, until time.Time) (first bool, err error) {
	if ctx == nil {
		return false, fmt.Errorf("natsauth: first use: %w", errNoContext)
	}
	now := l.now()
	w := &write{store: &l.uses, open: l.openUses, subject: l.uses.prefix + hex.EncodeToString(id[:]), until: until}
	before := l.ledger.begin(until.Sub(now))
	added, err := w.run(ctx)
	if err != nil {
		return false, fmt.Errorf("natsauth: first use: %w", err)
	}
	if !added {
		return false, nil
	}
	err = l.ledger.judge(now, until, before, w.sequence)
	if err == nil {
		err = l.forgotten(until)
	}
	if err != nil {
		return false, fmt.Errorf("natsauth: first use: %w", err)
	}
	return true, nil
}

// A write stores one message under a subject of its own, unless there is one.
type write struct {
	store   *store
	open    func(context.Context) (*handle, error)
	subject string
	value   []byte
	until   time.Time
	notOver bool // refuse what is over

	id       string // of this call
	pending  bool   // an attempt may have been stored, or may still be
	sequence uint64 // of what was stored
}

// run tries until it is known whether the message is stored, or the time is up.
// While the client library connects, which it does with its lock held, its calls
// do not end with ctx: they are left behind then.
func (w *write) run(ctx context.Context) (added bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.store.log.timeout)
	w.id = rand.Text()
	done := make(chan func() (bool, error), 1)
	go func() { // ends soon after ctx
		defer cancel()
		added, err := w.tryOften(ctx)
		done <- func() (bool, error) { return added, err }
	}()
	select {
	case result := <-done:
		return result()
	case <-ctx.Done():
	}
	select {
	case result := <-done:
		return result()
	case <-time.After(lateTime):
		return false, fmt.Errorf("not known whether it is stored: %w", ctx.Err())
	}
}

func (w *write) tryOften(ctx context.Context) (added bool, err error) {
	for pause := firstRetry; ; pause = min(2*pause, maxRetry) {
		added, err = w.attempt(ctx)
		switch {
		case err == nil:
			return added, nil
		case errors.Is(err, oidcauth.ErrNotStored) && !w.pending, errors.Is(err, nats.ErrConnectionClosed):
			return false, err
		}
		if !sleep(ctx, pause) {
			return false, fmt.Errorf("not known whether it is stored: %w", unmarked(err))
		}
	}
}

// attempt publishes the message once, and looks at what is there if NATS says
// that there is something.
func (w *write) attempt(ctx context.Context) (added bool, err error) {
	l := w.store.log
	stream, err := w.open(ctx)
	if err != nil {
		return false, err
	}
	now := l.earlier(l.now()) // which is known only now
	if w.notOver && !w.until.IsZero() && !now.Before(w.until) {
		return false, fmt.Errorf("%w: it ended at %v, and it is %v", oidcauth.ErrNotStored, w.until, now)
	}
	ack, err := w.publish(ctx, timeToLive(w.until, now, l.lateness))
	switch {
	case err == nil && ack.Domain == stream.domain:
		w.sequence = ack.Sequence
		return true, nil
	case err == nil:
		return w.settle(ctx, ack)
	case hasCode(err, codeOtherStream):
		return w.findBehind(ctx, stream, "another name")
	case hasCode(err, codeWrongSequence, codeInProcess):
		return w.find(ctx, stream)
	case errors.Is(err, nats.ErrMaxPayload), hasCode(err, codeStoreFailed, codeAccountLimit, codeServerLimit, codeStorageLimit,
		codeMessageTooLarge, codeSealed, codeMessageTTL, codeMessageTTLDenied):
		w.store.reopen()
		return false, fmt.Errorf("%w: stream %q: %w", oidcauth.ErrNotStored, w.store.config.Name, err)
	}
	// Nobody was there to take it, or the answer did not come. Perhaps the stream
	// is gone: look again next time.
	w.pending = w.pending || !errors.Is(err, jetstream.ErrNoStreamResponse)
	w.store.reopen()
	return false, fmt.Errorf("stream %q: %w", w.store.config.Name, err)
}

// publish has half of the time, so that another attempt can be made when the
// answer does not come. A ttl of zero means for ever.
func (w *write) publish(ctx context.Context, ttl time.Duration) (*jetstream.PubAck, error) {
	l := w.store.log
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout/2, errSlow)
	defer cancel()
	m := &nats.Msg{Subject: w.subject, Data: w.value, Header: nats.Header{writeHeader: {w.id}}}
	ack, err := l.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(0), jetstream.WithExpectStream(w.store.config.Name),
		jetstream.WithRetryAttempts(0), jetstream.WithMsgTTL(ttl))
	return ack, slow(ctx, err)
}

// find asks the stream's leader for what is stored under the subject. What it
// shows is stored for good; what it does not show may be in process still.
func (w *write) find(ctx context.Context, stream *handle) (added bool, err error) {
	ctx, cancel := w.store.log.request(ctx)
	defer cancel()
	m, err := stream.GetLastMsgForSubject(ctx, w.subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, errInProcess
	case err != nil:
		w.store.reopen()
		return false, fmt.Errorf("stream %q: read back: %w", w.store.config.Name, slow(ctx, err))
	case !bytes.Equal(m.Data, w.value):
		return false, fmt.Errorf("%w: stream %q: something else is stored under %s", oidcauth.ErrNotStored, w.store.config.Name, w.subject)
	}
	if w.notOver && endsEarly(m, w.until) { // by somebody whose clock was ahead
		return false, errEndsEarly
	}
	w.sequence = m.Sequence
	return m.Header.Get(writeHeader) == w.id, nil
}

// endsEarly reports whether an entry leaves before a time, which is zero if there
// is none. The server counts in seconds.
func endsEarly(m *jetstream.RawStreamMsg, until time.Time) bool {
	ttl := m.Header.Get(jetstream.MsgTTLHeader)
	return ttl != "" && endOf(m.Time, ttl).Before(until.Add(-time.Second))
}

func hasCode(err error, codes ...jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return false
	}
	for _, code := range codes {
		if api.ErrorCode == code {
			return true
		}
	}
	return false
}

// unmarked returns the error of the last attempt. If that was certainly not stored, then
// it says so of the call no longer: an attempt before had no answer.
func unmarked(err error) error {
	if errors.Is(err, oidcauth.ErrNotStored) {
		return fmt.Errorf("an attempt had no answer, and the last one failed: %v", err)
	}
	return err
}

// sleep waits. It reports false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
