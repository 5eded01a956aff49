package simulation_test

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds     = flag.Uint64("simulation.seeds", 12, "how many simulations TestSimulation runs")
	firstSeed = flag.Uint64("simulation.seed", 1, "the first one's seed")
)

// TestSimulation lets happen what seeds say, and holds each answer of the library
// against the model.
func TestSimulation(t *testing.T) {
	all := tally{}
	var before uint64
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { all.add(simulate(t, seed)) })
		})
		if !ok {
			t.Fatalf("repeat with go test -run 'TestSimulation$' ./internal/simulation -simulation.seeds 1 -simulation.seed %d", seed)
		}
		if seed == *firstSeed {
			before = memory()
		}
	}
	t.Logf("%d seeds: %v", *seeds, all)
	if now := memory(); now > before+8<<20 {
		t.Errorf("%d bytes in use after %d seeds, %d after the first", now, *seeds, before)
	}
	for _, name := range []string{
		"token accepted", "had to be accepted", "had to be refused", "came back", "ticket accepted", "session ended: revoked",
		"accepted opaque", "accepted jobs", "accepted west", "accepted with roles", "proof taken", "replays", "renewal: accepted", "kills",
		"stolen ticket proof", "calls refused while they run", "told that it expires", "token rule",
		"accepted without key ID",
	} {
		if all[name] == 0 && *seeds >= 12 {
			t.Errorf("nothing of %q happened", name)
		}
	}
}

func (t tally) String() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		list = append(list, fmt.Sprintf("%s %d", name, t[name]))
	}
	return strings.Join(list, ", ")
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func simulate(t *testing.T, seed uint64) tally {
	w := newWorld(t, seed)
	defer w.close()
	for range w.plan.steps {
		w.step()
	}
	w.heal()
	return w.tally
}

// check holds what is true at each moment.
func (w *world) check() {
	w.checkShared()
	w.checkSessions()
	w.checkNetwork()
	for _, n := range w.nodes {
		if n.local != nil {
			w.vault.knows(n)
		}
	}
}

// checkNetwork expects that strangers' issuers are contacted within the budget, and
// that nobody believes a document that names another issuer.
func (w *world) checkNetwork() {
	burst, rate := 16.0, 10.0
	if w.plan.strangersAtOnce > 0 {
		burst = float64(w.plan.strangersAtOnce)
	}
	if w.plan.strangersRate > 0 {
		rate = w.plan.strangersRate
	}
	for _, n := range w.nodes {
		n.net.mu.Lock()
		contacts, evil := n.net.contacts, n.net.evil
		n.net.mu.Unlock()
		if evil != "" {
			w.fail(nil, "%s asked for %s", n.name, evil)
		}
		left, last := burst, w.began
		for i, at := range contacts {
			left = min(burst, left+rate*at.Sub(last).Seconds()) - 1
			last = at
			if left < -1e-3 {
				w.fail(nil, "%s: %d contacts with strangers, the last %v apart, exceed %v at once and %v a second", n.name, i+1, at.Sub(contacts[max(0, i-1)]), burst, rate)
			}
		}
		if len(contacts) > 1000 {
			n.net.mu.Lock()
			n.net.contacts = nil
			n.net.mu.Unlock()
		}
	}
}

// heal ends all trouble: when there was time for it, everybody agrees.
func (w *world) heal() {
	for _, p := range w.providers {
		p.heal()
		if p.registry != nil {
			p.registry.heal()
		}
	}
	for _, n := range w.nodes {
		n.setClock(0)
		if n.link != nil {
			n.link.set("")
		}
	}
	w.table.setDown(false)
	w.rules.heal()
	if w.vault != nil {
		w.vault.repair()
	}
	w.note("all is well")
	time.Sleep(2*shareWait + time.Minute)
	w.check()
	for _, n := range w.nodes {
		for _, t := range w.tokens {
			w.ask(n, t)
		}
		for _, x := range w.tickets {
			w.present(x, n)
		}
	}
	w.check()
}
