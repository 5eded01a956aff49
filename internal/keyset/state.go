package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/jws"
)

// State is where a [Set] stands.
type State int

const (
	// None means that there are no keys, and no failure: nobody has asked
	// yet, or nobody has for so long that the keys were dropped, or the issuer
	// has not published a usable one yet.
	None State = iota
	// Fresh means that the keys were confirmed within their lifetime, or that
	// nobody has needed them to be.
	Fresh
	// Stale means that the keys are past their lifetime and refreshing them
	// fails, or that they come from the cache directory and have not been
	// confirmed yet. They serve all the same.
	Stale
	// Gone means that there are no keys and that fetching them fails, or that
	// the issuer does not publish a usable one any more.
	Gone
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case None:
		return "none"
	case Fresh:
		return "fresh"
	case Stale:
		return "stale"
	case Gone:
		return "gone"
	}
	return "unknown"
}

const (
	// StaleLimit is how long keys serve after they were last confirmed.
	StaleLimit = 24 * time.Hour

	minLifetime     = 5 * time.Minute
	maxLifetime     = 24 * time.Hour
	defaultLifetime = time.Hour
	touchInterval   = time.Minute
	forever         = 1<<63 - 1
)

// snapshot is what readers see: one answer of the issuer, never changed after
// it was stored.
type snapshot struct {
	keys    []*Key
	first   []*Key            // the candidates of a token without key ID, maxCandidates of each kind
	byID    map[string][]*Key // of each key ID, maxCandidates of each kind
	skipped []Skipped

	// lookup is the number of the last look-up that ended here, lookedUp when it
	// began. A refresh does not count: a cache on the way may have answered it.
	lookup   uint64
	lookedUp time.Time

	// The keys serve until the first of these: the monotonic clock stands still
	// while a machine sleeps, and the wall clock can be set back.
	limit     time.Duration // since the set's base
	wallLimit int64         // nanoseconds since 1970

	url        string
	etag       string
	maxAge     time.Duration
	hasMaxAge  bool
	lifetime   time.Duration
	fetched    time.Time // when the keys were last received
	confirmed  time.Time // when the issuer last said that they are its keys
	freshUntil time.Time
	stored     bool // from the cache directory, not confirmed yet
}

// find returns nil when no key can be meant. It may be called on nil.
func (p *snapshot) find(keyID jws.KeyID) []*Key {
	if p == nil {
		return nil
	}
	if keyID.Has {
		return p.byID[keyID.Text]
	}
	return p.first
}

// usable reports whether there is any key. An issuer may publish none before
// anybody has signed in. It may be called on nil.
func (p *snapshot) usable() bool { return p != nil && len(p.keys) > 0 }

// index fills what is derived from keys.
func (p *snapshot) index() {
	p.byID = make(map[string][]*Key, len(p.keys))
	type group struct{ id, kind string }
	alike := make(map[group]int)
	addTo := func(list []*Key, id string, k *Key) []*Key {
		g := group{id, kindOf(k.Public())}
		if alike[g]++; alike[g] > maxCandidates {
			return list
		}
		return append(list, k)
	}
	for _, k := range p.keys {
		if id := k.ID(); id != "" {
			p.byID[id] = addTo(p.byID[id], id, k)
		}
		p.first = addTo(p.first, "", k)
	}
}

// kindOf names a key's type and curve, which tell the algorithms that it fits.
func kindOf(public crypto.PublicKey) string {
	if public, ok := public.(*ecdsa.PublicKey); ok {
		return public.Curve.Params().Name
	}
	return fmt.Sprintf("%T", public)
}

func (p *snapshot) limitAt() time.Time { return p.confirmed.Add(StaleLimit) }

// setLimit derives the limits from confirmed.
func (p *snapshot) setLimit(base time.Time) {
	p.limit = p.limitAt().Sub(base)
	p.wallLimit = p.limitAt().UnixNano()
}

// serves reports whether the keys are young enough by both clocks: at is now by
// the monotonic one, since the set's base.
func (p *snapshot) serves(at time.Duration, now time.Time) bool {
	return at < p.limit && now.UnixNano() < p.wallLimit
}

// confirm starts a new lifetime. Caching headers that a 304 leaves out stay as
// they were.
func (p *snapshot) confirm(now time.Time, base time.Time, a answer) {
	if a.hasMaxAge {
		p.maxAge, p.hasMaxAge = a.maxAge, a.hasMaxAge
	}
	if a.etag != "" {
		p.etag = a.etag
	}
	p.lifetime = lifetime(p.maxAge, p.hasMaxAge)
	p.confirmed = now
	p.freshUntil = now.Add(p.lifetime)
	p.setLimit(base)
}

func lifetime(maxAge time.Duration, has bool) time.Duration {
	if !has {
		return defaultLifetime
	}
	return min(max(maxAge, minLifetime), maxLifetime)
}

// touch notes that the issuer is in use, at most once a minute.
func (s *Set) touch(at time.Duration) {
	last := s.lastUsed.Load()
	if int64(at)-last < int64(touchInterval) || !s.lastUsed.CompareAndSwap(last, int64(at)) {
		return
	}
	s.timer.Reset(0)
}

// keptWarm reports whether keys are refreshed although nobody asks. s.mu must be held.
func (s *Set) keptWarm() bool {
	return s.warm || s.cfg.KeepWarm && s.lastUsed.Load() != neverUsed
}

// inUse reports whether background refreshes are worth their while. s.mu must be held.
func (s *Set) inUse(now time.Time) bool {
	last := s.lastUsed.Load()
	switch {
	case s.held.Load() > 0, s.keptWarm():
		return true
	case last == neverUsed:
		return false
	}
	life := time.Duration(defaultLifetime)
	if snap := s.snap.Load(); snap != nil {
		life = snap.lifetime
	}
	return now.Sub(s.base)-time.Duration(last) <= life
}

// valid returns the snapshot if it may still serve. s.mu must be held.
func (s *Set) valid(now time.Time) *snapshot {
	snap := s.snap.Load()
	if snap == nil || !snap.serves(now.Sub(s.base), now) {
		return nil
	}
	return snap
}

// expire lets go of keys that were not confirmed for too long. s.mu must be
// held.
func (s *Set) expire(now time.Time) {
	snap := s.snap.Load()
	if snap == nil || s.valid(now) != nil {
		return
	}
	s.snap.Store(nil)
	s.remove(snap.keys)
	if !s.failing() {
		s.failures, s.lastErr = 0, nil
		s.retryAt, s.refreshAt = time.Time{}, time.Time{}
		if s.keptWarm() {
			s.refreshAt = now
		}
	}
}

// remove ends trust in keys. s.mu must be held.
func (s *Set) remove(keys []*Key) {
	if len(keys) == 0 {
		return
	}
	for _, k := range keys {
		k.removed.Store(true)
		k.discard()
	}
	if hook := s.cfg.Hooks.KeysGone; hook != nil {
		s.notes = append(s.notes, func() { hook(keys) })
	}
}

// swap makes parsed the current keys. A key that was there before keeps its
// pointer; one that left is dead before the first reader sees the new set.
// It reports whether the keys changed. s.mu must be held.
func (s *Set) swap(next *snapshot, parsed []*Key) bool {
	old := map[string]*Key{}
	prev := s.snap.Load()
	if prev != nil {
		for _, k := range prev.keys {
			old[k.same] = k
		}
	}
	changed := prev == nil
	for _, k := range parsed {
		if known := old[k.same]; known != nil {
			delete(old, k.same)
			k = known
		} else {
			changed = true
		}
		next.keys = append(next.keys, k)
	}
	next.index()
	s.had = s.had || next.usable()
	var removed []*Key
	if prev != nil {
		for _, k := range prev.keys {
			if old[k.same] != nil {
				removed = append(removed, k)
			}
		}
	}
	s.remove(removed)
	s.snap.Store(next)
	return changed || len(removed) > 0
}

// reportState reports a change of state. s.mu must be held.
func (s *Set) reportState(now time.Time) {
	from, to := s.state, s.stateAt(now)
	if from == to {
		return
	}
	s.state = to
	if hook := s.cfg.Hooks.StateChanged; hook != nil {
		cause := s.lastErr
		s.notes = append(s.notes, func() { hook(from, to, cause) })
	}
}

func (s *Set) stateAt(now time.Time) State {
	snap := s.snap.Load()
	switch {
	case !snap.usable() && (s.failing() || snap != nil && s.had):
		return Gone
	case !snap.usable():
		return None
	case s.cfg.Fixed != nil:
		return Fresh
	case snap.stored, s.failing() && clocks.Reached(now, snap.freshUntil):
		return Stale
	}
	return Fresh
}

// failing reports whether a refresh that was due has failed. A failed look for
// an unknown key ID says nothing about keys that need no refresh.
func (s *Set) failing() bool {
	return s.failures > 0 && !s.lastFail.Before(s.refreshAt)
}

// Tell makes the hook calls that waited for it ([Config.Quiet]), and has none wait from
// now on.
func (s *Set) Tell() {
	s.mu.Lock()
	s.quiet = false
	s.mu.Unlock()
	s.deliver()
}

// deliver makes the hook calls that are due, in order and one at a time.
func (s *Set) deliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delivering || s.quiet {
		return
	}
	s.delivering = true
	for len(s.notes) > 0 {
		note := s.notes[0]
		s.notes = s.notes[1:]
		s.mu.Unlock()
		note()
		s.mu.Lock()
	}
	s.delivering = false
}

// adoptFixed makes the configured document the keys, for good unless [Set.Adopt]
// replaces it.
func (s *Set) adoptFixed() error {
	doc, err := s.parse(s.cfg.Fixed)
	if err != nil {
		return err
	}
	s.adopt(doc, time.Now())
	s.state = Fresh
	// In the future for ever, so that use is never noted.
	s.lastUsed.Store(forever)
	return nil
}
