package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// An outcome is what an answer comes to.
type outcome string

const (
	accepted      outcome = "accepted"
	refused       outcome = "refused"
	noKeys        outcome = "503, keys"
	noRevocations outcome = "503, revocations"
	noAnswer      outcome = "no answer"
)

// outcomes are all of them, in order of output.
var outcomes = []outcome{accepted, refused, noKeys, noRevocations, noAnswer}

// What the documentation allows. A machine that is busy may take some time more.
const (
	// floodWait is how long the first token of a new key may wait in a flood of others
	// with unknown keys (docs/architecture.md, Bounds).
	floodWait = 10 * time.Second

	// natsWait is how long servers that require revocations may know too little of them
	// after a NATS server ended or came back: to notice it takes up to twice the
	// heartbeat and a timeout, 15 s (adapters/natsauth, Config.Heartbeat), the NATS
	// servers have to agree on a leader, and the stream is read again.
	natsWait = 45 * time.Second

	// lateDelay is within what another server has a revocation that was acknowledged
	// where contact to NATS may be lost: it is noticed within twice the heartbeat and a
	// timeout, and counts after the grace. Otherwise it has it at once.
	lateDelay = 15 * time.Second

	// sharedDelay is within what a revocation that waited to be shared is.
	sharedDelay = time.Minute
)

// A presented token is what a server was asked with.
type presented struct {
	kind   string
	server int
	keyID  string // empty if nobody has such a key
	good   bool
	began  time.Time
	ended  time.Time
}

// An answer is what it was told.
type answer struct {
	status int
	body   string
	err    error
}

func (a answer) outcome() outcome {
	switch {
	case a.err != nil:
		return noAnswer
	case a.status == http.StatusOK, a.status == http.StatusSwitchingProtocols:
		return accepted
	case a.status == http.StatusUnauthorized:
		return refused
	case a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "revocations"):
		return noRevocations
	case a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "temporarily_unavailable"):
		return noKeys
	}
	return noAnswer
}

// A span is a time in which something was wrong. It lasts while to is zero.
type span struct{ from, to time.Time }

// A fault is something that must not happen.
type fault struct {
	at   time.Time
	text string
}

// keptFaults is how many faults are told one by one.
const keptFaults = 50

// A judge compares answers with what they have to be, and counts them. It is safe for
// concurrent use.
type judge struct {
	grace time.Duration
	busy  time.Duration // what a busy machine may take more than the documentation says

	mu       sync.Mutex // guards all below
	counts   map[string]map[outcome]int
	faults   []fault
	all      int                    // faults
	trusted  []map[string]time.Time // by server and key ID: since when it accepts its tokens
	shown    []map[string]time.Time // and since when it is shown them
	floods   []time.Time            // by server: when it last was shown an unknown key ID
	outages  []span
	nats     []time.Time // when one ended or came back
	took     []time.Duration
	delays   []time.Duration          // until the other server had a revocation, in calm times
	late     []time.Duration          // and in others
	lateness time.Duration            // for how long a token was accepted then
	blind    []span                   // by server: since when it has known too little of revocations
	longest  []time.Duration          // that any was
	waited   map[string]time.Duration // by server and key: how long the first good token waited
}

func newJudge(servers int, grace, busy time.Duration) *judge {
	j := &judge{grace: grace, busy: busy, counts: make(map[string]map[outcome]int), waited: make(map[string]time.Duration)}
	for range servers {
		j.trusted = append(j.trusted, make(map[string]time.Time))
		j.shown = append(j.shown, make(map[string]time.Time))
	}
	j.floods, j.blind, j.longest = make([]time.Time, servers), make([]span, servers), make([]time.Duration, servers)
	return j
}

// present notes that a server is about to be shown a token.
func (j *judge) present(p *presented) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p.began = time.Now()
	if p.keyID == "" && p.kind == kindFlood {
		j.floods[p.server] = p.began
	}
	if _, found := j.shown[p.server][p.keyID]; !found {
		j.shown[p.server][p.keyID] = p.began
	}
}

// take judges an answer and returns what it comes to.
func (j *judge) take(p *presented, a answer) outcome {
	j.mu.Lock()
	defer j.mu.Unlock()
	p.ended = time.Now()
	got := a.outcome()
	if j.counts[p.kind] == nil {
		j.counts[p.kind] = make(map[outcome]int)
	}
	j.counts[p.kind][got]++
	if why := j.wrong(p, got); why != "" {
		j.note("%s at server %d, key %q: %s (status %d, %.200s, %v, after %v)", p.kind, p.server+1, p.keyID, why, a.status, a.body, a.err, p.ended.Sub(p.began))
	}
	j.remember(p, got)
	return got
}

// wrong says why an answer must not be given; empty if it may. j.mu must be held.
func (j *judge) wrong(p *presented, got outcome) string {
	switch {
	case got == accepted && !p.good:
		return "a bad token was accepted"
	case got == refused && p.good:
		return "a good token was refused"
	case got == noKeys && p.keyID != "" && !j.mayLackKey(p):
		return "the server says that it lacks keys"
	case got == noRevocations && !j.nearNATS(p.began, p.ended, natsWait+j.busy):
		return "the server says that it lacks revocations"
	case got == noAnswer:
		return "no answer that there may be"
	}
	return ""
}

// mayLackKey reports whether a server may not have a key yet. j.mu must be held.
func (j *judge) mayLackKey(p *presented) bool {
	if since, found := j.trusted[p.server][p.keyID]; found && since.Before(p.began) {
		return false
	}
	for _, o := range j.outages {
		end := o.to
		if end.IsZero() {
			return true
		}
		// Servers back off twice as long each time, a quarter more or less; what
		// hangs is given up after ten seconds.
		if p.ended.After(o.from) && p.began.Before(end.Add(2*end.Sub(o.from)+10*time.Second+j.busy)) {
			return true
		}
	}
	// The last of a flood may be looked up at the end of one wait, and cause the next.
	flooded := p.ended.Sub(j.floods[p.server]) < 2*floodWait+j.busy
	return flooded && p.ended.Sub(j.shown[p.server][p.keyID]) < floodWait+j.busy
}

// nearNATS reports whether a time is near one at which a NATS server ended or came back.
// j.mu must be held.
func (j *judge) nearNATS(from, to time.Time, wait time.Duration) bool {
	for _, at := range j.nats {
		if to.After(at) && from.Before(at.Add(wait)) {
			return true
		}
	}
	return false
}

// remember notes what an answer shows of a server. j.mu must be held.
func (j *judge) remember(p *presented, got outcome) {
	switch blind := &j.blind[p.server]; {
	case got == noRevocations && blind.from.IsZero():
		*blind = span{p.began, p.ended}
	case got == noRevocations && p.ended.After(blind.to):
		blind.to = p.ended
	case got == accepted && !blind.from.IsZero() && p.began.After(blind.to):
		j.longest[p.server] = max(j.longest[p.server], blind.to.Sub(blind.from))
		*blind = span{}
	}
	if got != accepted || !p.good {
		return
	}
	if _, found := j.trusted[p.server][p.keyID]; !found {
		j.trusted[p.server][p.keyID] = p.ended
		j.waited[fmt.Sprint(p.server, p.keyID)] = p.ended.Sub(j.shown[p.server][p.keyID])
	}
	if p.kind == kindKnown {
		j.took = append(j.took, p.ended.Sub(p.began))
	}
}

// trusts reports whether a server has accepted a token that a key signed.
func (j *judge) trusts(server int, keyID string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, found := j.trusted[server][keyID]
	return found
}

// fault notes something that must not happen.
func (j *judge) fault(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(format, args...)
}

// note is fault with j.mu held.
func (j *judge) note(format string, args ...any) {
	if j.all++; len(j.faults) < keptFaults {
		j.faults = append(j.faults, fault{time.Now(), fmt.Sprintf(format, args...)})
	}
}

func (j *judge) faulty() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all > 0
}

// count counts what is no answer to a token.
func (j *judge) count(kind string, got outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.counts[kind] == nil {
		j.counts[kind] = make(map[outcome]int)
	}
	j.counts[kind][got]++
}

// outage notes that the issuer is away, and back.
func (j *judge) outage(begins bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if begins {
		j.outages = append(j.outages, span{from: time.Now()})
		return
	}
	j.outages[len(j.outages)-1].to = time.Now()
}

// natsChanged notes that a NATS server ended or came back.
func (j *judge) natsChanged() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.nats = append(j.nats, time.Now())
}

// shared judges how long a revocation took to hold at another server, which accepted the
// token for some time after it was acknowledged, and had refused it after another.
func (j *judge) shared(acknowledged time.Time, status int, acceptedFor, refusedAfter time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	limit, calm := j.busy, !j.nearNATS(acknowledged, acknowledged.Add(refusedAfter), natsWait+j.busy)
	switch {
	case status == http.StatusAccepted:
		limit, calm = sharedDelay+j.busy, false
	case !calm:
		limit = lateDelay + j.grace + j.busy
	}
	if calm {
		j.delays = append(j.delays, refusedAfter)
	} else {
		j.late = append(j.late, refusedAfter)
		j.lateness = max(j.lateness, acceptedFor)
	}
	if acceptedFor > limit {
		j.note("a token whose revocation was answered %d was accepted at the other server for %v, want %v at most", status, acceptedFor, limit)
	}
}
