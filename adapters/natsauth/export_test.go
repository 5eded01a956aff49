package natsauth

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
)

// SetLateness makes entries expire sooner after the end of their revocation.
func (l *Log) SetLateness(d time.Duration) { l.lateness = d }

// Encode gives tests the entry of a revocation.
var Encode = encode

// Decode gives tests what an entry says.
var Decode = decode

// TimeToLive gives tests how long an entry is kept.
var TimeToLive = timeToLive

// IsLed, FollowedWithin and Misfit give tests the judgement of a stream.
var (
	IsLed          = isLed
	FollowedWithin = followedWithin
	Misfit         = misfit
)

// StreamConfig gives tests how a stream is created.
func (l *Log) StreamConfig() (revocations, uses jetstream.StreamConfig) {
	return l.revocations.config, l.uses.config
}

// Losses of contact.
var (
	ErrSlow     = errSlow
	ErrNoQuorum = errNoQuorum
	ErrStalled  = errStalled
	ErrReplaced = errReplaced
	ErrLossy    = errLossy
	ErrGap      = errGap
)

// A Contact lets tests lose contact and find it again.
type Contact contact

// NewContact makes a contact that only reports whether it is current.
func NewContact(grace time.Duration, caughtUp func(bool)) *Contact {
	return (*Contact)(&contact{grace: grace, caughtUp: caughtUp})
}

// Lost loses contact.
func (c *Contact) Lost(cause error) { (*contact)(c).lost(cause) }

// Back finds it again.
func (c *Contact) Back() { (*contact)(c).back() }

// Late returns what a timer would do that is set now.
func (c *Contact) Late() func() {
	change := c.changes
	return func() { (*contact)(c).over(change) }
}

// End ends it.
func (c *Contact) End() { (*contact)(c).end() }

// A Ledger lets tests replace the stream of uses.
type Ledger ledger

// Begin notes how long a use is kept, and returns up to which uses were acknowledged.
func (g *Ledger) Begin(kept time.Duration) (last uint64) { return (*ledger)(g).begin(kept) }

// Look compares streams that were created at these times.
func (g *Ledger) Look(now, created, revocations time.Time) {
	(*ledger)(g).look(now, created, revocations, now.Sub(created))
}

// Judge judges a use that was stored.
func (g *Ledger) Judge(now, until time.Time, before, sequence uint64) error {
	return (*ledger)(g).judge(now, until, before, sequence)
}

// Verify asks the stream of revocations whether it has an entry of this sequence and
// subject, stored at a time, that arrived so long ago.
func (l *Log) Verify(ctx context.Context, sequence uint64, subject string, stored time.Time, ago time.Duration) error {
	h, err := l.revocations.open(ctx)
	if err != nil {
		return err
	}
	m := &message{sequence: sequence, subject: subject, stored: stored, arrived: time.Now().Add(-ago)}
	return m.verify(ctx, h)
}

// EndOf gives tests when an entry leaves.
var EndOf = endOf

// Witness returns which of the entries that arrived, by their ends from now, is
// looked for.
func Witness(now time.Time, ends []time.Duration) uint64 {
	var w witnesses
	for i, d := range ends {
		w.add(message{sequence: uint64(i + 1), end: now.Add(d), value: make([]byte, 1)})
	}
	if m := w.best(now); m != nil {
		if m.value != nil {
			panic("what an entry says is kept")
		}
		return m.sequence
	}
	return 0
}

// An Answer is what a leader says, and when.
type Answer struct {
	At      time.Duration // since the follower began; it takes no time
	Cluster *jetstream.ClusterInfo
	Last    uint64
}

// Confirm returns up to where entries are known to exist after the answers.
func Confirm(heartbeat time.Duration, answers []Answer) (sequence uint64, known bool, err error) {
	f := &follower{log: &Log{heartbeat: heartbeat}, stream: &handle{}}
	begun := time.Now()
	for _, a := range answers {
		at := begun.Add(a.At)
		if err := f.confirm(context.Background(), pulse{sent: at, received: at, last: a.Last, cluster: a.Cluster}); err != nil {
			return 0, false, err
		}
	}
	return f.owed.sequence, f.owed.known, nil
}

// Owe says, of a follower that has seen entries up to a sequence and hears every second up
// to which they exist, after how long it knew of one that had not arrived; negative if
// there is none.
func Owe(seen uint64, exist ...uint64) time.Duration {
	f, begun := &follower{seen: seen}, time.Now()
	for _, sequence := range exist {
		f.owe(sequence)
		time.Sleep(time.Second)
	}
	if f.owed.since.IsZero() {
		return -1
	}
	return f.owed.since.Sub(begun)
}

// A Reading is what a follower has of the stream of a server that is alone, and what
// that one answers.
type Reading struct {
	Heartbeat time.Duration
	Seen, End uint64        // the last sequence that arrived, and that exists
	Owed      time.Duration // how long before the question it has been known that there are more
	Moved     time.Duration // how long before the question the last one arrived
}

// Judge gives tests what a follower makes of an answer.
func (r Reading) Judge(ctx context.Context) error {
	now := time.Now()
	f := &follower{
		log: &Log{heartbeat: r.Heartbeat}, stream: &handle{created: now}, current: true,
		seen: r.Seen, moved: now.Add(-r.Moved), owed: debt{known: true, sequence: r.End, since: now.Add(-r.Owed)},
	}
	return f.judge(ctx, pulse{sent: now, received: now, created: now, end: r.End, last: r.End})
}

// Take takes an entry of a number and a sequence after one of others, and returns how
// many have arrived, and up to which sequence.
func Take(ctx context.Context, count, seen, number, sequence uint64) (uint64, uint64, error) {
	f := &follower{count: count, seen: seen}
	err := f.take(ctx, message{number: number, sequence: sequence, marker: true})
	return f.count, f.seen, err
}

// Wait waits for a connection that tells these changes of itself, and reports whether it
// is back.
func Wait(ctx context.Context, pause time.Duration, changes ...nats.Status) (connected bool) {
	f := &follower{changes: make(chan nats.Status, len(changes))}
	for _, status := range changes {
		f.changes <- status
	}
	return f.wait(ctx, pause)
}

// A Follower lets tests read without a connection.
type Follower follower

// NewFollower makes one of a connection that tells these changes.
func NewFollower(l *Log, changes chan nats.Status, apply func(oidcauth.Revocation), caughtUp func(bool)) *Follower {
	return (*Follower)(&follower{log: l, changes: changes, contact: &contact{apply: apply, caughtUp: caughtUp}})
}

// Read reads what the log's JetStream has.
func (f *Follower) Read(ctx context.Context) error {
	f.current = false
	return (*follower)(f).readStream(ctx)
}

// LookAfterUses has a log look after the stream of uses, beside one of revocations that was
// created at a time.
func (l *Log) LookAfterUses(ctx context.Context, revocations time.Time) {
	l.lookAfterUses(ctx, revocations)
}

// NextPause gives tests how long a follower waits before it tries again.
var NextPause = nextPause

// Slow gives tests the wording of a request that was not answered.
var Slow = slow

// Publish publishes under a subject of the stream of revocations once.
func (l *Log) Publish(ctx context.Context, subject string) error {
	w := &write{store: &l.revocations, subject: subject}
	_, err := w.publish(ctx, 0)
	return err
}

// ErrDisconnected is the loss of contact by the connection's own word.
var ErrDisconnected = errDisconnected

// Pass follows an empty log until the context ends, after these changes of its
// connection, which are over.
func Pass(ctx context.Context, l *Log, caughtUp func(bool), over ...nats.Status) error {
	f := &follower{
		log: l, conn: l.js.Conn(), changes: make(chan nats.Status, len(over)),
		contact: &contact{grace: time.Minute, caughtUp: caughtUp},
	}
	for _, status := range over {
		f.changes <- status
	}
	return f.pass(ctx)
}

// ErrorCodes are the codes of JetStream's errors that are told apart.
var ErrorCodes = map[string]jetstream.ErrorCode{
	"no peers": codeNoPeers, "not the leader": codeNotLeader, "account limit": codeAccountLimit,
	"server limit": codeServerLimit, "storage limit": codeStorageLimit, "message too large": codeMessageTooLarge,
	"another stream": codeOtherStream, "wrong sequence": codeWrongSequence, "store failed": codeStoreFailed,
	"sealed": codeSealed, "in process": codeInProcess, "message TTL": codeMessageTTL,
	"message TTL denied": codeMessageTTLDenied,
}

// Survey notes what a leader said at a time, of a stream that was known up to a sequence.
func (g *Ledger) Survey(now, at time.Time, before, last uint64, cluster *jetstream.ClusterInfo) {
	(*ledger)(g).survey(now, survey{before: before, last: last, sent: at, received: at}, cluster)
}

// Compare compares what a leader says of a stream with an earlier reading, of which the last
// entry to leave stays for a while.
func Compare(ctx context.Context, l *Log, compared bool, before time.Time, seen uint64, stays time.Duration, now time.Time, end uint64, gone bool) {
	l.noteTime(time.Now())
	var had witnesses
	if seen > 0 {
		had.add(message{sequence: seen, end: time.Now().Add(stays)})
	}
	f := &follower{log: l, compared: compared, past: past{created: before, seen: seen, witnesses: had}, stream: &handle{created: now}}
	f.compare(ctx, reading{end: end, gone: gone})
}
