package dpop

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// bytesPerProof is what it takes to remember a proof, at most: in two tables,
	// where it is the only one of its bearer.
	bytesPerProof = 128

	// periods is in how many parts what is remembered is let go of.
	periods = 4
)

// A memory remembers the proofs that were used, until they are stale. What it knows is
// bounded. No bearer may have more of it than is free, whatever keys their tokens are bound
// to: however many there are who make proofs without end, there is as much left as the last
// of them has.
//
// Proofs are kept by the period in which they become stale, which a proof says itself:
// so one that comes again is looked for in one place, and a period that is over is let
// go of as a whole. It is safe for concurrent use.
type memory struct {
	most   int           // proofs
	period time.Duration // in which proofs become stale that are let go of together

	mu      sync.Mutex // guards what follows
	used    map[int64]map[useKey]struct{}
	bearers map[int64]map[useKey]int
	count   int
	dropped int64 // the last period that was let go of
}

// A useKey is a digest, long enough that nobody finds two of the same.
type useKey [16]byte

// newMemory returns one for so many proofs, which become stale within a time.
func newMemory(most int, fresh time.Duration) *memory {
	return &memory{
		most: most, period: max(fresh/periods, time.Second),
		used: make(map[int64]map[useKey]struct{}), bearers: make(map[int64]map[useKey]int),
	}
}

// use notes that a bearer's proof by a key was used, which becomes stale at a time, and
// refuses one that was used before.
func (m *memory) use(bearer, thumbprint, id string, stale, now time.Time) error {
	key := shorten(sha256.Sum256([]byte(bearer)))
	use := shorten(useID(thumbprint, id))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letGo(now)
	p := m.periodOf(stale)
	if p <= m.dropped {
		return invalid("a proof from a time whose proofs are no longer known", "one of now")
	}
	if _, found := m.used[p][use]; found {
		return replayed()
	}
	if m.of(key) >= m.most-m.count {
		return refusal.Because(refusal.Possession, refusal.ErrAnswerUnavailable, errors.New("too many proofs at a time to remember which were used")).After(m.period)
	}
	if m.used[p] == nil {
		m.used[p], m.bearers[p] = make(map[useKey]struct{}), make(map[useKey]int)
	}
	m.used[p][use] = struct{}{}
	m.bearers[p][key]++
	m.count++
	return nil
}

// release takes back what use has just noted, of a proof that nobody got anything for.
func (m *memory) release(bearer, thumbprint, id string, stale time.Time) {
	key := shorten(sha256.Sum256([]byte(bearer)))
	use := shorten(useID(thumbprint, id))
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.periodOf(stale)
	if _, found := m.used[p][use]; !found {
		return // let go of meanwhile
	}
	delete(m.used[p], use)
	if m.bearers[p][key]--; m.bearers[p][key] == 0 {
		delete(m.bearers[p], key)
	}
	m.count--
}

// of returns how many proofs of a bearer are remembered. The lock must be held.
func (m *memory) of(key useKey) int {
	sum := 0
	for _, counts := range m.bearers {
		sum += counts[key]
	}
	return sum
}

// letGo drops the periods that are over. The lock must be held.
func (m *memory) letGo(now time.Time) {
	over := m.periodOf(now) - 1
	for p, uses := range m.used {
		if p <= over {
			m.count -= len(uses)
			delete(m.used, p)
			delete(m.bearers, p)
			m.dropped = max(m.dropped, p)
		}
	}
}

// periodOf returns the number of the period that a time is in.
func (m *memory) periodOf(t time.Time) int64 { return t.UnixNano() / int64(m.period) }

// useID returns the name of a proof: its key's and its own.
func useID(thumbprint, id string) [sha256.Size]byte {
	return sha256.Sum256([]byte("oidcauth dpop proof\x00" + thumbprint + "\x00" + id))
}

func shorten(digest [sha256.Size]byte) useKey { return useKey(digest[:len(useKey{})]) }
