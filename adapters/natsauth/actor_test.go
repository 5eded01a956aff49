package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// An actor is one server of the program: it appends, uses and follows.
type actor struct {
	s      *schedule
	name   string
	log    *natsauth.Log
	ahead  atomic.Int64 // of its clock, in nanoseconds
	reader *reader
	joined time.Time
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
