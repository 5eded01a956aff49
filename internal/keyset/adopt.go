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
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.wg.Add(1)
	defer s.wg.Done()
	s.adopt(doc, time.Now())
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
