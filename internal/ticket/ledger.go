package ticket

import (
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

const (
	// maxUses bounds the memory of what is remembered of used tickets.
	maxUses = 1 << 18

	// A used ticket is remembered for so long after its use, or for the shorter
	// time when there is no place for others. Both are longer than it is good.
	memory      = 10 * time.Minute
	shortMemory = 2 * MaxLifetime

	sweepInterval = time.Minute
)

// A Ledger remembers the tickets that were used. The zero value is empty. It is safe for
// concurrent use. A ticket's expiry is a time by a clock that can be set back, so what is
// dropped is dropped by age: that of the use, by a clock that nobody sets. And no ticket is
// taken that expires no later than one that was dropped, unless its age is known too: it
// may be that one.
type Ledger struct {
	mu      sync.Mutex // guards what follows
	used    map[string]oneUse
	swept   time.Time
	dropped time.Time // the latest expiry among the tickets that were dropped
}

type oneUse struct {
	expiry time.Time
	at     time.Time // by [time.Now], whatever the clock of those who take the ticket
}

// Use notes that a ticket is used, and refuses one that was used before. When there is no
// place to remember another one, it is refused. Now is the time by the clock that the expiry
// is compared with; ageKnown says that its age is known by a clock that nobody sets.
func (u *Ledger) Use(id string, expiry, now time.Time, ageKnown bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := time.Now()
	full := len(u.used) >= maxUses
	if since := at.Sub(u.swept); since >= sweepInterval || full && since >= time.Second {
		u.sweep(at, now, full)
	}
	if _, found := u.used[id]; found {
		return refusal.New(refusal.Ticket, refusal.ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	if !ageKnown && !expiry.After(u.dropped) {
		return refusal.Because(refusal.Ticket, refusal.ErrRevocationsUnavailable, errors.New("the clock was set back, and whether the ticket was used is not known any more"))
	}
	if len(u.used) >= maxUses {
		return refusal.Because(refusal.Ticket, refusal.ErrRevocationsUnavailable, errors.New("too many tickets at a time"))
	}
	if u.used == nil {
		u.used = make(map[string]oneUse)
	}
	u.used[id] = oneUse{expiry, at}
	return nil
}

// Release drops a ticket that was not used after all.
func (u *Ledger) Release(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.used, id)
}

// sweep drops the tickets that were used long ago and have expired. The lock must
// be held.
func (u *Ledger) sweep(at, now time.Time, full bool) {
	u.swept = at
	limit := memory
	if full {
		limit = shortMemory
	}
	for id, use := range u.used {
		if at.Sub(use.at) < limit || now.Before(use.expiry) {
			continue
		}
		delete(u.used, id)
		if use.expiry.After(u.dropped) {
			u.dropped = use.expiry
		}
	}
}
