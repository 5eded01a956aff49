package keyset

import (
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
)

const (
	coolDownTime = 10 * time.Second
	// maxAsked bounds the memory that a flood of key IDs can take. It is more than
	// the keys of a document: of so many that are asked for, some are in vain.
	maxAsked = 1024
)

// idSet is a bounded set of hashed key IDs, and of tokens where these do not tell
// them apart: hashed, because a stranger decides how long and how many they are.
type idSet struct{ ids map[uint64]struct{} }

func (i *idSet) add(id uint64) {
	if len(i.ids) >= maxAsked {
		return
	}
	if i.ids == nil {
		i.ids = map[uint64]struct{}{}
	}
	i.ids[id] = struct{}{}
}

func (i *idSet) empty() bool { return len(i.ids) == 0 }

func (i *idSet) has(id uint64) bool {
	_, ok := i.ids[id]
	return ok
}

// coolDown bounds what tokens that no key fits can cost an issuer. It starts when
// a fetch has looked for something in vain; a fetch that finds every key ID asked
// for is free, because nobody but the issuer can bring that about.
type coolDown struct {
	until   time.Time
	refused idSet // looked for in vain by the fetch that started the cool-down
	pending idSet // refused since, to be looked for at its end
	planned bool  // there will be a fetch at its end
}

func (c *coolDown) active(now time.Time) bool { return !clocks.Reached(now, c.until) }

// postpone plans a fetch at the end of the cool-down for what has not been looked
// for yet.
func (c *coolDown) postpone(q *ask) {
	if c.refused.has(q.id) {
		return
	}
	c.planned = true
	c.pending.add(q.id)
}

// charge starts a cool-down for a token that a look-up has not helped and that it
// did not know of, unless one has begun.
func (c *coolDown) charge(q *ask, now time.Time) {
	if !c.active(now) {
		c.until, c.refused = now.Add(coolDownTime), idSet{}
	}
	c.refused.add(q.id)
}

// take hands what was postponed to the fetch that is about to start.
func (c *coolDown) take() idSet {
	asked := c.pending
	c.pending, c.planned = idSet{}, false
	return asked
}

// charge starts a cool-down if the fetch was in vain for anybody who asked before
// it began. Whoever came later asks again, and is charged for that.
func (s *Set) charge(f *flight, now time.Time, keys []*Key) {
	vain := s.missing(f.asked, keys)
	always := s.cfg.AlwaysCool && f.prev != nil
	if !always && vain.empty() {
		return
	}
	s.cool.until = now.Add(coolDownTime)
	s.cool.refused = vain
}

// chargeFailed starts a cool-down after a failed fetch where every one does. It
// has found out nothing: what was looked for in vain earlier may be there by now.
func (s *Set) chargeFailed(f *flight, now time.Time) {
	if s.cfg.AlwaysCool && f.lookup {
		s.cool.until, s.cool.refused = now.Add(coolDownTime), idSet{}
	}
}

// missing returns what is asked for and not among keys: key IDs that none bears,
// and tokens. Any key will do for a token without key ID that has seen none.
func (s *Set) missing(asked idSet, keys []*Key) idSet {
	if len(asked.ids) == 0 {
		return asked
	}
	present := map[uint64]bool{s.hash("") ^ noKeyID: len(keys) > 0}
	for _, k := range keys {
		if k.ID() != "" {
			present[s.hash(k.ID())] = true
		}
	}
	var vain idSet
	for id := range asked.ids {
		if !present[id] {
			vain.add(id)
		}
	}
	return vain
}
