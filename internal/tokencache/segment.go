package tokencache

import (
	"math"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// entry is one token's place in the cache. Readers reach it without a lock, so
// what is not atomic never changes once the entry is linked.
type entry[V any] struct {
	token  string
	value  atomic.Pointer[V] // nil once removed
	next   atomic.Pointer[entry[V]]
	hash   uint32
	expiry uint32 // Unix time in seconds, never if it does not expire
	weight uint16 // bytes of the value, in units of weightUnit
	owner  uint16 // whose token it is, in short
	hits   atomic.Uint32
}

// maxHits is how many hits an entry is credited with. In the main queue it
// survives as many rounds of eviction.
const maxHits = 3

// hit credits e with a hit. Lost updates do no harm, and an entry that has its
// credit is not written to, so that processors can share its cache line.
func (e *entry[V]) hit() {
	if n := e.hits.Load(); n < maxHits {
		e.hits.Store(n + 1)
	}
}

// record is what an entry is made of.
type record[V any] struct {
	token  string
	value  *V
	hash   uint32
	expiry uint32
	weight uint16
	owner  uint16
	hits   uint32
}

// slabEntries keeps a slab at 480 bytes, which the allocator serves without
// rounding and without a header.
const slabEntries = 10

type slab[V any] [slabEntries]entry[V]

// segment holds tokens back to back in one block of memory, and their entries.
// Nothing in it moves or is written over: it is filled, and later let go whole.
//
// The plain way is a slice of entries, each of them and each token allocated by
// itself. In one interleaved run (BenchmarkMemory, BenchmarkGet, BenchmarkPut;
// linux/amd64, tokens of 900 bytes) it took 203 bytes beside each token and its
// claims where a segment takes 84, of which the books, that know no size classes,
// saw 62; a Put allocated twice and not never. The best hits were the same within a
// tenth: 37 ns of 1 token (35 here), 79 of 1000 (70), 402 of 100,000 (406).
type segment[V any] struct {
	text     strings.Builder // grown once; strings cut from it share its memory
	slabs    []*slab[V]
	count    int    // entries in slabs, removed ones included
	earliest uint32 // no entry expires before
}

// newSegment returns a segment for so many bytes of tokens.
func newSegment[V any](size int) *segment[V] {
	g := &segment[V]{earliest: never}
	g.text.Grow(size)
	return g
}

// fits reports whether another token of n bytes fits into g.
func (g *segment[V]) fits(n int) bool {
	return g.text.Len()+n <= g.text.Cap()
}

// add copies r into g and returns its entry. It must fit.
func (g *segment[V]) add(r record[V]) *entry[V] {
	if g.count == len(g.slabs)*slabEntries {
		g.slabs = append(g.slabs, new(slab[V]))
	}
	e := &g.slabs[g.count/slabEntries][g.count%slabEntries]
	g.count++
	from := g.text.Len()
	g.text.WriteString(r.token)
	e.token = g.text.String()[from:]
	e.hash, e.expiry, e.weight, e.owner = r.hash, r.expiry, r.weight, r.owner
	e.hits.Store(r.hits)
	e.value.Store(r.value)
	g.earliest = min(g.earliest, r.expiry)
	return e
}

// live calls yield for every entry that was not removed.
func (g *segment[V]) live(yield func(*entry[V]) bool) {
	for i := range g.count {
		e := &g.slabs[i/slabEntries][i%slabEntries]
		if e.value.Load() != nil && !yield(e) {
			return
		}
	}
}

// bytes returns the memory g takes, without the values.
func (g *segment[V]) bytes() int64 {
	own := int(unsafe.Sizeof(*g)) + cap(g.slabs)*int(unsafe.Sizeof((*slab[V])(nil)))
	return int64(own + g.text.Cap() + len(g.slabs)*int(unsafe.Sizeof(slab[V]{})))
}

// queue holds segments in the order they were begun; the last one is filled.
type queue[V any] struct {
	segments []*segment[V]
	bytes    int64 // of the segments
}

// never is the expiry of what does not expire.
const never = math.MaxUint32

// seconds returns t as Unix time, within what 32 bits hold.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), never-1))
}

// expirySeconds returns the first whole second at which t has passed.
func expirySeconds(t time.Time) uint32 {
	if t.IsZero() || t.Unix() >= never-1 {
		return never
	}
	return seconds(t.Add(time.Second - time.Nanosecond))
}

// weightUnit is what sizes of values are rounded up to, as the allocator does.
const weightUnit = 16

// maxValueBytes is the largest value whose size an entry can hold.
const maxValueBytes = math.MaxUint16 * weightUnit

// weigh returns n bytes in units of weightUnit.
func weigh(n int) uint16 {
	return uint16((max(n, 0) + weightUnit - 1) / weightUnit)
}

// bytes returns the memory of e's value.
func (e *entry[V]) bytes() int64 {
	return int64(e.weight) * weightUnit
}
