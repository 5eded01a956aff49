// Package tokencache remembers what verified tokens said.
//
// A bearer token is presented hundreds of times in its life, and its signature
// needs checking once. The cache finds the earlier verdict by the exact token:
// a seeded hash leads to it, and the whole token is compared before it counts.
// A hit takes no lock, after the first few writes nothing shared, and
// allocates nothing. Memory is bounded in bytes, bookkeeping included.
//
// Tokens arrive on probation. Only one that goes on being presented moves to
// the main part, which holds nine tenths of the memory, and survives several
// rounds of eviction there. One owner's tokens are spared only as far as they
// make up a quarter of all. So whoever can obtain valid tokens by the thousand
// displaces other one-shot tokens and their own, not those others use. (The
// policy is S3-FIFO, in segments as a log-structured store has them: tokens lie
// packed, and eviction frees whole blocks.)
//
// The general caches for Go that were measured are good at being general; none
// kept all of these promises at once. Of those that bound bytes and withstand
// floods, one tells keys apart by hashes alone, and the others take a tenth more
// memory for each token and know nothing of owners.
package tokencache

import (
	"hash/maphash"
	"math/bits"
	"time"
)

// Cache maps verified tokens to values of type V. It is safe for concurrent
// use. A nil Cache holds nothing and accepts nothing.
//
// The cache decides only how long a value is worth keeping, never how long it
// is right: whoever gets a value must check again what may have changed since
// it was put there, such as expiry, keys and revocations.
type Cache[V any] struct {
	seed   maphash.Seed
	shift  uint // of a hash, leaves the number of the shard
	now    func() time.Time
	shards []shard[V]
}

const (
	// shardBytes is what a shard is worth having for: below twice this there
	// is one, above maxShards times this there are no more.
	shardBytes = 8 << 20
	maxShards  = 64

	// mostBytes is more than any machine has, and no more than the tables can be
	// reckoned for where an int has 32 bits.
	mostBytes = 1 << 46

	// hashedBytes is how much of a token is hashed: 48 bytes of its signature.
	hashedBytes = 64
)

// New returns a cache that takes at most maxBytes of memory: tokens, the
// values as their size is given to [Cache.Put], and the cache's own tables. It
// is nil if maxBytes is not positive. The clock only serves to let go of
// expired values; nil means [time.Now].
func New[V any](maxBytes int64, now func() time.Time) *Cache[V] {
	if maxBytes <= 0 {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	n := uint64(min(maxShards, max(1, maxBytes/shardBytes)))
	shardBits := uint(bits.Len64(n) - 1)
	c := &Cache[V]{
		seed:   maphash.MakeSeed(),
		shift:  64 - shardBits,
		now:    now,
		shards: make([]shard[V], 1<<shardBits),
	}
	for i := range c.shards {
		c.shards[i].init(min(maxBytes, mostBytes) >> shardBits)
	}
	return c
}

// Get returns the value that was put for exactly this token. It does not look
// at the clock: the value may have expired.
func (c *Cache[V]) Get(token string) (*V, bool) {
	if c == nil {
		return nil, false
	}
	return c.get(c.hash(token), token)
}

// hash returns the hash of the token's end. That is where the signature is:
// the tokens an honest issuer signs differ there, and 64 bytes are hashed long
// before 900 are. Tokens made to collide only crowd each other out of their
// chain, see maxChain.
func (c *Cache[V]) hash(token string) uint64 {
	return maphash.String(c.seed, token[max(0, len(token)-hashedBytes):])
}

// get is Get for a token with the given hash.
func (c *Cache[V]) get(hash uint64, token string) (*V, bool) {
	e := c.shards[hash>>c.shift].find(uint32(hash), token)
	if e == nil {
		return nil, false
	}
	e.hit()
	v := e.value.Load()
	return v, v != nil
}

// Put keeps v for the token, in place of what was kept for it before. The
// token must have been verified, and v must not change any more. valueBytes is
// the memory that goes when v goes, v itself included. The cache drops v soon
// after expiry; the zero time means that v does not expire. Tokens with equal
// owner numbers, such as a part of the caller's identity, share what one owner
// may claim.
//
// The token is copied, so that it holds no longer string in memory. What takes
// more than a tenth of a shard's memory is not kept.
func (c *Cache[V]) Put(token string, v *V, valueBytes int, expiry time.Time, owner uint64) {
	if c == nil || v == nil {
		return
	}
	c.put(c.hash(token), token, v, valueBytes, expiry, owner)
}

// put is Put for a token with the given hash.
func (c *Cache[V]) put(hash uint64, token string, v *V, valueBytes int, expiry time.Time, owner uint64) {
	now := seconds(c.now())
	s := &c.shards[hash>>c.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(record[V]{
		token:  token,
		value:  v,
		hash:   uint32(hash),
		expiry: expirySeconds(expiry),
		owner:  uint16(maphash.Comparable(c.seed, owner)),
	}, valueBytes, now)
}

// DeleteFunc drops every value that match reports true for. It visits all of
// them, holding up at most the Puts and Deletes of one shard at a time and no
// Get; match must not call the cache. A value put meanwhile may escape it.
func (c *Cache[V]) DeleteFunc(match func(*V) bool) {
	if c == nil {
		return
	}
	for i := range c.shards {
		c.shards[i].deleteFunc(match)
	}
}
