package keyset

import "time"

// Adopt replaces the keys of a set whose source is Fixed, as an answer of an
// issuer would: keys that stay keep their pointers, keys that left are trusted
// no more when Adopt returns. A document without a usable key is an error and
// changes nothing.
func (s *Set) Adopt(jwks []byte) error {
	doc, err := s.parse(jwks)
	if err != nil {
		return err
	}
	return s.change(func(now time.Time) {
		s.failures, s.lastErr = 0, nil
		s.adopt(doc, now)
	})
}

// Withdraw ends trust in all keys of a set whose source is Fixed, until the next
// Adopt: nobody knows any longer whether they are the issuer's. Whoever asks for
// keys is told the cause.
func (s *Set) Withdraw(cause error) error {
	return s.change(func(now time.Time) {
		s.failures, s.lastErr, s.lastFail = s.failures+1, cause, now
		if snap := s.snap.Load(); snap != nil {
			s.snap.Store(nil)
			s.remove(snap.keys)
		}
	})
}

// change makes a change of the keys and reports it.
func (s *Set) change(do func(now time.Time)) error {
	s.mu.Lock()
	if s.closed() {
		s.mu.Unlock()
		return ErrClosed
	}
	s.wg.Add(1)
	defer s.wg.Done()
	now := time.Now()
	do(now)
	s.reportState(now)
	s.mu.Unlock()
	s.deliver()
	return nil
}

// adopt makes the document the keys until there is another. s.mu must be held
// if anybody else knows the set yet.
func (s *Set) adopt(doc document, now time.Time) {
	next := &snapshot{skipped: doc.skipped, limit: forever, wallLimit: forever, fetched: now, confirmed: now, lifetime: maxLifetime}
	s.swap(next, doc.keys)
}
