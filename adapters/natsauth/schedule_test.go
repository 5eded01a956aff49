package natsauth_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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
