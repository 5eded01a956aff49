package revocationtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

const (
	scheduleServers = 3
	scheduleSteps   = 60
	defaultRuns     = 10
)

// runSchedules runs random schedules, each in a store of its own and by a seed that
// the name of its test tells.
func runSchedules(t *testing.T, open func(t testing.TB) *Store) {
	runs := defaultRuns
	for seed := 1; seed <= runs; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := open(t)
			if s.Runs != 0 {
				runs = s.Runs
			}
			runSchedule(t, s, uint64(seed))
		})
	}
}

func testSchedules(t testing.TB, s *Store) { runSchedule(t, s, 1) }

// A history is what the callers of a schedule were told.
type history struct {
	mu           sync.Mutex      // guards what follows
	possible     map[string]bool // perhaps stored
	acknowledged map[string]bool
	added        map[string]int
	firsts       map[string]int
}

// runSchedule has three servers append and use, some of it at once and twice, in
// the midst of random faults. When all is well again, everything acknowledged is
// there, nothing else than what was tried, and nobody was first twice.
func runSchedule(t testing.TB, s *Store, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	logs := make([]oidcauth.RevocationLog, scheduleServers)
	followers := make([]*recorder, scheduleServers)
	for i := range logs {
		logs[i] = s.Open()
		followers[i] = follow(t, logs[i], nil)
	}
	h := &history{
		possible: make(map[string]bool), acknowledged: make(map[string]bool),
		added: make(map[string]int), firsts: make(map[string]int),
	}
	faults := newFaults(s, logs)
	var wg sync.WaitGroup
	for range scheduleSteps {
		i, name := random.IntN(len(logs)), fmt.Sprint(random.IntN(scheduleSteps))
		switch n := random.IntN(10); {
		case n < 5:
			wg.Go(func() { h.append(t, logs[i], name) })
		case n < 8:
			wg.Go(func() { h.use(t, logs[i], name) })
		default:
			faults.next(random, i)
		}
		pause := time.NewTimer(time.Duration(random.IntN(3000)) * time.Microsecond)
		<-pause.C
	}
	wg.Wait()
	faults.end()
	h.verify(t, s, append(followers, follow(t, s.Open(), nil)))
}

func (h *history) append(t testing.TB, log oidcauth.RevocationLog, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	added, err := log.Append(ctx, revocation(name))
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.acknowledged[name] = true
	}
	if !errors.Is(err, oidcauth.ErrNotStored) {
		h.possible[name] = true
	}
	if added {
		h.added[name]++
	}
	if added && err != nil {
		t.Errorf("Append() = true, %v, want one or the other", err)
	}
}

func (h *history) use(t testing.TB, log oidcauth.RevocationLog, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	first, err := log.FirstUse(ctx, useID(name), end)
	h.mu.Lock()
	defer h.mu.Unlock()
	if first {
		h.firsts[name]++
	}
	if first && err != nil {
		t.Errorf("FirstUse() = true, %v, want one or the other", err)
	}
}

// verify compares what the callers were told with what followers hear.
func (h *history) verify(t testing.TB, s *Store, followers []*recorder) {
	var want []oidcauth.Revocation
	for name := range h.acknowledged {
		want = append(want, revocation(name))
	}
	for name, n := range h.added {
		if n > 1 {
			t.Errorf("Append() = true %d times for %s", n, name)
		}
	}
	for name, n := range h.firsts {
		if n > 1 {
			t.Errorf("FirstUse() = true %d times for %s", n, name)
		}
	}
	for _, f := range followers {
		f.mustHave(t, s, want...)
		f.mu.Lock()
		for r := range f.applied {
			if !h.possible[r.Subject] {
				t.Errorf("a follower heard of %+v, which nobody appended or which certainly was not stored", r)
			}
		}
		f.mu.Unlock()
	}
	again := s.Open()
	for name := range h.firsts {
		first, err := again.FirstUse(s.context(t), useID(name), end)
		if first || err != nil && errors.Is(err, oidcauth.ErrNotStored) {
			t.Errorf("FirstUse() = %t, %v for the second time", first, err)
		}
	}
}

// faults are those that a store has hooks for.
type faults struct {
	store *Store
	logs  []oidcauth.RevocationLog
	cut   map[int]bool
	lost  bool
}

func newFaults(s *Store, logs []oidcauth.RevocationLog) *faults {
	return &faults{store: s, logs: logs, cut: make(map[int]bool)}
}

// next begins or ends a fault.
func (f *faults) next(random *rand.Rand, i int) {
	s := f.store
	switch random.IntN(6) {
	case 0, 1, 2:
		if s.Cut == nil || s.Heal == nil {
			return
		}
		if f.cut[i] = !f.cut[i]; f.cut[i] {
			s.Cut(f.logs[i])
		} else {
			s.Heal(f.logs[i])
		}
	case 3, 4:
		if s.LoseAnswers != nil {
			f.lost = !f.lost
			s.LoseAnswers(f.lost)
		}
	case 5:
		if s.Restart != nil {
			s.Restart()
		}
	}
}

// end ends all faults.
func (f *faults) end() {
	for i, cut := range f.cut {
		if cut {
			f.store.Heal(f.logs[i])
		}
	}
	if f.lost {
		f.store.LoseAnswers(false)
	}
}
