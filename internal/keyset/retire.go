package keyset

import (
	"math"
	"time"
)

// retired is what held stays below once the set is retired.
const retired = math.MinInt64 / 2

// Retire takes the set out of use unless it is held, and reports whether it
// did: then only [Set.Close] remains to be called. It does not wait. A
// [Set.Hold] that comes too late is without effect, and no key is live after it.
func (s *Set) Retire() bool { return s.held.CompareAndSwap(0, retired) }

// Held reports whether somebody holds the set.
func (s *Set) Held() bool { return s.held.Load() > 0 }

// LastUsed returns when the set was last used, give or take a minute, or the
// zero time.
func (s *Set) LastUsed() time.Time {
	last := s.lastUsed.Load()
	if last == neverUsed {
		return time.Time{}
	}
	return s.base.Add(time.Duration(last))
}
