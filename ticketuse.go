package oidcauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

const (
	// maxTicketUses bounds the memory of what is remembered of used tickets.
	maxTicketUses = 1 << 18

	// A used ticket is remembered for so long after its use, or for the shorter
	// time when there is no place for others. Both are longer than it is good.
	ticketMemory      = 10 * time.Minute
	shortTicketMemory = 2 * maxTicketLifetime

	ticketSweepInterval = time.Minute
)

// useUp makes sure that nobody else uses the ticket, in this process or, with a
// log, in the cluster.
func (e *ticketToken) useUp(ctx context.Context, t readTicket) error {
	expiry := time.Unix(t.Expiry, 0)
	if err := e.local().tickets.use(t.ID, expiry, e.Now, t.own); err != nil {
		return err
	}
	if e.auth.follower == nil {
		return nil
	}
	// A server whose clock is behind takes the ticket for so much longer, and the
	// clock by which the log drops entries may be as much ahead.
	first, err := e.auth.follower.FirstUse(ctx, revoked.UseID(revoked.UseTicket, e.Trust.URL, t.ID), expiry.Add(2*maxLeeway))
	switch {
	case err != nil:
		return refusal.Because(refusal.Ticket, ErrRevocationsUnavailable, err)
	case !first:
		return refusal.New(refusal.Ticket, ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	return nil
}

// ticketUses remembers the tickets that were used. A ticket's expiry is a time by
// a clock that can be set back, so what is dropped is dropped by age: that of the
// use, by a clock that nobody sets. And no ticket is taken that expires no later
// than one that was dropped, unless its age is known too: it may be that one.
type ticketUses struct {
	mu      sync.Mutex // guards what follows
	used    map[string]ticketUse
	swept   time.Time
	dropped time.Time // the latest expiry among the tickets that were dropped
}

type ticketUse struct {
	expiry time.Time
	at     time.Time // by [time.Now], whatever the clock of the Authenticator
}

// use reports a ticket that was used before. When there is no place to remember
// another one, it is refused.
func (u *ticketUses) use(id string, expiry, now time.Time, ageKnown bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := time.Now()
	full := len(u.used) >= maxTicketUses
	if since := at.Sub(u.swept); since >= ticketSweepInterval || full && since >= time.Second {
		u.sweep(at, now, full)
	}
	if _, found := u.used[id]; found {
		return refusal.New(refusal.Ticket, ErrTicketUsed, "a ticket for the second time", "a new one")
	}
	if !ageKnown && !expiry.After(u.dropped) {
		return refusal.Because(refusal.Ticket, ErrRevocationsUnavailable, errors.New("the clock was set back, and whether the ticket was used is not known any more"))
	}
	if len(u.used) >= maxTicketUses {
		return refusal.Because(refusal.Ticket, ErrRevocationsUnavailable, errors.New("too many tickets at a time"))
	}
	if u.used == nil {
		u.used = make(map[string]ticketUse)
	}
	u.used[id] = ticketUse{expiry, at}
	return nil
}

// sweep drops the tickets that were used long ago and have expired. The lock must
// be held.
func (u *ticketUses) sweep(at, now time.Time, full bool) {
	u.swept = at
	memory := ticketMemory
	if full {
		memory = shortTicketMemory
	}
	for id, use := range u.used {
		if at.Sub(use.at) < memory || now.Before(use.expiry) {
			continue
		}
		delete(u.used, id)
		if use.expiry.After(u.dropped) {
			u.dropped = use.expiry
		}
	}
}
