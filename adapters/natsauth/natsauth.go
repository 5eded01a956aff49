// Package natsauth shares revocations, and what was used once, between the
// servers of a cluster through two NATS JetStream streams:
//
//	conn, err := nats.Connect(servers,
//		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort())
//	…
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
// Each revocation is one message of the stream "oidcauth_revocations", in JSON,
// under the subject oidcauth_revocations.r.<hash of its contents>. It holds IDs
// (issuer, subject, session ID, token ID, key ID) and times, never a token. Each
// one-time thing that was used (a ticket, a logout token) is one message of the
// stream "oidcauth_revocations_uses", empty, under the subject
// oidcauth_revocations.u.<its hash>. That stream has a limit of its own: when it
// is full, tickets are refused and revocations go on.
//
// Messages leave by themselves a minute after their end, which needs a NATS
// server of version 2.11 or later. Neither stream lets anybody delete, purge or
// replace a message.
//
// Earlier versions of this package kept revocations in the key-value bucket
// "oidcauth_revocations", which this one does not read: servers of before and
// after do not see each other's. Stop the old ones, start the new, revoke again
// what has to stay revoked, and delete the bucket (nats kv del
// oidcauth_revocations).
//
// # What an acknowledgement is worth
//
// [Log.Append] returns nil only if a NATS server acknowledged the write, or if
// the stream's leader shows that it holds the revocation. With [Config.Replicas]
// of 3 two NATS servers have it then, and it survives the loss of either, and
// every partition. With one replica it survives the end of the NATS process, but
// a machine that loses power may lose the last two minutes of acknowledged
// writes: NATS hands them to the operating system at once and has them put on
// the disk every sync_interval. Set sync_interval to "always" in the jetstream
// section of the NATS server's configuration where there is one replica, and
// also with three if they can lose power together.
//
// A stream that exists already must keep what it is given: one that discards old
// messages, has a maximum age, is kept in memory, acknowledges before it writes,
// or lets messages be deleted, purged or replaced is refused, with the reason.
//
// An operator can still delete the streams, or set them back to a backup. Servers that run
// keep what they had read, and write "the stream has lost revocations": those that start
// later do not have it, so that it has to be revoked again. For a quarter of an hour at
// least they use nothing that may have been used before, and answer 503.
//
// The streams may be in another JetStream domain than the NATS server that is connected to
// (jetstream.NewWithDomain). If a leaf node has a stream of its own that takes the same
// subjects, that one answers first, and says nothing of the right one: each write is
// looked for there then, which takes longer, and a line says so. Remove that stream, or
// set [Config.Stream] to another name.
//
// # Who may write
//
// Whoever may write to the streams can revoke any token, and whoever may change
// or delete them can undo a revocation for servers that start afterwards. Give
// the servers a NATS account of their own, or users that are allowed no more than
//
//	publish    oidcauth_revocations.>
//	           $JS.API.STREAM.INFO.oidcauth_revocations
//	           $JS.API.STREAM.INFO.oidcauth_revocations_uses
//	           $JS.API.STREAM.MSG.GET.oidcauth_revocations
//	           $JS.API.STREAM.MSG.GET.oidcauth_revocations_uses
//	           $JS.API.STREAM.CREATE.oidcauth_revocations
//	           $JS.API.STREAM.CREATE.oidcauth_revocations_uses
//	           $JS.API.CONSUMER.CREATE.oidcauth_revocations.>
//	           $JS.API.CONSUMER.MSG.NEXT.oidcauth_revocations.>
//	subscribe  _INBOX.>
//
// They can then neither update nor delete a stream. The two lines with
// STREAM.CREATE can go once the streams exist. Users of a leaf node, where the streams are
// in another domain, have $JS.<domain>.API in place of $JS.API.
//
// # The connection
//
// The connection is the caller's, to make, to secure and to close. Make it with
// nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1) and
// nats.IgnoreAuthErrorAbort(), so that a server can start without NATS and never
// gives up reaching it, not even when it was refused twice, as with credentials
// that are over; a connection that is closed is not opened again. One that is made
// without the latter two is given up after two minutes without NATS, or two refusals,
// and [New] writes a line that says so. [Config.Grace] says how long an interruption
// may last before it counts.
package natsauth

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/policy"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

const (
	defaultStream   = "oidcauth_revocations"
	defaultInterval = 5 * time.Second
	defaultUseBytes = 64 << 20
)

// Config says where the revocations are. JetStream is required.
type Config struct {
	// JetStream is the context of the connection: what jetstream.New returns.
	JetStream jetstream.JetStream

	// Stream is the name of the stream of revocations; that of uses has the
	// same name with "_uses" at its end. It consists of letters, digits, "-" and "_".
	// The streams are created when they do not exist; those that exist are used as
	// they are, if they keep what they are given. Empty means
	// "oidcauth_revocations".
	Stream string

	// Replicas is the number of NATS servers that keep a copy, when the streams
	// are created. Zero means 1; a cluster wants 3.
	Replicas int

	// MaxBytes bounds the stream of revocations when it is created. A full one
	// takes no more and loses none: [oidcauth.Authenticator.Revoke] returns an
	// error then ([oidcauth.ErrNotStored]). Zero means no limit of its own.
	MaxBytes int64

	// MaxUseBytes bounds the stream of uses when it is created. While it is full,
	// nothing can be used that may be used once: tickets are answered with 503. A
	// use takes about 250 bytes. Zero means 64 MiB; negative is an error.
	MaxUseBytes int64

	// Heartbeat is how often a follower asks whether it has all there is, whether
	// the NATS servers that keep it are a majority, and whether the streams still
	// keep what they are given. A contact that is lost without notice is noticed
	// within twice that and Timeout. Zero means 5 seconds; negative is an error.
	Heartbeat time.Duration

	// Timeout bounds each exchange with NATS, and [Log.Append] and [Log.FirstUse]
	// as a whole. Zero means 5 seconds; negative is an error.
	Timeout time.Duration

	// Grace is how long contact may be lost before followers are told so, if it
	// comes back and brings everything by then: a NATS server that restarts, or a
	// moment without network, need not refuse every token and end every session
	// where [oidcauth.Config.RequireRevocations] is set. The price is that this
	// server may miss a revocation for that time, beginning with the loss or, when
	// contact is lost without notice, with the moment that Heartbeat notices it.
	// What the loss does not leave open is told at once: that revocations are known
	// to be missing, that the stream loses them, that the connection was closed for
	// good, and that none were read yet. Zero means none; a few seconds suit most.
	Grace time.Duration

	// Logger gets a line when contact is lost, for each cause, when it is back,
	// for each damaged entry, and when a stream or the connection is not as safe as
	// it could be. Nil means no logging.
	Logger *slog.Logger

	// Now is the clock: give it what [oidcauth.Config.Now] is. It must be safe for
	// concurrent use. Nil means time.Now.
	Now func() time.Time
}

// A Log is an [oidcauth.RevocationLog] in JetStream streams. It is safe for
// concurrent use, by several Authenticators too.
type Log struct {
	js        jetstream.JetStream
	heartbeat time.Duration
	timeout   time.Duration
	grace     time.Duration
	lateness  time.Duration // how long entries outlive their revocations
	now       func() time.Time
	logger    *slog.Logger

	revocations store
	uses        store
	ledger      ledger
	natsClock   atomic.Pointer[natsTime] // nil until known
	damaged     atomic.Uint64            // the last damaged entry that was logged
	looking     atomic.Bool              // after the uses
	useFaults   revoked.Complaints       // while uses cannot be recorded
}

var _ oidcauth.RevocationLog = (*Log)(nil)

// New checks the configuration. It does not contact NATS: that begins with the
// first [Log.Append], [Log.FirstUse] or [Log.Follow].
func New(cfg Config) (*Log, error) {
	switch {
	case cfg.JetStream == nil:
		return nil, errors.New("natsauth: Config.JetStream is missing")
	case cfg.Replicas < 0 || cfg.MaxBytes < 0 || cfg.MaxUseBytes < 0 || cfg.Heartbeat < 0 || cfg.Timeout < 0 || cfg.Grace < 0:
		return nil, fmt.Errorf("natsauth: Config.Replicas, MaxBytes, MaxUseBytes, Heartbeat, Timeout, Grace: got %d, %d, %d, %v, %v, %v, want none negative",
			cfg.Replicas, cfg.MaxBytes, cfg.MaxUseBytes, cfg.Heartbeat, cfg.Timeout, cfg.Grace)
	case strings.ContainsFunc(cfg.Stream, notInName):
		return nil, fmt.Errorf(`natsauth: Config.Stream: got %q, want letters, digits, "-" and "_"`, cfg.Stream)
	}
	for _, setting := range []time.Duration{cfg.Heartbeat, cfg.Timeout, cfg.Grace} {
		if err := policy.CheckDuration(setting); err != nil {
			return nil, fmt.Errorf("natsauth: Config.Heartbeat, Timeout or Grace: %w", err)
		}
	}
	l := &Log{
		js: cfg.JetStream, heartbeat: cfg.Heartbeat, timeout: cfg.Timeout, grace: cfg.Grace,
		lateness: maxLateness, now: cfg.Now, logger: cfg.Logger,
	}
	name := cfg.Stream
	if name == "" {
		name = defaultStream
	}
	if cfg.MaxUseBytes == 0 {
		cfg.MaxUseBytes = defaultUseBytes
	}
	l.revocations.init(l, streamConfig(name, name+".r.", cfg.Replicas, cfg.MaxBytes), "revoked tokens")
	l.uses.init(l, streamConfig(name+"_uses", name+".u.", cfg.Replicas, cfg.MaxUseBytes), "one-time things that were used")
	if l.heartbeat == 0 {
		l.heartbeat = defaultInterval
	}
	if l.timeout == 0 {
		l.timeout = defaultInterval
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	l.warnOfEnd(l.js.Conn())
	return l, nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}
