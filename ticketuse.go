package oidcauth

import (
	"context"
	"time"

	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/revoked"
)

// useUp makes sure that nobody else uses the ticket, in this process or, with a
// log, in the cluster.
func (e *ticketToken) useUp(ctx context.Context, t readTicket) error {
	expiry := time.Unix(t.Expiry, 0)
	if err := t.authority.Use(t.ID, expiry, e.Now, t.own); err != nil {
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
