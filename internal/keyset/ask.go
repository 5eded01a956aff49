package keyset

import (
	"context"
	"hash/maphash"
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An ask is one question that the keys in hand do not answer. Whoever asks, the
// issuer pays for it out of one account, its cool-down: the first question is
// looked up at once, those that come before the cool-down is over share one
// look-up at its end.
//
// A look-up answers what was asked before it began. To whoever asks while it is
// under way it gives the keys that it finds; what it does not find may have been
// published meanwhile, and counts as not known.
type ask struct {
	keyID jws.KeyID
	id    uint64 // by which it is told apart, see idSet
	asked uint64 // how many look-ups had begun when it was asked

	probe   bool // for any key, not for a token: it costs the tokens nothing
	patient bool // it may wait in the queue

	doubt  bool   // for other keys than those that were tried and do not fit
	tried  []*Key // empty if any key is another
	issued time.Time
}

// What is no key ID is told apart from key IDs by a bit of its hash.
const (
	noKeyID = 1 << iota
	badSignature
)

// askFor returns the question for a token's keys.
func (s *Set) askFor(keyID jws.KeyID) *ask {
	q := &ask{keyID: keyID, id: s.hash(keyID.Text), asked: s.lookups.Load()}
	if !keyID.Has {
		q.id ^= noKeyID
	}
	return q
}

// A Doubt is a token that no key in hand verifies although its key ID does not
// tell them apart: it has none, or the issuer reuses key IDs. Its signature may be
// bad, or its key be new.
type Doubt struct {
	Token   string // the whole of it, by which it is told apart
	KeyID   jws.KeyID
	Lookups uint64 // [Set.Lookups] before the first key was tried; another set's may be too many
	Tried   []*Key // in vain, as they were returned

	// Issued is when the token was issued at the latest, by what it says of
	// itself. Zero means that this says nothing in its favour.
	Issued time.Time
}

// LookAgain returns other keys to try on a token that none of those tried verifies.
// Unless there are some it looks for them at the issuer, as [Set.Keys] looks for an
// unknown key ID. If it returns the same again, or none, the signature is bad. The
// error is an [*UnavailableError]:
// the issuer cannot be asked now, and the token was issued since it last was.
func (s *Set) LookAgain(ctx context.Context, d Doubt) ([]*Key, error) {
	if s.cfg.Fixed != nil || d.KeyID.Has && !s.ReusesKeyIDs() {
		return nil, nil
	}
	return s.wait(ctx, &ask{
		keyID: d.KeyID, id: s.hash(d.Token) ^ badSignature,
		asked: min(d.Lookups, s.Lookups()), doubt: true, tried: d.Tried, issued: d.Issued,
	})
}

// Lookups returns how often the issuer has been asked for something that was not
// in hand. A look-up that begins after a token came answers for it. It may be
// called on nil: nobody has been asked yet.
func (s *Set) Lookups() uint64 {
	if s == nil {
		return 0
	}
	return s.lookups.Load()
}

// wait joins or starts a fetch where that can help, and leaves with ctx.
func (s *Set) wait(ctx context.Context, q *ask) ([]*Key, error) {
	var done *flight
	for {
		keys, next, err := s.decide(ctx, q, done)
		if next == nil {
			return keys, err
		}
		select {
		case <-next.done:
			done = next
		case <-ctx.Done():
			return nil, s.left(ctx)
		}
	}
}

// decide answers a question or names the fetch to wait for. done is the fetch
// that the caller has already waited for.
func (s *Set) decide(ctx context.Context, q *ask, done *flight) ([]*Key, *flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.closed() {
		return nil, nil, &UnavailableError{Issuer: s.cfg.Issuer, Err: ErrClosed}
	}
	snap := s.valid(now)
	if keys, found := q.foundIn(snap); found {
		return keys, nil, nil
	}
	if s.cfg.Fixed != nil && snap == nil {
		return nil, nil, s.unavailable(now, s.retryAt, s.lastErr) // see Withdraw
	}
	if s.cfg.Fixed != nil {
		return nil, nil, ErrUnknownKey
	}
	s.lastUsed.Store(int64(now.Sub(s.base)))
	switch {
	case done != nil && done.err != nil:
		return nil, nil, s.cannotAsk(now, q, s.retryAt, done.err)
	case snap != nil && s.answered(now, q, snap):
		keys, err := s.answer(now, q, snap)
		return keys, nil, err
	case snap != nil && s.cool.active(now):
		s.cool.postpone(q)
		s.arm(now)
		return nil, nil, s.cannotAsk(now, q, later(s.cool.until, s.retryAt), ErrPostponed)
	case ctx.Err() != nil:
		return nil, nil, s.left(ctx)
	case s.flight == nil && !clocks.Reached(now, s.retryAt):
		return nil, nil, s.cannotAsk(now, q, s.retryAt, s.lastErr)
	}
	return nil, s.join(now, q), nil
}

// foundIn reports whether the keys in hand are what is asked for.
func (q *ask) foundIn(snap *snapshot) ([]*Key, bool) {
	switch {
	case q.probe:
		return nil, snap.usable()
	}
	keys := snap.find(q.keyID)
	if q.doubt && slices.Equal(keys, q.tried) {
		return nil, false
	}
	return keys, keys != nil
}

// answered reports whether the issuer has been asked this: by a look-up since the
// token came, or by the last one for its like.
func (s *Set) answered(now time.Time, q *ask, snap *snapshot) bool {
	if q.probe && (s.cool.active(now) || !clocks.Reached(now, snap.confirmed.Add(coolDownTime))) {
		return true
	}
	return q.asked < snap.lookup || s.cool.active(now) && s.cool.refused.has(q.id)
}

// answer answers what the issuer has been asked and what the keys in hand do not
// serve.
func (s *Set) answer(now time.Time, q *ask, snap *snapshot) ([]*Key, error) {
	switch {
	case q.doubt:
		s.cool.charge(q, now)
		return snap.find(q.keyID), nil
	case snap.usable():
		return nil, ErrUnknownKey
	case q.probe:
		return nil, s.unavailable(now, later(s.cool.until, snap.confirmed.Add(coolDownTime)), s.lastErr)
	}
	return nil, s.unavailable(now, s.cool.until, s.lastErr)
}

// cannotAsk is the answer while nothing is known. A token that was issued before
// the issuer was last asked would have its key here, if it had one: where only its
// signature is in doubt, that is bad.
func (s *Set) cannotAsk(now time.Time, q *ask, until time.Time, cause error) error {
	if snap := s.valid(now); q.doubt && snap != nil && !q.issued.After(snap.lookedUp) {
		return nil
	}
	return s.unavailable(now, until, cause)
}

// join adds the question to the fetch under way, or starts one. s.mu must be held.
func (s *Set) join(now time.Time, q *ask) *flight {
	if s.flight == nil {
		s.start(true, q.patient)
	}
	f := s.flight
	if !q.patient {
		f.hurryUp()
	}
	if f.lookup && (!f.hasBegun() || !now.After(f.begun)) {
		q.asked = min(q.asked, f.number-1) // at the same instant, or before
	}
	if f.lookup && q.asked < f.number && !q.probe {
		f.asked.add(q.id)
	}
	return f
}

func (s *Set) left(ctx context.Context) error {
	return &UnavailableError{Issuer: s.cfg.Issuer, Err: refusal.Ended(ctx)}
}

func (s *Set) hash(text string) uint64 {
	return maphash.String(s.seed, text) &^ (noKeyID | badSignature)
}
