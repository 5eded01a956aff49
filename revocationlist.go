package oidcauth

import (
	"container/heap"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
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

	mu         sync.RWMutex // guards what follows
	incomplete bool         // and complete ones are required: refuse everything
	closed     bool
	entries    map[entryKey][]*revocationEntry
	byEnd      entryQueue
	timer      *time.Timer // drops what is over; nil until needed
}

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
	place int // in the queue
}

func newRevocationList(now func() time.Time, incomplete bool) *revocationList {
	l := &revocationList{now: now, incomplete: incomplete, entries: make(map[entryKey][]*revocationEntry)}
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
		return refuse(checkRevocation, ErrClosed, "", "")
	}
	if l.incomplete {
		return refuse(checkRevocation, ErrRevocationsUnavailable, "", "")
	}
	if e := l.find(c, k, now); e != nil {
		return refuse(checkRevocation, ErrRevoked, e.describe(), "")
	}
	if k == c.key {
		c.unrevoked.Store(generation)
	}
	return nil
}

// find returns a revocation of the claims, or nil. The lock must be held.
func (l *revocationList) find(c *Claims, k *keyset.Key, now time.Time) *revocationEntry {
	for _, key := range [...]entryKey{
		{entryTokenID, c.tokenID}, {entrySessionID, c.sessionID}, {entrySubject, c.subject},
		{entrySubject, c.subjectClaim()}, {entryKeyID, k.ID()}, {entryKeyID, c.seller.key()}, {entryIssuer, c.issuer}, {},
	} {
		if key.value == "" && key.field != entryAny {
			continue
		}
		for _, e := range l.entries[key] {
			if now.Before(e.Until) && e.matches(c, k) {
				return e
			}
		}
	}
	return nil
}

// add makes a revocation hold. It reports whether it revokes anything that was
// not revoked before. What it makes superfluous is dropped.
func (l *revocationList) add(r Revocation) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := keyOf(&r)
	same := r.pattern()
	for _, e := range l.entries[key] {
		if e.pattern() == same && e.covers(&r) {
			return false
		}
	}
	if l.closed || !l.now().Before(r.Until) {
		return false
	}
	for _, e := range slices.Clone(l.entries[key]) {
		if e.pattern() == same && r.covers(&e.Revocation) {
			l.drop(e)
		}
	}
	e := &revocationEntry{Revocation: r}
	l.entries[key] = append(l.entries[key], e)
	heap.Push(&l.byEnd, e)
	if e.place == 0 {
		l.arm()
	}
	l.generation.Add(1)
	return true
}

// drop forgets a revocation. The lock must be held.
func (l *revocationList) drop(e *revocationEntry) {
	key := keyOf(&e.Revocation)
	rest := slices.DeleteFunc(l.entries[key], func(other *revocationEntry) bool { return other == e })
	if len(rest) == 0 {
		delete(l.entries, key)
	} else {
		l.entries[key] = rest
	}
	heap.Remove(&l.byEnd, e.place)
}

// arm sets the timer for the first revocation that ends. The lock must be held.
func (l *revocationList) arm() {
	if len(l.byEnd) == 0 || l.closed {
		return
	}
	wait := min(max(l.byEnd[0].Until.Sub(l.now()), minWait), maxWait)
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.sweep)
		return
	}
	l.timer.Reset(wait)
}

// sweep drops the revocations that are over.
func (l *revocationList) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	for len(l.byEnd) > 0 && !now.Before(l.byEnd[0].Until) {
		l.drop(l.byEnd[0])
	}
	l.arm()
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

// size returns the number of revocations held.
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

// An entryQueue has the revocation that ends first at its front.
type entryQueue []*revocationEntry

func (q entryQueue) Len() int           { return len(q) }
func (q entryQueue) Less(i, j int) bool { return q[i].Until.Before(q[j].Until) }
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
