package verify

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// maxChecks bounds the signature checks that one token of a configured issuer
	// can cause. A token with a key ID nearly always causes one.
	maxChecks = 4

	// maxStrangerChecks is the bound for an issuer that nobody configured, who
	// chooses how long each check takes.
	maxStrangerChecks = 2
)

// attempts are the signature checks that a token has caused.
type attempts struct {
	keys  [maxChecks]*keyset.Key
	count int
}

// has reports whether the token was checked with k.
func (a *attempts) has(k *keyset.Key) bool { return slices.Contains(a.keys[:a.count], k) }

// An Order says which keys to try first where a token may be signed by more of
// them than are tried: those that verified such a token before, and of the others
// each time different ones. It is safe for concurrent use.
type Order struct {
	proven atomic.Pointer[[maxChecks - 1]*keyset.Key] // the last one first
	turn   atomic.Uint32                              // where in the others the next token begins
}

// prove notes that k has verified a token that others might have signed.
func (o *Order) prove(k *keyset.Key) {
	next := new([maxChecks - 1]*keyset.Key)
	next[0] = k
	if last := o.proven.Load(); last != nil {
		if last[0] == k {
			return
		}
		n := 1
		for _, other := range last {
			if other != k && n < len(next) {
				next[n] = other
				n++
			}
		}
	}
	o.proven.Store(next)
}

// choose returns at most limit of the keys that were not tried, one at least that is not
// proven. The turn goes through all keys, whatever a token has tried of them: by what is
// left of them it could come to the same ones again and again.
func (o *Order) choose(keys []*keyset.Key, tried *attempts, limit int) []*keyset.Key {
	chosen := make([]*keyset.Key, 0, limit)
	if proven := o.proven.Load(); proven != nil {
		for _, k := range proven {
			if len(chosen) < limit-1 && slices.Contains(keys, k) && !tried.has(k) {
				chosen = append(chosen, k)
			}
		}
	}
	more := limit - len(chosen)
	start := int((o.turn.Add(uint32(more)) - uint32(more)) % uint32(len(keys))) // an int may be too small for the turn
	for i := range keys {
		if k := keys[(start+i)%len(keys)]; len(chosen) < limit && !slices.Contains(chosen, k) && !tried.has(k) {
			chosen = append(chosen, k)
		}
	}
	return chosen
}

// CheckSignature looks for a key that made the token's signature, among no more keys
// than one token is worth. Where a key ID may have a new key one check is kept for
// that. Keys that came since the token caused checks go first.
func (e *Evaluation) CheckSignature(ctx context.Context) error {
	limit, old := e.checkLimit(), e.formerCandidates()
	first := limit
	if e.Token.KeyID.Has && e.Trust.Keys.ReusesKeyIDs() {
		first--
	}
	if e.verify(without(e.Candidates, old), limit) || e.verify(e.Candidates, first) {
		return nil
	}
	spent := e.leftUntried(old)
	found, err := e.LookAgain(ctx, func() bool {
		if e.verify(without(e.Candidates, old), limit) {
			return true
		}
		spent = spent || e.leftUntried(old)
		return false
	})
	switch {
	case found, !e.still && e.verify(e.Candidates, limit):
		return nil
	case err != nil:
		return err
	case spent:
		return e.keysSpent()
	}
	return e.badSignature()
}

// formerCandidates returns the candidates that the token has caused checks with before:
// those of the first look at a set that is looked at twice. While others were asked in
// between the set may have got other keys. Without such checks it is the candidates
// themselves, none of which is newer than the others then.
func (e *Evaluation) formerCandidates() []*keyset.Key {
	if before := e.outcomeBefore(e.Trust.Keys); before != nil && before.tried.count > 0 {
		return before.candidates
	}
	return e.Candidates
}

// leftUntried reports whether a key that came after the former may have signed the
// token and was not tried: the checks went on others.
func (e *Evaluation) leftUntried(former []*keyset.Key) bool {
	return slices.ContainsFunc(without(e.Candidates, former), e.canBeOf)
}

// keysSpent is for a token whose issuer has changed its keys, while the checks went
// on the former ones and did not suffice for the new: the next time these are tried
// alone.
func (e *Evaluation) keysSpent() error {
	return refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "new keys of issuer "+refusal.Quote(e.Record.Issuer), "").After(time.Second)
}

func (e *Evaluation) checkLimit() int {
	if e.Trust.Stray != nil {
		return maxStrangerChecks
	}
	return maxChecks
}

// verify reports whether one of the keys made the signature. It tries those that
// can have and were not tried before, until the token has caused limit checks.
func (e *Evaluation) verify(keys []*keyset.Key, limit int) bool {
	left, candidates := limit-e.tried.count, 0
	for _, k := range keys {
		if e.canBeOf(k) {
			candidates++
		}
	}
	if left <= 0 || candidates == 0 {
		return false
	}
	crowded := candidates > left
	if crowded {
		able := slices.DeleteFunc(slices.Clone(keys), func(k *keyset.Key) bool { return !e.fits(k) })
		keys = e.Trust.Order.choose(able, &e.tried, left)
	}
	for _, k := range keys {
		if e.canBeOf(k) && e.check(k) {
			if crowded {
				e.Trust.Order.prove(k)
			}
			return true
		}
	}
	return false
}

// canBeOf reports whether the signature may be by a key that was not tried yet.
func (e *Evaluation) canBeOf(k *keyset.Key) bool { return e.fits(k) && !e.tried.has(k) }

// fits reports whether the token says nothing that keeps it from being by the key. All
// that the own keys of a local issuer sign bears a key ID.
func (e *Evaluation) fits(k *keyset.Key) bool {
	return e.Trust.Allows(k, e.Token.KeyID.Has) && k.CanHaveSigned(&e.Token)
}

// check verifies the signature with one key.
func (e *Evaluation) check(k *keyset.Key) bool {
	e.tried.keys[e.tried.count] = k
	e.tried.count++
	if k.Verify(&e.Token) != nil {
		return false
	}
	e.Key = k
	return true
}
