package dpop_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/dpop"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Clients that make proofs without end fill no more than is theirs: others are served
// at any time, nothing is taken twice, and it costs no more memory than is said.
func TestMemory_Flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, clients = 4096, 20
		m := dpop.NewMemory(most, 90*time.Second)
		random := rand.New(rand.NewPCG(1, 2))
		type proof struct {
			key, id string
			stale   time.Time
		}
		var taken []proof
		refused := 0
		for second := range 600 {
			now := time.Now()
			for range 1000 {
				p := proof{fmt.Sprint("flooder ", random.IntN(clients)), fmt.Sprint(random.Int64()), now.Add(60 * time.Second)}
				switch err := m.Use(p.key, p.id, p.stale, now); {
				case err == nil:
					taken = append(taken, p)
				case errors.Is(err, refusal.ErrAnswerUnavailable):
					refused++
				default:
					t.Fatal(err)
				}
			}
			if err := m.Use("somebody else", fmt.Sprint(second), now.Add(60*time.Second), now); err != nil {
				t.Fatalf("after %d seconds another client is refused: %v", second, err)
			}
			if n := m.Count(); n > most {
				t.Fatalf("%d proofs are remembered, want %d at most", n, most)
			}
			for range 50 {
				p := taken[random.IntN(len(taken))]
				if p.stale.Before(now) {
					continue // would be refused for its age
				}
				if err := m.Use(p.key, p.id, p.stale, now); !errors.Is(err, dpop.ErrInvalidProof) {
					t.Fatalf("after %d seconds a proof is taken for the second time: %v", second, err)
				}
			}
			time.Sleep(time.Second)
		}
		if refused == 0 {
			t.Error("nobody was refused: this is no flood")
		}
		time.Sleep(time.Hour)
		if err := m.Use("somebody else", "at last", time.Now().Add(time.Minute), time.Now()); err != nil || m.Count() != 1 {
			t.Errorf("an hour later %d proofs are remembered, error = %v, want one", m.Count(), err)
		}
	})
}

// One key alone takes half of what there is.
func TestMemory_OneKey(t *testing.T) {
	t.Parallel()
	m, now := dpop.NewMemory(1000, time.Minute), time.Now()
	for i := range 500 {
		if err := m.Use("one", fmt.Sprint(i), now, now); err != nil {
			t.Fatal(i, err)
		}
	}
	err := m.Use("one", "more", now, now)
	if r, ok := errors.AsType[*refusal.Refusal](err); !ok || !errors.Is(err, refusal.ErrAnswerUnavailable) || r.RetryAfter() <= 0 {
		t.Errorf("Use() error = %v, want %v with a time to wait", err, refusal.ErrAnswerUnavailable)
	}
	if err := m.Use("other", "more", now, now); err != nil {
		t.Errorf("Use() error = %v for another key", err)
	}
}

// One bearer takes no more with many keys, whether these take turns or not.
func TestMemory_OneBearer(t *testing.T) {
	t.Parallel()
	m, now := dpop.NewMemory(1000, time.Minute), time.Now()
	taken := 0
	for key := range 40 {
		for i := 0; m.UseOf("one", fmt.Sprint(key), fmt.Sprint(i), now, now) == nil; i++ {
			taken++
		}
	}
	if taken != 500 {
		t.Errorf("one bearer has %d of 1000 places, want 500", taken)
	}
	if err := m.UseOf("other", "0", "0", now, now); !errors.Is(err, dpop.ErrInvalidProof) {
		t.Errorf("Use() error = %v for another's proof by the same key, want %v", err, dpop.ErrInvalidProof)
	}
	if err := m.UseOf("other", "another", "0", now, now); err != nil {
		t.Errorf("Use() error = %v for another bearer", err)
	}
}

// Half of little is rounded up: there is a place for everybody where there is one.
func TestMemory_Half(t *testing.T) {
	t.Parallel()
	for most, want := range []int{0, 1, 1, 2, 2, 3} {
		m, now, taken := dpop.NewMemory(most, time.Minute), time.Now(), 0
		for m.Use("one", fmt.Sprint(taken), now, now) == nil {
			taken++
		}
		if taken != want {
			t.Errorf("one key has %d of %d places, want %d", taken, most, want)
		}
	}
}

// What is full is asked again once a part of it has become stale: a quarter of the time
// for which a proof is remembered.
func TestVerify_Full(t *testing.T) {
	t.Parallel()
	p, v := oidctest.NewProver(t, ""), newVerifier(t, dpop.Config{ReplayBytes: 64 << 10})
	var err error
	for range 257 {
		if err != nil {
			t.Fatal(err)
		}
		err = verify(t, v, use(p, p.Proof("POST", target, token, nil)))
	}
	r, ok := errors.AsType[*refusal.Refusal](err)
	if want := (time.Minute + 30*time.Second) / 4; !ok || !errors.Is(err, refusal.ErrAnswerUnavailable) || r.RetryAfter() != want {
		t.Errorf("Verify() error = %v, want %v after %v", err, refusal.ErrAnswerUnavailable, want)
	}
}

// A proof that has become stale takes a place for a quarter of the time more at most, in
// which a proof can be fresh: then the key has its place again.
func TestMemory_LetsGo(t *testing.T) {
	t.Parallel()
	for offset := range 15 { // wherever in a period now is
		now := time.Unix(1_800_000_000+int64(offset), 0)
		m := dpop.NewMemory(4, time.Minute)
		stale := now.Add(30 * time.Second)
		for i := range 2 {
			if err := m.Use("one", fmt.Sprint(i), stale, now); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Use("one", "0", stale, stale); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Errorf("Use() error = %v as it becomes stale, want %v", err, dpop.ErrInvalidProof)
		}
		later := stale.Add(15 * time.Second)
		for i := range 2 {
			if err := m.Use("one", fmt.Sprint("later ", i), later.Add(30*time.Second), later); err != nil || m.Count() != i+1 {
				t.Errorf("Use() error = %v with %d remembered a quarter of the time later, want %d", err, m.Count(), i+1)
			}
		}
	}
}

// A clock that is set back does not bring back what was let go of.
func TestMemory_ClockSetBack(t *testing.T) {
	t.Parallel()
	m, now := dpop.NewMemory(1000, time.Minute), time.Now()
	if err := m.Use("one", "a", now.Add(time.Minute), now); err != nil {
		t.Fatal(err)
	}
	later := now.Add(time.Hour)
	if err := m.Use("one", "b", later.Add(time.Minute), later); err != nil {
		t.Fatal(err)
	}
	if err := m.Use("one", "a", now.Add(time.Minute), now); !errors.Is(err, dpop.ErrInvalidProof) {
		t.Errorf("Use() error = %v, want %v", err, dpop.ErrInvalidProof)
	}
	if err := m.Use("one", "c", later.Add(time.Minute), later); err != nil {
		t.Errorf("Use() error = %v at the right time", err)
	}
}

// TestMemory_Bytes holds what a proof takes to what is said of it, in the worst case: each
// is by another key.
func TestMemory_Bytes(t *testing.T) {
	const proofs = 100_000
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	m, now := dpop.NewMemory(2*proofs, time.Minute), time.Now()
	for i := range proofs {
		if err := m.Use(fmt.Sprint(i), "a", now, now); err != nil {
			t.Fatal(err)
		}
	}
	got := (heap() - before) / proofs
	t.Logf("%d bytes for a proof", got)
	if got > dpop.BytesPerProof {
		t.Errorf("%d bytes for a proof, want %d at most", got, dpop.BytesPerProof)
	}
	runtime.KeepAlive(m)
}

// What is not said is 64 MiB, of 128 bytes for a proof.
func TestNew_ReplayBytes(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]int{0: 524_288, 64 << 20: 524_288, 128 << 10: 1024} {
		if got := dpop.MostOf(newVerifier(t, dpop.Config{ReplayBytes: bytes})); got != want {
			t.Errorf("%d bytes: %d proofs are remembered, want %d", bytes, got, want)
		}
	}
}

// As much memory as there is.
func TestVerify_ReplayBytes(t *testing.T) {
	t.Parallel()
	p := oidctest.NewProver(t, "")
	v := newVerifier(t, dpop.Config{ReplayBytes: math.MaxInt64})
	if err := verify(t, v, use(p, p.Proof("POST", target, token, nil))); err != nil {
		t.Errorf("Verify() error = %v, want none", err)
	}
}

// What is refused for its signature takes no memory, and uses nothing up.
func TestMemory_SignatureFirst(t *testing.T) {
	t.Parallel()
	p, other := oidctest.NewProver(t, ""), oidctest.NewProver(t, "")
	v := newVerifier(t, dpop.Config{ReplayBytes: 64 << 10})
	proof := p.Proof("POST", target, token, map[string]any{"jti": "a"})
	bad := other.Proof("POST", target, token, map[string]any{"jti": "a"})
	bad = proof[:len(proof)-86] + bad[len(bad)-86:]
	for range 1000 {
		if err := verify(t, v, use(p, bad)); !errors.Is(err, dpop.ErrInvalidProof) {
			t.Fatal(err)
		}
	}
	if n := dpop.CountOf(v); n != 0 {
		t.Errorf("%d proofs are remembered of those that were refused", n)
	}
	if err := verify(t, v, use(p, proof)); err != nil {
		t.Errorf("Verify() error = %v for the one that was imitated", err)
	}
}

// What is taken back leaves the memory as it was, also where it was let go of meanwhile.
func TestMemory_Release(t *testing.T) {
	t.Parallel()
	m, now := dpop.NewMemory(4, 90*time.Second), time.Now()
	for range 10 {
		if err := m.Use("key", "id", now.Add(time.Minute), now); err != nil {
			t.Fatalf("Use() error = %v", err)
		}
		m.Release("key", "id", now.Add(time.Minute))
	}
	if n := m.Count(); n != 0 {
		t.Errorf("%d proofs are remembered, want none", n)
	}
	if err := m.Use("key", "id", now.Add(time.Minute), now); err != nil {
		t.Fatalf("Use() error = %v", err)
	}
	later := now.Add(time.Hour)
	if err := m.Use("key", "other", later.Add(time.Minute), later); err != nil {
		t.Fatalf("Use() error = %v", err)
	}
	m.Release("key", "id", now.Add(time.Minute))
	if n := m.Count(); n != 1 {
		t.Errorf("%d proofs are remembered, want 1", n)
	}
}
