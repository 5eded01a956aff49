package tokencache

import (
	"fmt"
	"slices"
	"time"
	"unsafe"
)

const hour = time.Hour

// check counts a shard's books again.
func (s *shard[V]) check() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	linked := map[*entry[V]]bool{}
	chains := *s.buckets.Load()
	if len(chains) < min(s.count, s.most) {
		return fmt.Sprintf("%d buckets for %d entries", len(chains), s.count)
	}
	if s.evicted != nil && len(s.evicted) != s.most {
		return fmt.Sprintf("%d sets of evicted tokens, want %d", len(s.evicted), s.most)
	}
	for i := range chains {
		length := 0
		for e := chains[i].Load(); e != nil; e = e.next.Load() {
			if linked[e] {
				return "an entry is linked twice"
			}
			if uint64(e.hash)*uint64(len(chains))/(1<<32) != uint64(i) {
				return "an entry is in another's chain"
			}
			linked[e] = true
			if length++; length > maxChain {
				return fmt.Sprintf("a chain of more than %d entries", maxChain)
			}
			if e.expiry < s.earliest {
				return fmt.Sprintf("an entry expires at %d, before the shard's earliest %d", e.expiry, s.earliest)
			}
		}
	}
	const pointer = int(unsafe.Sizeof(uintptr(0)))
	used := int64(unsafe.Sizeof(*s)) + int64((3+len(chains))*pointer+16*len(s.evicted)+4*len(s.owned))
	live := 0
	owned := make([]uint32, len(s.owned))
	for _, q := range []*queue[V]{&s.probation, &s.main} {
		var inQueue int64
		for _, g := range q.segments {
			inQueue += g.bytes()
			for e := range g.live {
				live++
				used += int64(e.weight) * 16
				owned[int(e.owner)%len(owned)]++
				if !linked[e] {
					return "a live entry is not linked"
				}
			}
		}
		if inQueue != q.bytes {
			return fmt.Sprintf("queue has %d bytes, books say %d", inQueue, q.bytes)
		}
		used += inQueue
	}
	if live != s.count || live != len(linked) {
		return fmt.Sprintf("%d live entries, %d linked, books say %d", live, len(linked), s.count)
	}
	if !slices.Equal(owned, s.owned) {
		return "the entries of an owner are miscounted"
	}
	if used != s.used {
		return fmt.Sprintf("%d bytes used, books say %d", used, s.used)
	}
	return ""
}
