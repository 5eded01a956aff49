package revoked

import (
	"container/heap"
	"context"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Config is what a [List] and its [Follower] need to know of those whose tokens
// they are about. All functions are needed and must be safe for concurrent use.
type Config struct {
	Now    func() time.Time // the clock that revocations end by
	Logger *slog.Logger

	// Incomplete says that revocations are missing at first: everything is refused
	// until a follower has them all.
	Incomplete bool

	// Revoked is called for revocations that hold from now on, one at least and all that
	// came about at once: it ends whatever lives under a token that any of them matches.
	Revoked func(all []Revocation)

	// Lost is called when everything is refused from now on because revocations
	// may be missing: it ends whatever lives under any token.
	Lost func()
}

// A List is the revocations that hold in this process. It is safe for concurrent
// use.
//
// A token that was found not to be revoked need not be looked up again until
// there is a new revocation: its [Mark] remembers the generation of the list,
// which each addition raises, and an unchanged list costs a look at that.
type List struct {
	cfg        Config
	generation atomic.Uint64 // zero means that there never was anything to look up

	clock wallClock

	mu                        sync.RWMutex // guards what follows
	incomplete                bool         // and complete ones are required: refuse everything
	closed                    bool
	entries                   map[entryKey][]*entry
	byEnd                     entryQueue
	timer                     *time.Timer    // drops what is over; nil until needed
	late                      []*entry       // those that were over on arrival, in that order
	dropped                   time.Duration  // the greatest offset of the clock by which any was dropped
	logouts                   map[string]int // how many of an issuer's can be evicted
	maxLogouts                int            // of these
	allLogouts, maxAllLogouts int            // of all issuers
	tooManyLogouts            int            // when there are more than this, some are replaced
}

// A Mark is the generation of a [List] in which a token was last looked up in
// vain. The zero value is a token's that never was.
type Mark struct{ generation atomic.Uint64 }

// By returns the name of the most telling thing that a revocation matches by.
func (r *Revocation) By() string { return fieldNames[keyOf(r).field] }

// An entryKey finds revocations by the one most telling thing that they match, with the
// issuer that gave it: what other issuers call their sessions and subjects, of whom there
// may be any number, is not looked through.
type entryKey struct {
	field  entryField
	value  string
	issuer string // of a token, a session or a subject; empty where a revocation names none
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

var fieldNames = [...]string{"time", "token", "session", "subject", "key", "issuer"}

type entry struct {
	Revocation
	keeping  keeping
	place    int  // in the queue; negative once dropped
	replaces bool // see boundLogouts: logouts that are not kept any more
}

// NewList returns an empty list.
func NewList(cfg Config) *List {
	l := &List{
		cfg: cfg, clock: wallClock(time.Now()), incomplete: cfg.Incomplete,
		entries: make(map[entryKey][]*entry), dropped: nothingDropped,
		logouts: make(map[string]int), maxLogouts: math.MaxInt, maxAllLogouts: math.MaxInt, tooManyLogouts: math.MaxInt,
	}
	if cfg.Incomplete {
		l.generation.Store(1)
	}
	return l
}

func keyOf(r *Revocation) entryKey {
	name, _, _ := strings.Cut(r.Issuer, "|")
	switch {
	case r.TokenID != "":
		return entryKey{entryTokenID, r.TokenID, name}
	case r.SessionID != "":
		return entryKey{entrySessionID, r.SessionID, name}
	case r.Subject != "":
		return entryKey{entrySubject, r.Subject, name}
	case r.KeyID != "":
		return entryKey{field: entryKeyID, value: r.KeyID}
	case r.Issuer != "":
		return entryKey{field: entryIssuer, value: name}
	}
	return entryKey{}
}

// Unchanged reports whether nothing has happened since the token of the mark was
// found not to be revoked, so that it need not be checked again.
func (l *List) Unchanged(m *Mark) bool { return m.generation.Load() == l.generation.Load() }

// Check returns the refusal of a token that is revoked. Where it is not, and will
// not be until the list changes, it sets the mark, which may be nil.
func (l *List) Check(t *Token, now time.Time, m *Mark) error {
	generation := l.generation.Load()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return refusal.New(refusal.Revocation, refusal.ErrClosed, "", "")
	}
	if l.incomplete {
		return refusal.New(refusal.Revocation, refusal.ErrRevocationsUnavailable, "", "")
	}
	e, lasting := l.find(t, now)
	if e != nil {
		return refusal.New(refusal.Revocation, refusal.ErrRevoked, e.Describe(), "")
	}
	if m != nil && lasting {
		m.generation.Store(generation)
	}
	return nil
}

// find returns a revocation of the token, or nil. That there is none is lasting
// unless there is one which is over: the clock may go back. The lock must be held.
func (l *List) find(t *Token, now time.Time) (found *entry, lasting bool) {
	lasting = true
	for _, issuer := range [...]string{"", t.Issuer} {
		if found := l.findOf(issuer, t, now, &lasting); found != nil {
			return found, false
		}
	}
	for _, alias := range t.Aliases {
		if found := l.findOf(alias, t, now, &lasting); found != nil {
			return found, false
		}
	}
	for _, key := range [...]entryKey{{field: entryKeyID, value: t.KeyID}, {field: entryKeyID, value: t.Seller.KeyID}, {}} {
		if found := l.findBy(key, t, now, &lasting); found != nil {
			return found, false
		}
	}
	return nil, lasting
}

// findOf is find among the revocations that name an issuer, or those that name none.
func (l *List) findOf(issuer string, t *Token, now time.Time, lasting *bool) *entry {
	for _, key := range [...]entryKey{
		{entryTokenID, t.TokenID, issuer}, {entrySessionID, t.SessionID, issuer},
		{entrySubject, t.Subject, issuer}, {entrySubject, t.SubjectClaim, issuer}, {field: entryIssuer, value: issuer},
	} {
		if found := l.findBy(key, t, now, lasting); found != nil {
			return found
		}
	}
	return nil
}

// findBy is find among the revocations that are found by one thing. Lasting becomes
// false if one of them is over.
func (l *List) findBy(key entryKey, t *Token, now time.Time, lasting *bool) *entry {
	if key.value == "" && key.field != entryAny {
		return nil
	}
	for _, e := range l.entries[key] {
		if !e.Matches(t) {
			continue
		}
		if now.Before(e.Until) {
			return e
		}
		*lasting = false
	}
	return nil
}

// Add makes a revocation hold in this process, and another if there is one that
// takes the place of many. One that is over by the clock is kept for a while all
// the same: the clock may be ahead. It reports whether the revocation was added.
// If not, what it revokes may not have ended yet: whoever added one that covers it
// may still be at work.
func (l *List) Add(r Revocation) (added bool) {
	added, cutoffs := l.add(r)
	if added {
		l.announce([]Revocation{r})
	}
	l.announceCutoffs(cutoffs)
	return added
}

// announceCutoffs has what lives under cutoffs ended, and says so: more is than was logged
// out. They are announced together: there may be one for each of very many issuers, and
// all that lives is looked through for them.
func (l *List) announceCutoffs(cutoffs []Revocation) {
	for i := range cutoffs {
		c := &cutoffs[i]
		l.cfg.Logger.LogAttrs(context.Background(), slog.LevelWarn, "too many logouts are kept: earlier tokens of the issuer are refused",
			slog.String("issuer", c.Issuer), slog.Time("issued_before", c.IssuedBefore))
	}
	l.announce(cutoffs)
}

// announce has what lives under the tokens of revocations ended, of those that are not
// over.
func (l *List) announce(all []Revocation) {
	now := l.cfg.Now()
	inForce := slices.DeleteFunc(all, func(r Revocation) bool { return !now.Before(r.Until) })
	if len(inForce) > 0 {
		l.cfg.Revoked(inForce)
	}
}

// add puts a revocation into the list. It reports whether it revokes anything that
// was not revoked before. What it makes superfluous is dropped. Cutoffs are further
// revocations that hold from now on.
func (l *List) add(r Revocation) (added bool, cutoffs []Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	if l.closed || l.isCutOff(&r) || !l.insert(r, now, false) {
		return false, nil
	}
	cutoffs = l.boundLogouts(r.Issuer, now)
	if l.allLogouts > l.tooManyLogouts {
		cutoffs = append(cutoffs, l.boundAllLogouts(now)...)
	}
	return true, cutoffs
}

// insert adds a revocation unless another covers it. One that replaces logouts is
// covered by another such alone. The lock must be held.
func (l *List) insert(r Revocation, now time.Time, replaces bool) bool {
	key := keyOf(&r)
	same := r.pattern()
	for _, e := range l.entries[key] {
		if e.pattern() == same && e.covers(&r) && (e.replaces || !replaces) {
			return false
		}
	}
	for _, e := range slices.Clone(l.entries[key]) {
		if e.pattern() == same && r.covers(&e.Revocation) && (replaces || !e.replaces) {
			l.drop(e)
		}
	}
	e := &entry{Revocation: r, keeping: keepUntil(r.Until, now), replaces: replaces}
	l.entries[key] = append(l.entries[key], e)
	heap.Push(&l.byEnd, e)
	l.boundLate(e, now)
	if isEvictable(&r) {
		l.logouts[r.Issuer]++
		l.allLogouts++
	}
	if e.place == 0 {
		l.arm()
	}
	l.generation.Add(1)
	return true
}

// drop takes a revocation out. The lock must be held.
func (l *List) drop(e *entry) {
	key := keyOf(&e.Revocation)
	rest := slices.DeleteFunc(l.entries[key], func(other *entry) bool { return other == e })
	if len(rest) == 0 {
		delete(l.entries, key)
	} else {
		l.entries[key] = rest
	}
	heap.Remove(&l.byEnd, e.place)
	e.place = -1
	if !isEvictable(&e.Revocation) {
		return
	}
	l.allLogouts--
	l.tooManyLogouts = max(l.maxAllLogouts, min(l.tooManyLogouts, l.someMoreLogouts()))
	if l.logouts[e.Issuer]--; l.logouts[e.Issuer] == 0 {
		delete(l.logouts, e.Issuer)
	}
}

// InForce returns the revocations that are not over.
func (l *List) InForce() []Revocation {
	now := l.cfg.Now()
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
func (l *List) setIncomplete(incomplete bool) {
	l.mu.Lock()
	if l.incomplete != incomplete {
		l.incomplete = incomplete
		l.generation.Add(1)
	}
	l.mu.Unlock()
	if incomplete {
		l.cfg.Lost()
	}
}

// Close refuses everything from now on.
func (l *List) Close() {
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
