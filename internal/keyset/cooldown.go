package keyset

import (
	"context"
	"time"
)

const (
	coolDownTime = 10 * time.Second
	// maxAsked bounds the memory that a flood of key IDs can take.
	maxAsked = 1024
)

// idSet is a bounded set of hashed key IDs: hashed, because a stranger decides
// how long and how many they are.
type idSet struct {
	ids  map[uint64]struct{}
	more bool // some did not fit
}

func (i *idSet) add(id uint64) {
	if len(i.ids) >= maxAsked {
		i.more = true
		return
	}
	if i.ids == nil {
		i.ids = map[uint64]struct{}{}
	}
	i.ids[id] = struct{}{}
}

func (i *idSet) has(id uint64) bool {
	_, ok := i.ids[id]
	return ok
}

// coolDown bounds what unknown key IDs can cost an issuer. It starts when a
// fetch has looked for a key ID in vain; a fetch that finds every key ID asked
// for is free, because nobody but the issuer can bring that about.
type coolDown struct {
	until   time.Time
	refused idSet // looked for in vain by the fetch that started the cool-down
	pending idSet // refused since, to be looked for at its end
	reuse   bool  // a bad signature asks for a fetch at its end
	planned bool  // there will be a fetch at its end
}

func (c *coolDown) active(now time.Time) bool { return !reached(now, c.until) }

// postpone plans a fetch at the end of the cool-down for a key ID that has not
// been looked for yet.
func (c *coolDown) postpone(id uint64) {
	if c.refused.has(id) {
		return
	}
	c.pending.add(id)
	c.planned = true
}

// take hands what was postponed to the fetch that is about to start.
func (c *coolDown) take() (asked idSet, reuse bool) {
	asked, reuse = c.pending, c.reuse
	c.pending, c.reuse, c.planned = idSet{}, false, false
	return asked, reuse
}

// charge starts a cool-down if the fetch was in vain for anybody.
func (s *Set) charge(f *flight, now time.Time, keys []*Key) {
	vain := s.missing(f.asked, keys)
	always := s.cfg.AlwaysCool && f.prev != nil
	if !always && !f.reuse && len(vain.ids) == 0 && !vain.more {
		return
	}
	s.cool.until = now.Add(coolDownTime)
	s.cool.refused = vain
}

// chargeFailed starts a cool-down after a failed fetch where every one does.
func (s *Set) chargeFailed(f *flight, now time.Time) {
	if s.cfg.AlwaysCool && f.lookup {
		s.cool.until = now.Add(coolDownTime)
	}
}

// missing returns the key IDs in asked that no key bears.
func (s *Set) missing(asked idSet, keys []*Key) idSet {
	if len(asked.ids) == 0 {
		return asked
	}
	present := make(map[uint64]bool, len(keys))
	for _, k := range keys {
		if k.ID() != "" {
			present[s.hash(k.ID())] = true
		}
	}
	vain := idSet{more: asked.more}
	for id := range asked.ids {
		if !present[id] {
			vain.add(id)
		}
	}
	return vain
}

// Refetched is for a token whose signature is bad under a known key ID. If the
// issuer reuses key IDs it fetches the set anew, at most once per cool-down,
// and returns the keys to try again. An empty keyID stands for a token without
// one. The result is false when nothing was fetched; then the signature is
// simply bad.
func (s *Set) Refetched(ctx context.Context, keyID string) ([]*Key, bool) {
	if !s.cfg.ReusesKeyIDs || s.cfg.Fixed != nil {
		return nil, false
	}
	for {
		f := s.joinReuse(ctx)
		if f == nil {
			return nil, false
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, false
		}
		if f.err != nil {
			return nil, false
		}
		if f.lookup {
			keys := s.snap.Load().find(keyID, keyID != "")
			return keys, len(keys) > 0
		}
	}
}

func (s *Set) joinReuse(ctx context.Context) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.closed || ctx.Err() != nil {
		return nil
	}
	if s.cool.active(now) {
		s.cool.reuse, s.cool.planned = true, true
		s.arm(now)
		return nil
	}
	if s.flight == nil {
		if !reached(now, s.retryAt) {
			return nil
		}
		s.start(true)
	}
	if s.flight.lookup {
		s.flight.reuse = true
	}
	return s.flight
}
