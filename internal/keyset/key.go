package keyset

import (
	"crypto"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// Key is one usable key of a [Set]. The same pointer stands for the key from
// one refresh to the next, as long as its material, key ID, algorithm, use,
// operations and issuer stay the same. It is safe for concurrent use.
type Key struct {
	*jws.Key
	set        *Set
	use        string
	operations []string
	issuer     string
	same       string // equal for two parsed keys that are the same key
	removed    atomic.Bool
	tried      atomic.Bool // to be prepared
}

// Issuer returns the key's own "issuer" member, which some multi-tenant
// issuers publish, or "".
func (k *Key) Issuer() string { return k.issuer }

// Live reports whether the key is still in its issuer's set and the set still
// in hand. It takes no lock, and counts as use of the issuer. now must be a
// reading of [time.Now], because what it is compared with are times of fetches.
func (k *Key) Live(now time.Time) bool {
	if k.removed.Load() {
		return false
	}
	snap := k.set.snap.Load()
	if snap == nil {
		return false
	}
	at := now.Sub(k.set.base)
	if !snap.serves(at, now) {
		return false
	}
	k.set.touch(at)
	return true
}

// Current returns the key that stands where k stood: k itself while it is in
// its issuer's set, or else the one that has the same public key and may verify
// signatures of the algorithm, because only other members of the key changed.
// With sameID it also has to bear k's key ID. Where keys belong to one issuer
// each ([Config.AcceptKey]), it has to be one of the issuers, or k's own if none
// is given: a key that moved to another tenant vouches for that one alone. It is
// nil if there is none.
func (k *Key) Current(algorithm string, sameID bool, issuers ...string) *Key {
	snap := k.set.snap.Load()
	if snap == nil || !k.removed.Load() {
		return k.ifIn(snap)
	}
	if snap = k.set.changed(); snap == nil {
		return nil
	}
	public, ok := k.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	if len(issuers) == 0 {
		issuers = []string{k.issuer}
	}
	same := func(other *Key) bool {
		return public.Equal(other.Public()) && other.Permits(algorithm) &&
			(k.set.cfg.AcceptKey == nil || slices.Contains(issuers, other.issuer))
	}
	candidates := snap.find(jws.KeyID{Text: k.ID(), Has: sameID})
	if i := slices.IndexFunc(candidates, same); i >= 0 {
		return candidates[i]
	}
	return nil
}

// changed returns the snapshot once a change that is under way is made: keys that leave
// are dead before those are seen that take their place.
func (s *Set) changed() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snap.Load()
}

// ifIn returns k unless there is no set for it to be in.
func (k *Key) ifIn(snap *snapshot) *Key {
	if snap == nil {
		return nil
	}
	return k
}

// sameness joins everything that must not change for a key to stay the same.
func sameness(thumbprint []byte, m *member) string {
	parts := []string{string(thumbprint), m.ID, m.Algorithm, m.Use, m.Issuer}
	parts = append(parts, m.Operations...)
	return strings.Join(parts, "\x00")
}
