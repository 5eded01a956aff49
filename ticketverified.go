package oidcauth

import (
	"github.com/oidcauth/oidcauth/internal/keyring"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

func init() {
	ticket.Verify = func(claims any) (ticket.Verified, error) { return claims.(*Claims).verified() }
}

// verified says what a ticket is made from, or why the claims buy none.
func (c *Claims) verified() (ticket.Verified, error) {
	switch {
	case c == nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrNoToken, "", "")
	case c.key == nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrSignature, "claims that were not verified", "those of an Authenticator")
	case c.seller != nil:
		return ticket.Verified{}, refusal.New(refusal.Ticket, ErrTokenType, "claims from a ticket", "those of a token")
	}
	thumbprint, err := keyring.Thumbprint(c.key.Public())
	if err != nil {
		return ticket.Verified{}, err
	}
	v := ticket.Verified{
		Original: ticket.Original{Algorithm: c.trust.Algorithms[c.algorithm], Key: thumbprint},
		Payload:  c.record.Payload, Expiry: c.Expiry(), NeverExpires: c.record.NeverExpires,
	}
	if c.hasKeyID {
		id := c.key.ID()
		v.KeyID = &id
	}
	return v, nil
}
