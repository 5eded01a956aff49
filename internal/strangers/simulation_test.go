package strangers_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

var (
	seeds     = flag.Uint64("strangers.seeds", 200, "simulations to run in TestTurns_Simulation")
	firstSeed = flag.Uint64("strangers.seed", 0, "the first simulation's seed")
)

// TestTurns_Simulation has callers come, hang, leave and share turns at random and
// holds the queue to its promises.
func TestTurns_Simulation(t *testing.T) {
	t.Parallel()
	had, postponed, taken := 0, 0, 0
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		synctest.Test(t, func(t *testing.T) {
			m := newModel(t, rand.New(rand.NewPCG(seed, 1)))
			m.run()
			had, postponed, taken = had+m.had, postponed+m.postponed, taken+m.taken
			if t.Failed() {
				t.Logf("seed %d: %d places, %d may wait, %v a second, %v at once", seed, m.places, m.capacity, m.rate, m.burst)
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d runs: %d turns, of which %d were taken back, %d put off", *seeds, had, taken, postponed)
	if had == 0 || postponed == 0 || taken == 0 {
		t.Error("the simulation does not reach all of it")
	}
}

// A model is a queue and what its users know of it.
type model struct {
	t                *testing.T
	random           *rand.Rand
	queue            *strangers.Turns
	places, capacity int
	rate, burst      float64
	wg               sync.WaitGroup

	mu                    sync.Mutex // guards all below
	under                 int
	begun                 []time.Time
	had, postponed, taken int
}

func newModel(t *testing.T, random *rand.Rand) *model {
	m := &model{
		t: t, random: random, places: 1 + random.IntN(6), capacity: random.IntN(12),
		rate: []float64{0.5, 2, 10, 100}[random.IntN(4)], burst: float64(1 + random.IntN(6)),
	}
	m.queue = strangers.NewTurns(m.places, m.capacity, m.rate, m.burst)
	return m
}

func (m *model) run() {
	callers := 1 + m.random.IntN(8)
	for range 150 {
		who := m.random.IntN(callers)
		ctx, cancel := context.WithCancel(m.t.Context())
		if m.random.IntN(5) == 0 {
			time.AfterFunc(time.Duration(m.random.IntN(3000))*time.Millisecond, cancel)
		}
		hangs := time.Duration(m.random.IntN(4000)) * time.Millisecond
		shares := m.random.IntN(2*callers) - callers
		m.wg.Go(func() {
			defer cancel()
			m.use(ctx, who, shares, hangs)
		})
		time.Sleep(time.Duration(m.random.IntN(200)) * time.Millisecond)
		if _, waiting, accounts := m.queue.Load(); waiting > m.capacity || accounts > callers {
			m.t.Errorf("%d wait, want at most %d; %d accounts for %d callers", waiting, m.capacity, accounts, callers)
		}
	}
	if m.random.IntN(2) == 0 {
		m.queue.Close()
	}
	m.wg.Wait()
	m.queue.Close()
	if running, waiting, _ := m.queue.Load(); running+waiting > 0 || !m.queue.Balanced() {
		m.t.Errorf("%d turns and %d waits are left", running, waiting)
	}
	for i := range m.begun {
		// So many in a burst, and what has come by since.
		for j := i; j < len(m.begun); j++ {
			if most := m.burst + m.rate*m.begun[j].Sub(m.begun[i]).Seconds() + 1e-3; float64(j-i+1) > most {
				m.t.Fatalf("%d turns within %v, want at most %v", j-i+1, m.begun[j].Sub(m.begun[i]), most)
			}
		}
	}
}

// use asks for a turn and has it for a while.
func (m *model) use(ctx context.Context, who, shares int, hangs time.Duration) {
	asked := time.Now()
	turn, err := m.queue.Ask(ctx, caller(who))
	if err == nil {
		if shares >= 0 {
			turn.Share(caller(shares))
		}
		defer turn.End()
		err = turn.Wait()
	}
	m.mu.Lock()
	waited := time.Since(asked)
	if waited > strangers.Patience {
		m.t.Errorf("waited %v, want at most %v", waited, strangers.Patience)
	}
	if err != nil {
		if p, ok := errors.AsType[*keyset.PostponedError](err); ok && p.RetryAfter > 0 {
			m.postponed++
		} else if ctx.Err() == nil && !errors.Is(err, strangers.ErrClosed) {
			m.t.Errorf("Wait() error = %v", err)
		}
		m.mu.Unlock()
		return
	}
	m.had++
	m.begun = append(m.begun, time.Now())
	if m.under++; m.under > m.places {
		m.t.Errorf("%d turns at once, want at most %d", m.under, m.places)
	}
	m.mu.Unlock()
	select {
	case <-time.After(hangs):
	case <-turn.Context().Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.under--
	if _, ok := errors.AsType[*keyset.PostponedError](context.Cause(turn.Context())); ok {
		m.taken++
	}
}
