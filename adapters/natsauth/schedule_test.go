package natsauth_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

var (
	firstSeed = flag.Uint64("schedule.seed", 1, "the first seed of TestSchedules")
	seeds     = flag.Uint64("schedule.seeds", 2, "how many seeds TestSchedules runs, one after the other on each of its clusters")
	clusters  = flag.Uint64("schedule.clusters", 2, "how many clusters TestSchedules has at once")
)

const (
	scheduleTime  = 12 * time.Second // of trouble, in a schedule
	scheduleNodes = 4
)

// What breaks in any order loses nothing: see the invariants of a schedule. It
// runs a few seeds; -args -schedule.seeds=500 runs more.
func TestSchedules(t *testing.T) {
	var next atomic.Uint64
	for i := range *clusters {
		t.Run(fmt.Sprint("cluster ", i), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			for n := next.Add(1); n <= *seeds && !t.Failed(); n = next.Add(1) {
				seed := *firstSeed + n - 1
				t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { runSchedule(t, c, seed) })
			}
		})
	}
}

// A schedule is one run of trouble, with what was promised meanwhile.
type schedule struct {
	t      *testing.T
	c      *cluster
	random *rand.Rand // of the trouble; the actors have their own
	stream string
	begun  time.Time
	ctx    context.Context // of the actors

	mu       sync.Mutex // guards what follows
	nodes    []*actor
	tried    map[string]bool
	acked    map[string]time.Time // when Append returned nil
	firsts   map[[32]byte]int     // told true
	useTried map[[32]byte]bool
	useDone  map[[32]byte]bool // a call returned without an error
	counts   map[string]int
	history  []string
}

// An actor is one server of the program: it appends, uses and follows.
type actor struct {
	s      *schedule
	name   string
	log    *natsauth.Log
	ahead  atomic.Int64 // of its clock, in nanoseconds
	reader *reader
	joined time.Time
}

// runSchedule checks, while a cluster breaks in the order that the seed says:
// what was acknowledged is applied by everybody when all is healed, and by who
// joins late before it is told that it has all; who is told so has what was
// acknowledged a while ago; nothing is applied that nobody appended; a thing is
// used for the first time at most once.
func runSchedule(t *testing.T, c *cluster, seed uint64) {
	c.t = t
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := &schedule{
		t: t, c: c, random: rand.New(rand.NewPCG(seed, 1)), stream: fmt.Sprintf("seed-%d", seed), begun: time.Now(), ctx: ctx,
		tried: map[string]bool{}, acked: map[string]time.Time{}, firsts: map[[32]byte]int{},
		useTried: map[[32]byte]bool{}, useDone: map[[32]byte]bool{}, counts: map[string]int{},
	}
	t.Cleanup(func() { // before the next seed, and also after a failure
		c.repair()
		if t.Failed() {
			t.Log(strings.Join(s.history, "\n"))
		}
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range scheduleNodes {
		s.join(&wg, uint64(i))
	}
	for _, a := range s.nodes {
		a.reader.awaitCurrent(true)
	}
	for end := time.Now().Add(scheduleTime); time.Now().Before(end) && !t.Failed(); {
		s.trouble(&wg)
		time.Sleep(time.Duration(200+s.random.IntN(1800)) * time.Millisecond)
		s.checkCurrent()
	}
	c.repair()
	s.note("healed")
	cancel()
	wg.Wait()
	s.checkHealed()
	s.dropStreams()
}

// repair heals the network and starts who is down.
func (c *cluster) repair() {
	c.heal()
	for _, n := range c.members {
		if n.running == nil {
			n.t = c.t
			n.start()
		}
	}
}

func (s *schedule) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = append(s.history, fmt.Sprintf("%6.2fs ", time.Since(s.begun).Seconds())+fmt.Sprintf(format, args...))
}

// join starts one more server. Some know one NATS server alone, some all three.
func (s *schedule) join(wg *sync.WaitGroup, seed uint64) {
	a := &actor{s: s, name: fmt.Sprint("node ", seed), joined: time.Now()}
	member := s.c.members[s.random.IntN(3)]
	options := []nats.Option{nats.IgnoreDiscoveredServers()}
	if s.random.IntN(2) == 0 {
		options = append(options, func(o *nats.Options) error {
			for _, n := range s.c.members {
				o.Servers = append(o.Servers, n.url())
			}
			return nil
		})
	}
	cfg := natsauth.Config{
		Stream: s.stream, Replicas: 3, Heartbeat: 500 * time.Millisecond, Timeout: 2 * time.Second,
		Now: func() time.Time { return time.Now().Add(time.Duration(a.ahead.Load())) },
	}
	member.t = s.t
	a.log = newLog(s.t, member, cfg, options...)
	a.log.SetLateness(0)
	before := s.ackedBefore(time.Now())
	a.reader = followWith(s.t, a.log, func(r *reader) { s.checkJoined(a, r, before) })
	s.mu.Lock()
	s.nodes = append(s.nodes, a)
	s.mu.Unlock()
	s.note("%s joins at %s", a.name, member.options.ServerName)
	wg.Go(func() { a.run(rand.New(rand.NewPCG(uint64(s.begun.UnixNano()), seed))) })
}

// run appends and uses, what others do too, until the trouble is over.
func (a *actor) run(random *rand.Rand) {
	for s := a.s; s.ctx.Err() == nil; {
		if random.IntN(2) == 0 {
			a.append(fmt.Sprintf("token-%d", random.IntN(10)+10*int(time.Since(s.begun)/time.Second)))
		} else {
			a.use(useID(random.IntN(10) + 10*int(time.Since(s.begun)/time.Second)))
		}
		sleepUntil(s.ctx, time.Duration(random.IntN(300))*time.Millisecond)
	}
}

func sleepUntil(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// end is when the revocations of a schedule are over: a clock that is two hours
// ahead takes it for a few seconds from now.
func (s *schedule) end() time.Time { return s.begun.Add(2*time.Hour + 20*time.Second) }

func (a *actor) append(id string) {
	s := a.s
	s.mu.Lock()
	s.tried[id] = true
	s.mu.Unlock()
	_, err := a.log.Append(context.Background(), oidcauth.Revocation{TokenID: id, Until: s.end()})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.counts["appends stored"]++
		if _, known := s.acked[id]; !known {
			s.acked[id] = time.Now()
		}
	case errors.Is(err, oidcauth.ErrNotStored):
		s.counts["appends not stored"]++
	default:
		s.counts["appends not known"]++
	}
}

func (a *actor) use(id [32]byte) {
	s := a.s
	s.mu.Lock()
	s.useTried[id] = true
	s.mu.Unlock()
	first, err := a.log.FirstUse(context.Background(), id, time.Now().Add(time.Hour))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.counts["uses not known"]++
		return
	case first:
		s.counts["first uses"]++
		s.firsts[id]++
		if s.firsts[id] > 1 {
			s.t.Errorf("%s: use %x is the first for the second time", a.name, id[:8])
		}
	default:
		s.counts["other uses"]++
	}
	s.useDone[id] = true
}

// trouble changes one thing.
func (s *schedule) trouble(wg *sync.WaitGroup) {
	r := s.random
	from := r.IntN(3)
	to := (from + 1 + r.IntN(2)) % 3
	switch r.IntN(12) {
	case 0, 1:
		s.note("hold %d to %d", from, to)
		s.c.hold(from, to)
	case 2:
		s.note("cut %d and %d", from, to)
		s.c.cut(from, to)
	case 3:
		s.note("slow %d to %d", from, to)
		s.c.slow(from, to, time.Duration(r.IntN(200))*time.Millisecond)
	case 4, 5:
		leader := s.leading()
		s.note("isolate %d, the leader", leader)
		s.c.isolate(leader)
	case 6:
		s.note("isolate %d", from)
		s.c.isolate(from)
	case 7:
		s.stepDown()
	case 8:
		s.restart(from)
	case 9:
		if len(s.nodes) < scheduleNodes+3 {
			s.join(wg, uint64(len(s.nodes)))
		}
	case 10:
		a := s.nodes[r.IntN(len(s.nodes))]
		ahead := time.Duration(r.IntN(5)-2) * time.Hour
		s.note("%s: clock ahead by %v", a.name, ahead)
		a.ahead.Store(int64(ahead))
	default:
		s.note("heal")
		s.c.heal()
	}
}

// leading returns a member that holds itself to be the leader, or any.
func (s *schedule) leading() int {
	for i, n := range s.c.members {
		if n.running != nil && n.running.JetStreamIsStreamLeader("$G", s.stream) {
			return i
		}
	}
	return s.random.IntN(3)
}

func (s *schedule) stepDown() {
	s.note("the leader steps down")
	leader := s.c.members[s.leading()]
	if leader.running == nil {
		return
	}
	conn, err := nats.Connect(leader.url())
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Request("$JS.API.STREAM.LEADER.STEPDOWN."+s.stream, nil, time.Second)
}

func (s *schedule) restart(member int) {
	n := s.c.members[member]
	n.t = s.t
	if n.running == nil {
		s.note("start %d", member)
		n.start()
		return
	}
	for _, other := range s.c.members {
		if other.running == nil { // one at a time
			return
		}
	}
	s.note("stop %d", member)
	n.stop()
}

// ackedBefore returns what was acknowledged by a time.
func (s *schedule) ackedBefore(at time.Time) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, when := range s.acked {
		if when.Before(at) {
			ids = append(ids, id)
		}
	}
	return ids
}

// checkJoined is called when a reader is told that it has all. r.mu is held.
func (s *schedule) checkJoined(a *actor, r *reader, before []string) {
	for _, id := range before {
		if r.got[id] == 0 {
			s.t.Errorf("%s is told that it has all, without %q, which was acknowledged before it joined", a.name, id)
		}
	}
}

// noticed is how long a loss may go unnoticed that nobody is told of: the lease of
// a leader, two heartbeats and a timeout, and time for a busy machine.
const noticed = 4*time.Second + 2*500*time.Millisecond + 2*time.Second + 8*time.Second

// checkCurrent expects that who holds itself to be current has what was
// acknowledged a while ago.
func (s *schedule) checkCurrent() {
	before := s.ackedBefore(time.Now().Add(-noticed))
	for _, a := range s.nodes {
		a.reader.mu.Lock()
		n := len(a.reader.current)
		for _, id := range before {
			if n > 0 && a.reader.current[n-1] && a.reader.got[id] == 0 {
				s.t.Errorf("%s holds itself to be current, without %q", a.name, id)
			}
		}
		a.reader.mu.Unlock()
	}
}

// checkHealed expects that everybody has all when the trouble is over, also one
// that joins only now, and nothing else.
func (s *schedule) checkHealed() {
	var none sync.WaitGroup
	ids := s.ackedBefore(time.Now())
	s.join(&none, 1000)
	for _, a := range s.nodes {
		a.reader.awaitCurrent(true)
		a.reader.awaitTokens(ids...)
		a.reader.mu.Lock()
		for id := range a.reader.got {
			if !s.tried[id] {
				s.t.Errorf("%s: %q is revoked, which nobody did", a.name, id)
			}
		}
		a.reader.mu.Unlock()
	}
	late := s.nodes[len(s.nodes)-1]
	for id := range s.useTried {
		for range 2 {
			first, err := late.useHealed(id)
			switch {
			case err != nil:
				s.t.Errorf("use %x after all is healed: %v", id[:8], err)
			case first && s.useDone[id]:
				s.t.Errorf("use %x is the first after all is healed, though it was used before", id[:8])
			case first:
				s.firsts[id]++
			}
			s.useDone[id] = true
		}
		if s.firsts[id] > 1 {
			s.t.Errorf("use %x was the first %d times", id[:8], s.firsts[id])
		}
	}
	s.report()
}

// useHealed tries for longer: a cluster that was healed may elect a leader yet.
func (a *actor) useHealed(id [32]byte) (first bool, err error) {
	for limit := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		first, err = a.log.FirstUse(context.Background(), id, time.Now().Add(time.Hour))
		if err == nil || time.Now().After(limit) {
			return first, err
		}
	}
}

func (s *schedule) report() {
	line := fmt.Sprintf("%d revocations and %d things in %v:", len(s.acked), len(s.useTried), time.Since(s.begun).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		line += fmt.Sprintf(" %s %d,", name, s.counts[name])
	}
	told := 0
	for _, a := range s.nodes {
		told += len(a.reader.current)
	}
	s.t.Logf("%s told %d times", line, told)
}

// dropStreams makes place for the next seed. That it fails harms nobody.
func (s *schedule) dropStreams() {
	js := s.c.members[0].connect()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	js.DeleteStream(ctx, s.stream)
	js.DeleteStream(ctx, s.stream+"_uses")
}
