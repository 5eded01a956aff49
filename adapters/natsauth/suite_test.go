package natsauth_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/revocationtest"
)

// suiteRuns is how many random schedules of the suite run over three servers, and
// half of how many over one.
var suiteRuns = flag.Int("suite.runs", 1, "how many schedules TestSuite_Three runs; TestSuite_One runs two for each")

// The suite of tests for any log, over one NATS server.
func TestSuite_One(t *testing.T) {
	t.Parallel()
	revocationtest.Run(t, func(t testing.TB) *revocationtest.Store {
		n := startNATS(t)
		s := &suiteStore{t: t, members: []*natsServer{n}, cfg: natsauth.Config{Replicas: 1}}
		store := s.store()
		store.Restart = func() { s.restart(0) }
		store.Runs = 2 * *suiteRuns
		return store
	})
}

// The same over three, of which one restarts at a time.
func TestSuite_Three(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var stores int
	revocationtest.Run(t, func(t testing.TB) *revocationtest.Store {
		c.t = t
		stores++
		s := &suiteStore{t: t, members: c.members[:], cfg: natsauth.Config{Replicas: 3, Stream: fmt.Sprint("store-", stores)}}
		for _, n := range c.members {
			n.t = t
		}
		store := s.store()
		restarts := 0
		store.Restart = func() {
			restarts++
			s.restart(restarts % 3)
		}
		store.Runs = *suiteRuns
		s.awaitStreams()
		return store
	})
}

// A suiteStore is where the suite's logs are. Each log has its own way to NATS.
type suiteStore struct {
	t       testing.TB
	members []*natsServer
	cfg     natsauth.Config

	mu    sync.Mutex // guards what follows
	gates map[oidcauth.RevocationLog]*gate
	lost  bool // answers are
}

func (s *suiteStore) store() *revocationtest.Store {
	s.gates = map[oidcauth.RevocationLog]*gate{}
	s.cfg.MaxBytes, s.cfg.MaxUseBytes = 256<<10, 64<<10
	s.cfg.Heartbeat = 200 * time.Millisecond
	s.t.Cleanup(func() { s.loseAnswers(false) })
	return &revocationtest.Store{
		Open:        func() oidcauth.RevocationLog { return s.open() },
		Cut:         func(l oidcauth.RevocationLog) { s.gate(l).cut() },
		Heal:        func(l oidcauth.RevocationLog) { s.gate(l).uncut() },
		LoseAnswers: s.loseAnswers,
		Fill: func() {
			s.fill(func(l *natsauth.Log, i int) error {
				_, err := l.Append(context.Background(), oidcauth.Revocation{Subject: fmt.Sprint(i), Until: time.Now().Add(time.Hour).Truncate(time.Second)})
				return err
			})
		},
		FillUses: func() {
			s.fill(func(l *natsauth.Log, i int) error {
				_, err := l.FirstUse(context.Background(), useID(i), time.Now().Add(time.Hour))
				return err
			})
		},
		Wait: patience,
	}
}

func (s *suiteStore) open() *natsauth.Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &gate{}
	if s.lost {
		g.mute()
	}
	l := newLog(s.t, s.members[len(s.gates)%len(s.members)], s.cfg, nats.SetCustomDialer(g), nats.IgnoreDiscoveredServers())
	s.gates[l] = g
	return l
}

// awaitStreams waits until the streams are there and have leaders.
func (s *suiteStore) awaitStreams() {
	l := newLog(s.t, s.members[0], s.cfg, nats.IgnoreDiscoveredServers())
	for limit := time.Now().Add(patience); ; {
		_, err := l.FirstUse(context.Background(), useID(1_000_000), time.Now().Add(time.Hour))
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			s.t.Fatal(err)
		}
	}
}

func (s *suiteStore) gate(l oidcauth.RevocationLog) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gates[l]
}

func (s *suiteStore) loseAnswers(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = on
	for _, g := range s.gates {
		if on {
			g.mute()
		} else {
			g.unmute()
		}
	}
}

func (s *suiteStore) restart(member int) {
	s.members[member].stop()
	s.members[member].start()
}

// fill stores until there is no space.
func (s *suiteStore) fill(store func(l *natsauth.Log, i int) error) {
	l := s.open()
	for i := range 10_000 {
		switch err := store(l, i); {
		case errors.Is(err, oidcauth.ErrNotStored):
			return
		case err != nil:
			s.t.Fatalf("filling the store: %v", err)
		}
	}
	s.t.Fatal("the store is not full yet")
}
