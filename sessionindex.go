package oidcauth

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/alarm"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

// A dimension is a property by which sessions are found.
type dimension int

const (
	byTokenID dimension = iota
	bySessionID
	bySubject
	bySubjectClaim
	byKey
	dimensions
)

// A sessionIndex holds the live sessions of an [Authenticator], so that a
// revocation or a removed key finds those it ends without a look at the others.
//
// For each property it keeps lists of the sessions that have the same value,
// threaded through the sessions themselves. Lists are found by a hash of the
// value: two values may share one, so what is found there is a candidate.
type sessionIndex struct {
	now     func() time.Time
	expired func(*Session, time.Time) error // the refusal of its claims at that time
	seed    maphash.Seed

	mu     sync.Mutex // guards what follows, and what the sessions say it guards
	closed error      // why every session ends, or nil
	lists  [dimensions]map[uint64]*Session
	count  int
	alarms *alarm.Clock[due]
}

// due is what an alarm is for: the end of a session, or a warning before it.
type due struct {
	session *Session
	warning *warning // nil for the end
}

// A link is a session's place in the list of one dimension.
type link struct{ prev, next *Session }

func newSessionIndex(now func() time.Time) *sessionIndex {
	x := &sessionIndex{now: now, seed: maphash.MakeSeed()}
	for d := range x.lists {
		x.lists[d] = make(map[uint64]*Session)
	}
	x.alarms = alarm.New(now, x.ring)
	return x
}

func (x *sessionIndex) hash(text string) uint64 { return maphash.String(x.seed, text) }

func (x *sessionIndex) hashKey(k *keyset.Key) uint64 { return maphash.Comparable(x.seed, k) }

// places calls do for every list that a session with these claims is on.
func (x *sessionIndex) places(c *Claims, k *keyset.Key, do func(dimension, uint64)) {
	for d, text := range [...]string{
		byTokenID: c.record.TokenID, bySessionID: c.record.SessionID, bySubject: c.record.Subject, bySubjectClaim: c.record.SubjectClaim(),
	} {
		if text != "" {
			do(dimension(d), x.hash(text))
		}
	}
	do(byKey, x.hashKey(k))
}

// add makes a session findable. If the index is closed, the session ends.
func (x *sessionIndex) add(s *Session, c *Claims) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed != nil {
		s.cause = x.closed
		return
	}
	x.count++
	s.live = true
	c.trust.Keys.Hold()
	x.enlist(s, c)
}

// link puts a session on a list. The lock must be held.
func (x *sessionIndex) link(s *Session, d dimension, hash uint64) {
	next := x.lists[d][hash]
	s.links[d] = link{next: next}
	if next != nil {
		next.links[d].prev = s
	}
	x.lists[d][hash] = s
}

// unlink takes a session off a list. The lock must be held.
func (x *sessionIndex) unlink(s *Session, d dimension, hash uint64) {
	l := s.links[d]
	if l.next != nil {
		l.next.links[d].prev = l.prev
	}
	switch {
	case l.prev != nil:
		l.prev.links[d].next = l.next
	case l.next != nil:
		x.lists[d][hash] = l.next
	default:
		delete(x.lists[d], hash)
	}
	s.links[d] = link{}
}

// enlist puts a session on the lists that its claims and key demand, and sets
// its alarms. The lock must be held.
func (x *sessionIndex) enlist(s *Session, c *Claims) {
	x.places(c, s.key.Load(), func(d dimension, hash uint64) { x.link(s, d, hash) })
	if c.record.NeverExpires {
		return
	}
	end := x.end(c)
	x.alarms.Set(&s.end, end)
	for _, w := range s.warnings {
		x.alarms.Set(&w.alarm, end.Add(-w.before))
	}
}

// end returns when claims that expire are accepted no longer.
func (x *sessionIndex) end(c *Claims) time.Time { return c.record.Expiry.Time().Add(c.trust.Leeway) }

// ring ends the sessions that have expired and gives the warnings that are due.
// A session may have been renewed since its alarm was set.
func (x *sessionIndex) ring(now time.Time, batch []due) {
	var ended []*Session
	var cause error // one for all, as they expired in one instant
	x.mu.Lock()
	for _, d := range batch {
		s := d.session
		if !s.live || !x.isDue(d, now) {
			continue
		}
		if d.warning != nil {
			go d.warning.call()
			continue
		}
		if cause == nil {
			cause = x.expired(s, now)
		}
		x.remove(s, cause)
		ended = append(ended, s)
	}
	x.mu.Unlock()
	for _, s := range ended {
		s.cancel(cause)
	}
}

// isDue reports whether what an alarm was set for has come, by the claims that
// the session has now. The lock must be held.
func (x *sessionIndex) isDue(d due, now time.Time) bool {
	c := d.session.claims.Load()
	if c.record.NeverExpires {
		return false
	}
	at := x.end(c)
	if d.warning != nil {
		at = at.Add(-d.warning.before)
	}
	return !now.Before(at)
}

// delist is the opposite of enlist. The lock must be held.
func (x *sessionIndex) delist(s *Session) {
	x.places(s.claims.Load(), s.key.Load(), func(d dimension, hash uint64) { x.unlink(s, d, hash) })
	x.alarms.Unset(&s.end)
	for _, w := range s.warnings {
		x.alarms.Unset(&w.alarm)
	}
}

// remove ends a live session as far as the index is concerned; its context
// ends with s.cancel. The lock must be held.
func (x *sessionIndex) remove(s *Session, cause error) {
	x.delist(s)
	x.count--
	s.live, s.cause, s.warnings = false, cause, nil
	s.claims.Load().trust.Keys.Release()
}

// replace gives a live session other claims. It returns why the session has
// ended, if it has.
func (x *sessionIndex) replace(s *Session, c *Claims, k *keyset.Key) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !s.live {
		return s.cause
	}
	x.delist(s)
	// The trust in one issuer is made anew when it was dropped in between.
	c.trust.Keys.Hold()
	s.claims.Load().trust.Keys.Release()
	s.key.Store(k)
	s.claims.Store(c)
	x.enlist(s, c)
	return nil
}

// stop ends a session unless it has ended, or unless in the meantime it became
// one that need not end. When it returns, the session's context says so.
func (x *sessionIndex) stop(s *Session, cause error, must func(*Claims, *keyset.Key) bool) {
	x.mu.Lock()
	if s.live && (must == nil || must(s.claims.Load(), s.key.Load())) {
		x.remove(s, cause)
	}
	live, cause := s.live, s.cause
	x.mu.Unlock()
	if !live {
		s.cancel(cause)
	}
}

// rekey moves a live session from one key to its successor.
func (x *sessionIndex) rekey(s *Session, from, to *keyset.Key) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !s.live || s.key.Load() != from {
		return
	}
	x.unlink(s, byKey, x.hashKey(from))
	s.key.Store(to)
	x.link(s, byKey, x.hashKey(to))
}

// list returns the sessions on one list.
func (x *sessionIndex) list(d dimension, hash uint64) []*Session {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*Session
	for s := x.lists[d][hash]; s != nil; s = s.links[d].next {
		found = append(found, s)
	}
	return found
}

// all returns every session whose key wanted reports true for.
func (x *sessionIndex) all(wanted func(*Session) bool) []*Session {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*Session
	for _, s := range x.lists[byKey] {
		for ; s != nil; s = s.links[byKey].next {
			if wanted(s) {
				found = append(found, s)
			}
		}
	}
	return found
}

// close ends all sessions, and those that are added later.
func (x *sessionIndex) close(cause error) {
	x.mu.Lock()
	if x.closed == nil {
		x.closed = cause
	}
	x.mu.Unlock()
	for _, s := range x.all(func(*Session) bool { return true }) {
		x.stop(s, cause, nil)
	}
}
