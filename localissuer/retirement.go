package localissuer

import (
	"slices"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/hidden"
	"github.com/oidcauth/oidcauth/internal/keyring"
)

// A retirement is when this process learned that a key is retired, by a clock that nobody
// sets and by [Config.Now].
type retirement struct {
	at, now time.Time

	// seen says that the key was in use here until then. When that was by the clock of
	// who retired it, which may be minutes off, does not matter where it was seen.
	seen bool

	// secret is what the key seals tickets with, where it was seen: the directory lets go
	// of that at the next rotation, by the clock of who does that.
	secret hidden.Value[[]byte]
}

// signsTickets reports whether a ticket under the key may be good.
func (r retirement) signsTickets(k keyring.Key, now time.Time) bool {
	switch {
	case k.Imported || clocks.Age(time.Now(), r.at) >= keyring.TicketTime:
		return false
	case r.seen:
		return now.Sub(r.now) < keyring.TicketTime
	}
	return k.SignsTickets(now)
}

// noteRetired remembers which keys are known to be retired, beside the ring of before.
// The lock must be held.
func (l *Issuer) noteRetired(before keyring.Ring) {
	retired := make(map[string]retirement)
	for _, k := range l.ring.Get().Keys {
		if k.State != keyring.Retired {
			continue
		}
		r, known := l.retired[k.ID]
		if !known {
			r = l.retirementOf(k, before)
		}
		retired[k.ID] = r
	}
	l.retired = retired
}

// retirementOf describes what is learned just now of a key that is retired.
func (l *Issuer) retirementOf(k keyring.Key, before keyring.Ring) retirement {
	r := retirement{at: time.Now(), now: l.now()}
	i := slices.IndexFunc(before.Keys, func(b keyring.Key) bool { return b.ID == k.ID })
	if r.seen = i >= 0; r.seen {
		secret, _ := before.Keys[i].TicketSecret() // nil, too, where there is an error
		r.secret = hidden.Of(secret)
	}
	return r
}
