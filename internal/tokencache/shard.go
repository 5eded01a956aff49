package tokencache

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// shard is a part of the cache with its own lock and its own share of the
// memory. Readers walk the buckets' chains without the lock; they may miss an
// entry that is being moved, which costs a verification and nothing else.
type shard[V any] struct {
	buckets      atomic.Pointer[buckets[V]] // replaced when there are too few
	most         int                        // buckets
	segmentBytes int                        // bytes of tokens in a segment
	max          int64
	_            [64]byte // readers and writers do not share a cache line

	mu        sync.Mutex // guards the following, and every change to chains
	probation queue[V]
	main      queue[V]
	evicted   [][evictedSet]uint16 // by hash, as many as most: ends of hashes that left on probation
	owned     []uint32             // by owner: live entries
	used      int64                // bytes
	count     int                  // live entries
	earliest  uint32               // no entry expires before; 0 at first, when there is none
	_         [64]byte
}

// buckets are the heads of the chains, by hash.
type buckets[V any] []atomic.Pointer[entry[V]]

const (
	// bucketBytes is the memory of a typical token with its claims: a full
	// cache has about one entry for each bucket.
	bucketBytes = 1536

	// fewBuckets is what a shard begins with at most. Every collection of garbage scans
	// all of them, so that a server with few callers must not have many.
	fewBuckets = 64

	// A segment is this fraction of its shard, within the limits.
	segmentsPerShard = 128
	minSegment       = 4 << 10
	maxSegment       = 64 << 10

	// probationShare is the part of the memory, one in so many, that tokens
	// which were presented once may claim against the others.
	probationShare = 10

	// promotionHits is how often a token on probation must be presented again
	// to move to the main queue: once more than a client that connects and
	// asks one thing presents it.
	promotionHits = 2

	// ownerShare is the part of the entries, one in so many, that the tokens of
	// one owner may make up and still be spared eviction; minOwned tokens are
	// always fair. Owners share a count if their numbers do: a few of those who
	// share a flood's count wait for a verification meanwhile.
	ownerShare = 4
	minOwned   = 16

	// evictedSet is how many tokens that left are remembered for one that fits:
	// several times as many as fit, so that one which is presented now and then
	// is still known when it comes back.
	evictedSet = 8

	// maxRotations is how many main segments one Put may turn over before new
	// tokens have to give way: it bounds the time a Put holds the lock.
	maxRotations = 2

	// maxChain is how many entries a bucket may hold. Chance does not bring
	// together as many; an issuer that chooses its signatures could, and must
	// not make lookups slow.
	maxChain = 16
)

// init makes s an empty shard of so many bytes.
func (s *shard[V]) init(maxBytes int64) {
	s.max = maxBytes
	s.segmentBytes = int(min(max(maxBytes/segmentsPerShard, minSegment), maxSegment))
	// The most is a few doubled some number of times: see grow.
	few, doublings := int(maxBytes/bucketBytes+1), 0
	for ; few > fewBuckets; doublings++ {
		few /= 2
	}
	s.most = few << doublings
	first := make(buckets[V], few)
	s.buckets.Store(&first)
	s.owned = make([]uint32, min(s.most, math.MaxUint16))
	s.used = s.tables()
}

// tables returns the memory of an empty shard.
func (s *shard[V]) tables() int64 {
	return int64(unsafe.Sizeof(*s)) + s.buckets.Load().bytes() + sliceBytes(s.owned)
}

func (b buckets[V]) bytes() int64 { return int64(unsafe.Sizeof(b)) + sliceBytes(b) }

// sliceBytes returns the memory of the elements of a slice that has no room for more.
func sliceBytes[E any](slice []E) int64 {
	var e E
	return int64(len(slice)) * int64(unsafe.Sizeof(e))
}

// of returns the bucket for a hash.
func (b buckets[V]) of(hash uint32) *atomic.Pointer[entry[V]] { return &b[place(hash, len(b))] }

// place returns the place of a hash among n, in proportion.
func place(hash uint32, n int) int { return int(uint64(hash) * uint64(n) >> 32) }

// grow doubles the buckets when there are more entries than buckets: exactly, so
// that each chain is parted in two and none gets longer than maxChain. A reader
// that comes by meanwhile may be led into another chain, at worst past its entry.
func (s *shard[V]) grow() {
	old := *s.buckets.Load()
	if s.count <= len(old) || len(old) == s.most {
		return
	}
	wider := make(buckets[V], 2*len(old))
	for i := range old {
		for e := old[i].Load(); e != nil; {
			next, head := e.next.Load(), wider.of(e.hash)
			e.next.Store(head.Load())
			head.Store(e)
			e = next
		}
	}
	s.buckets.Store(&wider)
	s.used += wider.bytes() - old.bytes()
}

// find returns the entry of exactly this token, nil if there is none.
func (s *shard[V]) find(hash uint32, token string) *entry[V] {
	for e := s.buckets.Load().of(hash).Load(); e != nil; e = e.next.Load() {
		if e.hash == hash && e.token == token && e.value.Load() != nil {
			return e
		}
	}
	return nil
}

// put keeps r, whose value takes so many bytes, and evicts others for it. What has
// expired is not kept, nor what is worth more than a share of the shard: it
// would displace too many others.
func (s *shard[V]) put(r record[V], valueBytes int, now uint32) {
	if now >= s.earliest {
		s.sweep(now, func(e *entry[V]) bool { return e.expiry <= now })
	}
	if e := s.find(r.hash, r.token); e != nil {
		s.remove(e)
		r.hits = e.hits.Load()
	}
	tooLarge := int64(len(r.token))+int64(valueBytes) > min(s.max/probationShare, maxValueBytes)
	if tooLarge || r.expiry <= now {
		return
	}
	r.weight = weigh(valueBytes)
	q := &s.probation
	if (r.hits >= promotionHits || s.cameBack(r.hash)) && !s.ownsTooMany(r.owner) {
		q = &s.main
	}
	s.insert(q, r)
	s.grow()
	s.shrink()
}

// insert adds an entry for r at the end of q.
func (s *shard[V]) insert(q *queue[V], r record[V]) {
	n := len(q.segments)
	if n == 0 || !q.segments[n-1].fits(len(r.token)) {
		q.segments = append(q.segments, newSegment[V](max(s.segmentBytes, len(r.token))))
		s.resize(q, q.segments[n].bytes())
		n++
	}
	g := q.segments[n-1]
	before := g.bytes()
	e := g.add(r)
	s.resize(q, g.bytes()-before)

	s.link(e)
	s.earliest = min(s.earliest, e.expiry)
}

// link puts e at the head of its chain. The last entry leaves if it is full.
func (s *shard[V]) link(e *entry[V]) {
	b := s.buckets.Load().of(e.hash)
	e.next.Store(b.Load())
	b.Store(e)
	s.count++
	s.used += e.bytes()
	s.owned[int(e.owner)%len(s.owned)]++
	n, last := 1, e
	for at := e.next.Load(); at != nil; at = at.next.Load() {
		n, last = n+1, at
	}
	if n > maxChain {
		s.remove(last)
	}
}

// resize records that q's segments take n bytes more.
func (s *shard[V]) resize(q *queue[V], n int64) {
	q.bytes += n
	s.used += n
}

// remove takes e out of the cache. Its value is free at once, its token goes
// with the segment.
func (s *shard[V]) remove(e *entry[V]) {
	s.unlink(e)
	e.value.Store(nil)
}

// unlink takes e out of its chain and the books. A reader that stands on e
// finds its way on by e.next.
func (s *shard[V]) unlink(e *entry[V]) {
	link := s.buckets.Load().of(e.hash)
	for at := link.Load(); at != e; at = link.Load() {
		link = &at.next
	}
	link.Store(e.next.Load())
	s.count--
	s.used -= e.bytes()
	s.owned[int(e.owner)%len(s.owned)]--
}

// move puts e, with the given credit, at the end of q. The entry it leaves
// behind keeps its value for readers that stand on it.
func (s *shard[V]) move(q *queue[V], e *entry[V], hits uint32) {
	s.unlink(e)
	s.insert(q, record[V]{
		token: e.token, value: e.value.Load(), hash: e.hash,
		expiry: e.expiry, weight: e.weight, owner: e.owner, hits: hits,
	})
}

// shrink evicts until the shard is within its bytes. Tokens on probation go
// first while they take more than their share, then the main segments in turn.
func (s *shard[V]) shrink() {
	for rotations := 0; s.used > s.max && len(s.probation.segments)+len(s.main.segments) > 0; {
		tired := rotations == maxRotations
		switch {
		case s.probation.bytes > (s.probation.bytes+s.main.bytes)/probationShare,
			tired && len(s.probation.segments) > 0:
			s.evict(&s.probation, !tired)
		default:
			s.evict(&s.main, !tired)
			rotations = min(rotations+1, maxRotations)
		}
	}
}

// evict lets the oldest segment of q go. If spare is set, entries that earned
// it pay with a hit and move to the end of the main queue.
func (s *shard[V]) evict(q *queue[V], spare bool) {
	need := uint32(1)
	if q == &s.probation {
		need = promotionHits
	}
	g := s.take(q, 0)
	for e := range g.live {
		hits, tooMany := e.hits.Load(), s.ownsTooMany(e.owner)
		if spare && hits >= need && !tooMany {
			s.move(&s.main, e, hits-1)
			continue
		}
		if q == &s.probation && !tooMany {
			s.remember(e.hash)
		}
		s.remove(e)
	}
}

// ownsTooMany reports whether one owner has more than a fair share of the
// entries.
func (s *shard[V]) ownsTooMany(owner uint16) bool {
	return int(s.owned[int(owner)%len(s.owned)]) > max(s.count/ownerShare, minOwned)
}

// take takes the i-th segment out of q. Its entries are still linked.
func (s *shard[V]) take(q *queue[V], i int) *segment[V] {
	g := q.segments[i]
	q.segments = slices.Delete(q.segments, i, i+1)
	s.resize(q, -g.bytes())
	return g
}

// remember notes that a token with this hash left on probation. In a full set
// it takes a place at random: of tokens that come in turns, more than the set
// holds, the one that left longest ago would be the next to come back.
func (s *shard[V]) remember(hash uint32) {
	if s.evicted == nil {
		s.evicted = make([][evictedSet]uint16, s.most)
		s.used += sliceBytes(s.evicted)
	}
	set := s.evicted[place(hash, len(s.evicted))][:]
	i := slices.Index(set, 0)
	if i < 0 {
		i = rand.IntN(len(set))
	}
	set[i] = uint16(hash)
}

// cameBack reports whether a token with this hash left on probation before, as
// far as the shard remembers, and drops that from its memory.
func (s *shard[V]) cameBack(hash uint32) bool {
	if s.evicted == nil {
		return false
	}
	set := s.evicted[place(hash, len(s.evicted))][:]
	i := slices.Index(set, uint16(hash))
	if i < 0 {
		return false
	}
	set[i] = 0
	return true
}

// sweep removes what drop reports true for, from the segments in which
// something expires by the given second. Whole seconds and exact bounds make it
// cheap: for expiry, it runs at most once a second and skips the rest.
func (s *shard[V]) sweep(by uint32, drop func(*entry[V]) bool) {
	s.earliest = never
	for _, q := range []*queue[V]{&s.probation, &s.main} {
		for i := len(q.segments) - 1; i >= 0; i-- {
			g := q.segments[i]
			if g.earliest <= by {
				s.sweepSegment(q, i, drop)
			}
			s.earliest = min(s.earliest, g.earliest)
		}
	}
}

// deleteFunc removes the entries whose value match reports true for.
func (s *shard[V]) deleteFunc(match func(*V) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(never, func(e *entry[V]) bool { return match(e.value.Load()) })
	s.shrink()
}

// sweepSegment removes what drop reports true for from the i-th segment of q.
// If less than half of the segment is left, the rest moves to the end of q and
// the segment goes.
func (s *shard[V]) sweepSegment(q *queue[V], i int, drop func(*entry[V]) bool) {
	g := q.segments[i]
	g.earliest = never
	text := 0
	for e := range g.live {
		if drop(e) {
			s.remove(e)
			continue
		}
		text += len(e.token)
		g.earliest = min(g.earliest, e.expiry)
	}
	filling := i == len(q.segments)-1
	if text > 0 && (filling || text >= g.text.Cap()/2) {
		return
	}
	s.take(q, i)
	for e := range g.live {
		s.move(q, e, e.hits.Load())
	}
}
