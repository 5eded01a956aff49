package natsauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// minLease is how long NATS servers keep to a leader that they do not hear:
	// its least election timeout.
	minLease = 4 * time.Second

	// minPatience is how long at least an entry may be on its way, from the leader
	// or to it: another NATS server may show what the leader is about to.
	minPatience = time.Second
)

// A question is what a follower wants to know of the leader.
type question struct {
	stream  *handle
	seen    uint64
	idle    bool     // nothing arrives, or all there was has arrived before
	witness *message // nil if there is none
	past    *message // one of an earlier reading; nil if there is none, or it was asked for already
}

// A pulse is the leader's answer.
type pulse struct {
	sent, received time.Time
	last           uint64 // the sequence up to which there may be entries
	end            uint64 // of the last that there ever was
	created        time.Time
	cluster        *jetstream.ClusterInfo
	gone           bool // what the question has of an earlier reading
	err            error
}

// A reading is what a leader said and what has to be confirmed: that it was the
// leader when it said so, for it may have lost the others and not know it.
type reading struct {
	name     string
	last     uint64
	end      uint64
	gone     bool
	received time.Time // zero means that there is none
}

// A debt is what is known to exist and has to arrive.
type debt struct {
	known    bool
	sequence uint64
	since    time.Time // when it became known; zero when it has arrived
}

func (f *follower) question() question {
	return question{
		stream: f.stream, seen: f.seen, idle: f.current || time.Since(f.moved) >= f.interval(),
		witness: f.witnesses.best(f.log.natsNow()), past: f.pastWitness(),
	}
}

// ask puts a question to the leader of the revocations' stream.
func (l *Log) ask(ctx context.Context, q question) (p pulse) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errSlow)
	defer cancel()
	p.sent = time.Now()
	p.err = l.askLeader(ctx, q, &p)
	p.received = time.Now()
	if p.err != nil {
		p.err = fmt.Errorf("heartbeat: %w", slow(ctx, p.err))
	}
	return p
}

func (l *Log) askLeader(ctx context.Context, q question, p *pulse) error {
	info, err := q.stream.Info(ctx)
	if err != nil {
		return err
	}
	l.noteTime(info.TimeStamp)
	p.created, p.cluster, p.end, p.last = info.Created, info.Cluster, info.State.LastSeq, info.State.LastSeq
	if err := l.revocations.check(&info.Config); err != nil {
		l.revocations.reopen()
		return err
	}
	if q.idle && q.seen < p.last {
		// The last ones may be over, and never arrive. To look for the next is quick,
		// and for the last of the subject is not where there are many.
		_, err := q.stream.GetMsg(ctx, q.seen+1, jetstream.WithGetMsgSubject(l.revocations.config.Subjects[0]))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			p.last = q.seen
		case err != nil:
			return err
		}
	}
	err = q.past.verify(ctx, q.stream)
	if p.gone = errors.Is(err, errReplaced); err != nil && !p.gone {
		return err
	}
	return q.witness.verify(ctx, q.stream)
}

// judge compares an answer with the one before it, and with what has arrived.
func (f *follower) judge(ctx context.Context, now pulse) error {
	switch {
	case now.err != nil:
		return now.err
	case !now.created.Equal(f.stream.created), now.end < f.seen && now.sent.Sub(f.moved) >= minPatience:
		return errReplaced
	case !isLed(now.cluster):
		return errNoQuorum
	}
	if err := f.confirm(ctx, now); err != nil {
		return err
	}
	f.payOff(ctx)
	patience := f.patience(now.cluster)
	if since := f.owed.since; !since.IsZero() && now.sent.Sub(since) >= patience && now.sent.Sub(f.moved) >= patience {
		return errStalled
	}
	return nil
}

// patience is how long what exists may take to arrive. Of several copies an answer is
// believed when the servers have heard of each other since, which they do every second: that
// the last entries are over is known only some seconds after the others have arrived.
func (f *follower) patience(c *jetstream.ClusterInfo) time.Duration {
	if alone(c) {
		return max(f.log.heartbeat, minPatience)
	}
	return max(f.log.heartbeat, minLease)
}

// confirm believes what a leader said before once a majority of the stream's
// servers is known to have followed it since: no other leader can have stored
// anything by then. It gives up a leader that they do not follow any longer.
func (f *follower) confirm(ctx context.Context, now pulse) error {
	name := leaderOf(now.cluster)
	next := reading{name: name, last: now.last, end: now.end, gone: now.gone, received: now.received}
	switch {
	case alone(now.cluster):
		f.believe(ctx, next)
	case f.leader.received.IsZero() || f.leader.name != name:
		f.leader = next
	case followedWithin(now.cluster, now.sent.Sub(f.leader.received)):
		f.believe(ctx, f.leader)
		f.leader = next
	case now.sent.Sub(f.leader.received) >= max(f.log.heartbeat, minLease):
		return errNoQuorum
	}
	return nil
}

// believe takes what a leader said for true.
func (f *follower) believe(ctx context.Context, r reading) {
	f.compare(ctx, r)
	f.owe(r.last)
}

// owe notes that entries exist up to a sequence.
func (f *follower) owe(sequence uint64) {
	if f.owed.known && f.owed.sequence == sequence {
		return
	}
	since := f.owed.since
	if since.IsZero() && f.seen < sequence {
		since = time.Now()
	}
	f.owed = debt{known: true, sequence: sequence, since: since}
}

// alone reports whether there is one copy only.
func alone(c *jetstream.ClusterInfo) bool { return c == nil || len(c.Replicas) == 0 }

// leaderOf names the leader, and since when it is: one that was deposed and came
// back is another.
func leaderOf(c *jetstream.ClusterInfo) string {
	switch {
	case c == nil:
		return ""
	case c.LeaderSince == nil: // before NATS 2.12
		return c.Leader
	}
	return c.Leader + " since " + c.LeaderSince.UTC().Format(time.RFC3339Nano)
}

// isLed reports whether the stream has a leader that holds itself to be in touch
// with a majority.
func isLed(c *jetstream.ClusterInfo) bool {
	if c == nil { // a server that is alone by design
		return true
	}
	return c.Leader != "" && majority(c, func(p *jetstream.PeerInfo) bool { return !p.Offline })
}

// followedWithin reports whether the leader has heard from a majority in the time
// before it said so. One that it has never heard from has no such time.
func followedWithin(c *jetstream.ClusterInfo, d time.Duration) bool {
	return majority(c, func(p *jetstream.PeerInfo) bool { return !p.Offline && p.Active > 0 && p.Active <= d })
}

// majority counts the leader itself among those that are reached.
func majority(c *jetstream.ClusterInfo, reached func(*jetstream.PeerInfo) bool) bool {
	n := 1
	for _, p := range c.Replicas {
		if reached(p) {
			n++
		}
	}
	return 2*n > len(c.Replicas)+1
}
