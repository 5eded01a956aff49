package tokencache

import (
	"hash/maphash"
	"time"
	"unsafe"
)

// SlabBytes is the memory of entries that are allocated together.
const SlabBytes = unsafe.Sizeof(slab[int]{})

// MaxChain is how many tokens with one hash are held.
const MaxChain = maxChain

// GetHashed is Get for a token whose hash is chosen by the test.
func (c *Cache[V]) GetHashed(hash uint64, token string) (*V, bool) {
	return c.get(hash, token)
}

// PutHashed is Put for a token whose hash is chosen by the test.
func (c *Cache[V]) PutHashed(hash uint64, token string, v *V) {
	c.put(hash, token, v, 8, c.now().Add(hour), hash)
}

// Shards returns how many parts c has.
func (c *Cache[V]) Shards() int { return len(c.shards) }

// Lens returns how many values each part holds.
func (c *Cache[V]) Lens() (lens []int) {
	for i := range c.shards {
		lens = append(lens, c.shards[i].count)
	}
	return lens
}

// Buckets returns how many chains a shard of c has, and may have at most.
func (c *Cache[V]) Buckets() (now, most int) {
	s := &c.shards[0]
	return len(*s.buckets.Load()), s.most
}

// Credit returns the hits that entries whose value match reports true for are
// credited with, and the highest of one.
func (c *Cache[V]) Credit(match func(*V) bool) (sum, highest int) {
	for i := range c.shards {
		c.shards[i].sweep(never, func(e *entry[V]) bool {
			if match(e.value.Load()) {
				sum, highest = sum+int(e.hits.Load()), max(highest, int(e.hits.Load()))
			}
			return false
		})
	}
	return sum, highest
}

// SweepsAt reports whether a Put at the given time would look for what expired.
func (c *Cache[V]) SweepsAt(now time.Time) bool {
	for i := range c.shards {
		if seconds(now) >= c.shards[i].earliest {
			return true
		}
	}
	return false
}

// SameOwner reports whether the tokens of two owners are counted as those of one.
func (c *Cache[V]) SameOwner(a, b uint64) bool {
	of := func(owner uint64) int {
		return int(uint16(maphash.Comparable(c.seed, owner))) % len(c.shards[0].owned)
	}
	return of(a) == of(b)
}

// Check returns what is wrong with the books of c, "" if nothing is.
func (c *Cache[V]) Check() string {
	for i := range c.shards {
		if s := c.shards[i].check(); s != "" {
			return s
		}
	}
	return ""
}

// Delete drops the value kept for the token, if there is one.
func (c *Cache[V]) Delete(token string) {
	if c == nil {
		return
	}
	hash := c.hash(token)
	s := &c.shards[hash>>c.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.find(uint32(hash), token); e != nil {
		s.remove(e)
	}
}

// Len returns the number of values held, those that expired lately included.
func (c *Cache[V]) Len() int {
	n := 0
	if c == nil {
		return n
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += s.count
		s.mu.Unlock()
	}
	return n
}

// Bytes returns the memory held, as [New] bounds it.
func (c *Cache[V]) Bytes() int64 {
	var n int64
	if c == nil {
		return n
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += s.used
		s.mu.Unlock()
	}
	return n
}
