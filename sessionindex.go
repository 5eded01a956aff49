package oidcauth

import (
	"hash/maphash"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/alarm"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/supplement"
)

// A dimension is a property by which grants are found.
type dimension int

const (
	byTokenID dimension = iota
	bySessionID
	bySubject
	bySubjectClaim
	byIssuer
	byKey
	dimensions
)

const (
	// indexShards is how many parts the index has. Whoever looks through all
	// grants holds up others for one part at a time.
	indexShards = 64

	// endBatch is how many sessions of a grant are ended at a time, between two
	// holds of the shard's lock.
	endBatch = 64

	// grantsPerPart is how many grants one goroutine ends at least, of more.
	grantsPerPart = 256

	// roomyList is the length of a list of sessions from which on it is made shorter
	// when most of it is empty.
	roomyList = 32

	// shareSteps is how far a list is searched for a grant of the same claims. To
	// share one only saves memory.
	shareSteps = 8
)

// A grant is what sessions live by: the claims of one token, and the key that
// stands for the claims' own now. All sessions under the same claims share one.
type grant struct {
	claims *Claims
	key    atomic.Pointer[keyset.Key] // stored under the shard's lock
	expiry alarm.Alarm[*grant]        // unless the claims never expire
	again  *askedAgain                // about an opaque token; else nil

	// The lock of the shard guards what follows.
	links    [dimensions]link
	sessions []*Session // that live by it; each knows its place
	users    int32      // these sessions, and those that are about to join them
	kept     bool       // in the index
	ended    bool       // no session enters any more
	place    uint8      // of the shard; never changes
}

// An askedAgain says when the issuer is asked again about an opaque token, and when for the
// last time if there is no answer, for whatever reason.
type askedAgain struct {
	alarm.Alarm[*grant]
	last time.Time // never changes
}

// end returns when the sessions end without an answer: when the last question has had its
// time.
func (a *askedAgain) end() time.Time { return a.last.Add(supplement.Timeout) }

// A link is a grant's place in the list of one dimension.
type link struct{ prev, next *grant }

// A sessionIndex holds the grants that live sessions of an [Authenticator] live
// by, so that a revocation or a removed key finds those it ends without a look at
// the others.
//
// For each property it keeps lists of the grants that have the same value,
// threaded through the grants themselves. Lists are found by a hash of the
// value: two values may share one, so what is found there is a candidate.
//
// A grant stays in the index until the last of its sessions has ended, so that
// whoever finds no session to end may rely on it. The lock of a session may be
// held while that of a shard is taken, and never the other way round.
type sessionIndex struct {
	expired  func(*Claims, time.Time) error // the refusal of claims at that time
	seed     maphash.Seed
	expiries *alarm.Clock[*grant]
	warnings *alarm.Clock[*warning]
	again    *alarm.Clock[*grant] // by the system's clocks, whatever now is
	ask      func(*grant)         // has an issuer asked again, and does not wait
	shards   [indexShards]indexShard
}

// An indexShard is the part of the index for some of the claims.
type indexShard struct {
	mu     sync.Mutex // guards what follows, and what grants and sessions say it guards
	closed error      // why every session ends, or nil
	lists  [dimensions]map[uint64]*grant
}

func newSessionIndex(now func() time.Time) *sessionIndex {
	x := &sessionIndex{seed: maphash.MakeSeed()}
	x.expiries = alarm.New(now, x.expire)
	x.warnings = alarm.New(now, func(now time.Time, due []*warning) {
		for _, w := range due {
			w.warn(now)
		}
	})
	x.again = alarm.New(time.Now, func(_ time.Time, due []*grant) {
		for _, g := range due {
			x.ask(g)
		}
	})
	return x
}

func (x *sessionIndex) hash(text string) uint64 { return maphash.String(x.seed, text) }

func (x *sessionIndex) hashKey(k *keyset.Key) uint64 { return maphash.Comparable(x.seed, k) }

// newGrant returns a grant of claims, which nobody can find yet.
func (x *sessionIndex) newGrant(c *Claims, place uint8) *grant {
	g := &grant{claims: c, place: place}
	g.key.Store(c.currentKey())
	return g
}

// shard returns the shard that a grant is kept in.
func (x *sessionIndex) shard(g *grant) *indexShard { return &x.shards[g.place] }

// lists calls do for every list that a grant is on.
func (x *sessionIndex) lists(g *grant, do func(dimension, uint64)) {
	r := &g.claims.record
	for d, text := range [...]string{
		byTokenID: r.TokenID, bySessionID: r.SessionID, bySubject: r.Subject, bySubjectClaim: g.claims.subjectClaim(),
		byIssuer: r.Issuer,
	} {
		if text != "" {
			do(dimension(d), x.hash(text))
		}
	}
	do(byKey, x.hashKey(g.key.Load()))
}

// pin returns a grant for claims that is in the index, and stays so at least until
// it is unpinned or ended. If the index is closed, the error says why. It is for a session
// that lives by another grant until now, or, with nil, for one that begins.
func (x *sessionIndex) pin(c *Claims, from *grant) (*grant, error) {
	place := uint8(maphash.Comparable(x.seed, c) % indexShards)
	sh := &x.shards[place]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.closed != nil {
		return nil, sh.closed
	}
	g := x.find(sh, c)
	if g == nil {
		g = x.newGrant(c, place)
		x.enlist(sh, g, from)
	}
	g.users++
	return g, nil
}

// unpin ends what pin began.
func (x *sessionIndex) unpin(g *grant) {
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g.users--
	x.dropUnused(sh, g)
}

// find returns a grant of claims that sessions may enter. The lock must be held.
func (x *sessionIndex) find(sh *indexShard, c *Claims) *grant {
	d, text := byTokenID, c.record.TokenID
	if text == "" {
		d, text = bySubject, c.record.Subject
	}
	g := sh.lists[d][x.hash(text)]
	for range shareSteps {
		if g == nil || g.claims == c && !g.ended {
			return g
		}
		g = g.links[d].next
	}
	return nil
}

// enter lets a session live by a grant that is pinned, and no longer by the one
// before, unless the grant has ended. The session's lock must be held.
func (x *sessionIndex) enter(s *Session, g *grant) bool {
	from := s.grant.Load()
	if from == nil {
		from = g
	}
	x.lock(from, g)
	defer x.unlock(from, g)
	if g.ended {
		return false
	}
	if from.unlink(s) {
		x.dropUnused(x.shard(from), from)
	}
	s.place = int32(len(g.sessions))
	g.sessions = append(g.sessions, s)
	g.users++
	s.grant.Store(g)
	return true
}

// lock takes the locks of the shards of two grants, which may be one.
func (x *sessionIndex) lock(a, b *grant) {
	x.shards[min(a.place, b.place)].mu.Lock()
	if a.place != b.place {
		x.shards[max(a.place, b.place)].mu.Lock()
	}
}

func (x *sessionIndex) unlock(a, b *grant) {
	x.shard(a).mu.Unlock()
	if a.place != b.place {
		x.shard(b).mu.Unlock()
	}
}

// leave takes a session that has ended off its grant. The session's lock must be
// held.
func (x *sessionIndex) leave(s *Session, g *grant) {
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if g.unlink(s) {
		x.dropUnused(sh, g)
	}
}

// unlink takes a session off those that live by the grant, if it is there. The
// shard's lock must be held.
func (g *grant) unlink(s *Session) bool {
	all := g.sessions
	if int(s.place) >= len(all) || all[s.place] != s {
		return false
	}
	last := len(all) - 1
	all[s.place], all[last].place = all[last], s.place
	all[last] = nil
	g.sessions = all[:last]
	if cap(all) > roomyList && last < cap(all)/4 {
		g.sessions = append(make([]*Session, 0, cap(all)/2), g.sessions...)
	}
	g.users--
	return true
}

// end ends all sessions that live by a grant. When it returns, the contexts of all
// say so, also where somebody else ends the same grant meanwhile.
func (x *sessionIndex) end(g *grant, cause error) {
	sh := x.shard(g)
	var room [endBatch]*Session
	for batch := room[:0]; ; {
		sh.mu.Lock()
		g.ended = true
		for _, s := range batch {
			g.unlink(s)
		}
		batch = append(batch[:0], g.sessions[max(0, len(g.sessions)-endBatch):]...)
		if len(batch) == 0 {
			x.delist(sh, g)
			sh.mu.Unlock()
			return
		}
		sh.mu.Unlock()
		touch(batch)
		batch = slices.DeleteFunc(batch, func(s *Session) bool { return !s.endUnder(g, cause) })
	}
}

// touch has what ending sessions waits for come from memory: all of them at once, for
// the processor need not wait for one to ask for the next.
func touch(batch []*Session) {
	for _, s := range batch {
		_ = s.grant.Load()
	}
	for _, s := range batch {
		s.ctx.Err()
	}
}

// shut lets no session enter a grant any more, and returns those that live by it.
func (x *sessionIndex) shut(g *grant) []*Session {
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g.ended = true
	return slices.Clone(g.sessions)
}

// endAll ends all sessions that live by grants, on several processors where there
// are many. What takes the time is to fetch the contexts from memory.
func (x *sessionIndex) endAll(all []*grant, cause error) {
	var parts sync.WaitGroup
	for part := range slices.Chunk(all, max(grantsPerPart, len(all)/runtime.GOMAXPROCS(0))) {
		parts.Go(func() {
			for _, g := range part {
				x.end(g, cause)
			}
		})
	}
	parts.Wait()
}

// expire ends the sessions whose claims have expired.
func (x *sessionIndex) expire(now time.Time, due []*grant) {
	var cause error
	var last *Claims
	for _, g := range due {
		// One refusal for all of a description: they end at one instant, so that they expire at one.
		if c := g.claims; last == nil || c.trust != last.trust {
			cause, last = x.expired(c, now), c
		}
		x.end(g, cause)
	}
}

// endOf returns when claims that expire are accepted no longer.
func endOf(c *Claims) time.Time { return c.record.Expiry.Time().Add(c.trust.Leeway) }

// enlist puts a grant into the index, for a session that comes from another. The lock must
// be held.
func (x *sessionIndex) enlist(sh *indexShard, g, from *grant) {
	g.kept = true
	g.claims.trust.Keys.Hold()
	x.lists(g, func(d dimension, hash uint64) { sh.link(g, d, hash) })
	if !g.claims.record.NeverExpires {
		g.expiry.For = g
		x.expiries.Set(&g.expiry, endOf(g.claims))
	}
	if g.claims.answered != nil {
		g.again = &askedAgain{last: from.lastQuestion(g.claims)}
		g.again.For = g
		x.again.Set(&g.again.Alarm, g.claims.askAgainAt())
	}
}

// lastQuestion returns when the issuer is asked for the last time about claims by which a
// session lives next that comes from the grant, nil for none. Of the same answer it has had
// its questions by that, and gets no time beyond: else it would live for ever where its
// description changes more often than its issuer answers.
func (g *grant) lastQuestion(next *Claims) time.Time {
	last := next.lastQuestion()
	if g != nil && g.again != nil && g.claims.answered.isSame(next.answered) && g.again.last.Before(last) {
		return g.again.last
	}
	return last
}

// askLater has the issuer asked again about the token of a grant, if any session lives
// by it still. Once these have to end, that is due at the latest.
func (x *sessionIndex) askLater(g *grant, at time.Time) {
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if end := g.again.end(); at.After(end) {
		at = end
	}
	if g.kept {
		x.again.Set(&g.again.Alarm, at)
	}
}

// dropUnused takes a grant out of the index that nobody lives by. The lock must be
// held.
func (x *sessionIndex) dropUnused(sh *indexShard, g *grant) {
	if g.users == 0 {
		x.delist(sh, g)
	}
}

// delist takes a grant out of the index. The lock must be held.
func (x *sessionIndex) delist(sh *indexShard, g *grant) {
	if !g.kept {
		return
	}
	g.kept = false
	x.lists(g, func(d dimension, hash uint64) { sh.unlink(g, d, hash) })
	x.expiries.Unset(&g.expiry)
	if g.again != nil {
		x.again.Unset(&g.again.Alarm)
	}
	g.claims.trust.Keys.Release()
}

// link puts a grant on a list. The lock must be held.
func (sh *indexShard) link(g *grant, d dimension, hash uint64) {
	if sh.lists[d] == nil {
		sh.lists[d] = make(map[uint64]*grant)
	}
	next := sh.lists[d][hash]
	g.links[d] = link{next: next}
	if next != nil {
		next.links[d].prev = g
	}
	sh.lists[d][hash] = g
}

// unlink takes a grant off a list. The lock must be held.
func (sh *indexShard) unlink(g *grant, d dimension, hash uint64) {
	l := g.links[d]
	if l.next != nil {
		l.next.links[d].prev = l.prev
	}
	switch {
	case l.prev != nil:
		l.prev.links[d].next = l.next
	case l.next != nil:
		sh.lists[d][hash] = l.next
	default:
		delete(sh.lists[d], hash)
	}
	g.links[d] = link{}
}

// follow moves a grant from a key that left its set to the one that took its
// place. It reports whether there is another key than before.
func (x *sessionIndex) follow(g *grant, from *keyset.Key) bool {
	to := g.claims.nextKey(from)
	if to == nil || to == from {
		return false
	}
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if g.key.Load() != from {
		return true
	}
	if g.kept {
		sh.unlink(g, byKey, x.hashKey(from))
		sh.link(g, byKey, x.hashKey(to))
	}
	g.key.Store(to)
	return true
}

// walk yields the grants that gather finds in each shard, one shard after the
// other, and holds no lock meanwhile. Gather is called with the lock.
func (x *sessionIndex) walk(gather func(sh *indexShard, found []*grant) []*grant) iter.Seq[*grant] {
	return func(yield func(*grant) bool) {
		var found []*grant
		for i := range x.shards {
			sh := &x.shards[i]
			sh.mu.Lock()
			found = gather(sh, found[:0])
			sh.mu.Unlock()
			for _, g := range found {
				if !yield(g) {
					return
				}
			}
		}
	}
}

// list returns the grants that have a value in one of the dimensions.
func (x *sessionIndex) list(hash uint64, dimensions ...dimension) iter.Seq[*grant] {
	return x.walk(func(sh *indexShard, found []*grant) []*grant {
		for _, d := range dimensions {
			found = appendList(found, sh.lists[d][hash], d)
		}
		return found
	})
}

// all returns every grant.
func (x *sessionIndex) all() iter.Seq[*grant] {
	return x.walk(func(sh *indexShard, found []*grant) []*grant {
		for _, first := range sh.lists[byKey] {
			found = appendList(found, first, byKey)
		}
		return found
	})
}

func appendList(found []*grant, g *grant, d dimension) []*grant {
	for ; g != nil; g = g.links[d].next {
		found = append(found, g)
	}
	return found
}

// count returns how many sessions live by a grant.
func (x *sessionIndex) count(g *grant) int {
	sh := x.shard(g)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return int(g.users)
}

// close ends all sessions, and those that are to begin later.
func (x *sessionIndex) close(cause error) {
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		sh.closed = cause
		sh.mu.Unlock()
	}
	x.endAll(slices.Collect(x.all()), cause)
}
