package natsauth_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

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
	for _, a := range s.nodes { // which follow still
		a.reader.mu.Lock()
		told += len(a.reader.current)
		a.reader.mu.Unlock()
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
