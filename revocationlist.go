package oidcauth

import (
	"container/heap"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// maxWait bounds the timer that drops what is over; minWait keeps a clock that
// stands still from setting it off without pause.
const (
	maxWait = 24 * time.Hour
	minWait = time.Millisecond
)

// A revocationList is the revocations that hold in this process.
//
// A token that was found not to be revoked need not be looked up again until
// there is a new revocation: its claims remember the generation of the list,
// which each addition raises, and an unchanged list costs a look at that.
type revocationList struct {
	now        func() time.Time
	generation atomic.Uint64 // zero means that there never was anything to look up

	clock wallClock

	mu         sync.RWMutex // guards what follows
	incomplete bool         // and complete ones are required: refuse everything
	closed     bool
	entries    map[entryKey][]*revocationEntry
	byEnd      entryQueue
	timer      *time.Timer        // drops what is over; nil until needed
	late       []*revocationEntry // those that were over on arrival, in that order
	dropped    time.Duration      // the greatest offset of the clock by which any was dropped
	logouts    map[string]int     // how many of an issuer's make way for others
	most       int                // of these
}

// maxLate bounds how many revocations are kept that were over on arrival.
const maxLate = 1 << 16

// nothingDropped is less than every offset of a clock.
const nothingDropped = math.MinInt64 / 2

// An entryKey finds revocations by the one most telling thing that they match.
type entryKey struct {
	field entryField
	value string
}

type entryField int

const (
	entryAny entryField = iota // nothing but a time is set
	entryTokenID
	entrySessionID
	entrySubject
	entryKeyID
	entryIssuer
)

type revocationEntry struct {
	Revocation
	keeping keeping
	place   int // in the queue; negative once dropped
}

func newRevocationList(now func() time.Time, incomplete bool) *revocationList {
	l := &revocationList{
		now: now, clock: wallClock(time.Now()), incomplete: incomplete,
		entries: make(map[entryKey][]*revocationEntry), dropped: nothingDropped,
		logouts: make(map[string]int), most: maxLogouts,
	}
	if incomplete {
		l.generation.Store(1)
	}
	return l
}

func keyOf(r *Revocation) entryKey {
	switch {
	case r.TokenID != "":
		return entryKey{entryTokenID, r.TokenID}
	case r.SessionID != "":
		return entryKey{entrySessionID, r.SessionID}
	case r.Subject != "":
		return entryKey{entrySubject, r.Subject}
	case r.KeyID != "":
		return entryKey{entryKeyID, r.KeyID}
	case r.Issuer != "":
		return entryKey{entryIssuer, r.Issuer}
	}
	return entryKey{}
}

// check returns the refusal of claims that are revoked, under the key that
// stands for their own now.
func (l *revocationList) check(c *Claims, k *keyset.Key, now time.Time) error {
	generation := l.generation.Load()
	if c.unrevoked.Load() == generation && k == c.key {
		return nil
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return refusal.New(refusal.Revocation, ErrClosed, "", "")
	}
	if l.incomplete {
		return refusal.New(refusal.Revocation, ErrRevocationsUnavailable, "", "")
	}
	e, lasting := l.find(c, k, now)
	if e != nil {
		return refusal.New(refusal.Revocation, ErrRevoked, e.describe(), "")
	}
	if k == c.key && lasting {
		c.unrevoked.Store(generation)
	}
	return nil
}

// find returns a revocation of the claims, or nil. That there is none is lasting
// unless there is one which is over: the clock may go back. The lock must be held.
func (l *revocationList) find(c *Claims, k *keyset.Key, now time.Time) (found *revocationEntry, lasting bool) {
	lasting = true
	for _, key := range [...]entryKey{
		{entryTokenID, c.record.TokenID}, {entrySessionID, c.record.SessionID}, {entrySubject, c.record.Subject},
		{entrySubject, c.record.SubjectClaim()}, {entryKeyID, k.ID()}, {entryKeyID, c.seller.key()}, {entryIssuer, c.record.Issuer}, {},
	} {
		if key.value == "" && key.field != entryAny {
			continue
		}
		for _, e := range l.entries[key] {
			if !e.matches(c, k) {
				continue
			}
			if now.Before(e.Until) {
				return e, false
			}
			lasting = false
		}
	}
	return nil, lasting
}

// add makes a revocation hold. It reports whether it revokes anything that was
// not revoked before. What it makes superfluous is dropped. One that is over by
// the clock is kept for a while all the same: the clock may be ahead. A cutoff is
// one more revocation that holds from now on, or nil.
func (l *revocationList) add(r Revocation) (added bool, cutoff *Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.closed || l.isCutOff(&r) || !l.insert(r, now) {
		return false, nil
	}
	return true, l.boundLogouts(r.Issuer, now)
}

// insert adds a revocation unless another covers it. The lock must be held.
func (l *revocationList) insert(r Revocation, now time.Time) bool {
	key := keyOf(&r)
	same := r.pattern()
	for _, e := range l.entries[key] {
		if e.pattern() == same && e.covers(&r) {
			return false
		}
	}
	for _, e := range slices.Clone(l.entries[key]) {
		if e.pattern() == same && r.covers(&e.Revocation) {
			l.drop(e)
		}
	}
	e := &revocationEntry{Revocation: r, keeping: keepUntil(r.Until, now)}
	l.entries[key] = append(l.entries[key], e)
	heap.Push(&l.byEnd, e)
	l.boundLate(e, now)
	if makesWay(&r) {
		l.logouts[r.Issuer]++
	}
	if e.place == 0 {
		l.arm()
	}
	l.generation.Add(1)
	return true
}

// boundLate drops the first of those that were over on arrival when e makes them
// too many. The lock must be held.
func (l *revocationList) boundLate(e *revocationEntry, now time.Time) {
	if now.Before(e.keeping.until) {
		return
	}
	l.late = append(l.late, e)
	for len(l.late) > 0 && (len(l.late) > maxLate || l.late[0].place < 0) {
		if first := l.late[0]; first.place >= 0 {
			l.dropOver(first, now)
		}
		l.late = l.late[1:]
	}
}

// dropOver drops a revocation that is over, and notes by what clock it is. The
// lock must be held.
func (l *revocationList) dropOver(e *revocationEntry, now time.Time) {
	l.drop(e)
	l.dropped = max(l.dropped, l.clock.offset(now))
}

// drop takes a revocation out. The lock must be held.
func (l *revocationList) drop(e *revocationEntry) {
	key := keyOf(&e.Revocation)
	rest := slices.DeleteFunc(l.entries[key], func(other *revocationEntry) bool { return other == e })
	if len(rest) == 0 {
		delete(l.entries, key)
	} else {
		l.entries[key] = rest
	}
	heap.Remove(&l.byEnd, e.place)
	e.place = -1
	if !makesWay(&e.Revocation) {
		return
	}
	if l.logouts[e.Issuer]--; l.logouts[e.Issuer] == 0 {
		delete(l.logouts, e.Issuer)
	}
}

// arm sets the timer for the first revocation that ends. The lock must be held.
func (l *revocationList) arm() {
	if len(l.byEnd) == 0 || l.closed {
		return
	}
	wait := min(max(time.Until(l.byEnd[0].keeping.least), minWait), maxWait)
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.sweep)
		return
	}
	l.timer.Reset(wait)
}

// sweep drops the revocations that are over. Where the clock says of one that it
// is not, it is looked at again when it should be.
func (l *revocationList) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, mono := l.now(), time.Now()
	for len(l.byEnd) > 0 && !mono.Before(l.byEnd[0].keeping.least) {
		e := l.byEnd[0]
		if e.keeping.over(now, mono) {
			l.dropOver(e, now)
			continue
		}
		e.keeping.least = mono.Add(max(e.keeping.until.Sub(now), minWait))
		heap.Fix(&l.byEnd, 0)
	}
	l.arm()
}

// droppedBy returns the greatest offset of the clock by which a revocation was
// dropped since the last call of resetDropped.
func (l *revocationList) droppedBy() time.Duration {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dropped
}

// resetDropped is for a list that is about to get all revocations again.
func (l *revocationList) resetDropped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = nothingDropped
}

// inForce returns the revocations that are not over at a time.
func (l *revocationList) inForce(now time.Time) []Revocation {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []Revocation
	for _, e := range l.byEnd {
		if now.Before(e.Until) {
			list = append(list, e.Revocation)
		}
	}
	return list
}

// setIncomplete says whether everything is to be refused.
func (l *revocationList) setIncomplete(incomplete bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.incomplete != incomplete {
		l.incomplete = incomplete
		l.generation.Add(1)
	}
}

// size returns the number of revocations kept, those that are over included.
func (l *revocationList) size() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.byEnd)
}

// close refuses everything from now on.
func (l *revocationList) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.generation.Add(1)
	}
	if l.timer != nil {
		l.timer.Stop()
	}
}

// An entryQueue has the revocation at its front that is to be looked at first.
type entryQueue []*revocationEntry

func (q entryQueue) Len() int           { return len(q) }
func (q entryQueue) Less(i, j int) bool { return q[i].keeping.least.Before(q[j].keeping.least) }
func (q entryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements [heap.Interface].
func (q *entryQueue) Push(e any) {
	entry := e.(*revocationEntry)
	entry.place = len(*q)
	*q = append(*q, entry)
}

// Pop implements [heap.Interface].
func (q *entryQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
