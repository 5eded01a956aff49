package keyring_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A world is a directory, the processes that run on it, and the copies that were
// made of it.
type world struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	disk    keyring.Ring
	copies  []keyring.Ring
	known   []keyring.Ring // to each process
	removed map[string]bool
}

// update does what a process does that changes the directory.
func (w *world) update(process int, change func(keyring.Ring) (keyring.Ring, bool)) {
	w.t.Helper()
	r, rejoined, err := w.disk.Merge(w.known[process], w.now)
	if err != nil {
		w.t.Fatalf("Merge() error = %v", err)
	}
	r, changed := change(r)
	if rejoined || changed {
		r.Generation = max(r.Generation, w.disk.Generation) + 1
		w.disk = r
	}
	w.known[process] = r
}

// poll does what a process does from time to time.
func (w *world) poll(process int) {
	w.t.Helper()
	w.update(process, func(r keyring.Ring) (keyring.Ring, bool) { return r, false })
}

// step does one thing that can happen.
func (w *world) step() {
	w.t.Helper()
	process := w.random.IntN(len(w.known))
	w.now = w.now.Add(time.Duration(w.random.IntN(4000)) * time.Second)
	switch w.random.IntN(8) {
	case 0, 1:
		w.update(process, func(r keyring.Ring) (keyring.Ring, bool) {
			next, err := r.Rotate(w.now)
			if err != nil {
				w.t.Fatalf("Rotate() error = %v", err)
			}
			return next, true
		})
	case 2:
		w.update(process, func(r keyring.Ring) (keyring.Ring, bool) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
			if err != nil {
				w.t.Fatal(err)
			}
			next, _, err := r.Import(&key.PublicKey, w.now)
			if err != nil {
				return r, false // too many
			}
			return next, true
		})
	case 3, 4:
		w.update(process, func(r keyring.Ring) (keyring.Ring, bool) {
			k := r.Keys[w.random.IntN(len(r.Keys))]
			next, err := r.Remove(k.ID)
			if err != nil {
				return r, false // it is not retired
			}
			w.removed[k.ID] = true
			return next, true
		})
	case 5:
		w.copies = append(w.copies, w.disk)
	case 6:
		w.disk = w.copies[w.random.IntN(len(w.copies))]
	case 7: // a process ends, and another starts: with what the directory says
		w.poll(process)
		w.known[process] = w.disk
	}
}

// Whatever copies are put back, while processes go on that know better: no key
// that was removed is trusted, and all have the keys of the directory, of which
// one signs and one will.
func TestMerge_Schedules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		first, err := keyring.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		must(t, err)
		first.Longest = time.Hour
		w := &world{
			t: t, random: rand.New(rand.NewPCG(seed, 1)), now: first.Keys[0].Created,
			disk: first, copies: []keyring.Ring{first}, removed: map[string]bool{},
		}
		for range 1 + w.random.IntN(3) {
			w.known = append(w.known, first)
		}
		for range 60 {
			w.step()
		}
		for range 2 {
			for process := range w.known {
				w.poll(process)
			}
		}
		for process, r := range w.known {
			checkSame(t, seed, process, r, w)
		}
		if t.Failed() {
			return
		}
	}
}

func checkSame(t *testing.T, seed uint64, process int, r keyring.Ring, w *world) {
	t.Helper()
	want, counts := states(w.disk), map[keyring.State]int{}
	for _, k := range r.Keys {
		counts[k.State]++
		if want[k.ID] != k.State {
			t.Errorf("seed %d: process %d has a key that is %s, the directory says %q", seed, process, k.State, want[k.ID])
		}
		if w.removed[k.ID] {
			t.Errorf("seed %d: process %d trusts a removed key", seed, process)
		}
	}
	if len(r.Keys) != len(want) || counts[keyring.Active] != 1 || counts[keyring.Next] != 1 {
		t.Errorf("seed %d: process %d has %v, the directory %v", seed, process, states(r), want)
	}
}
