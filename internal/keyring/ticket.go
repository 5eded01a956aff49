package keyring

import (
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"time"
)

// TicketTime is for how long a key that was retired may have signed a ticket that
// is still good: a minute for the ticket, and one for a process that had not
// noticed the rotation.
const TicketTime = 2 * time.Minute

const (
	// clockSlack is by how much the clocks of those who share a directory may
	// differ, where nobody saw the key while it was in use.
	clockSlack = time.Minute

	secretBytes = sha256.Size
)

// SignsTickets reports whether a ticket under the key may be good: that of a key
// that signs, will sign, or signed until just now. The keys of others, which
// were imported, sign none.
func (k Key) SignsTickets(now time.Time) bool {
	if k.State != Retired {
		return !k.Imported
	}
	since := now.Sub(k.Retired)
	return !k.Imported && since < TicketTime && since > -clockSlack
}

// TicketSecret returns what only those know who may sign with the key, for
// sealing what its tickets carry. Nothing about the key follows from it. It is
// nil for a key that signs no tickets.
func (k Key) TicketSecret() ([]byte, error) {
	if k.Private == nil {
		return k.secret, nil
	}
	return ticketSecret(k.Private)
}

func ticketSecret(private *ecdsa.PrivateKey) ([]byte, error) {
	scalar, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRing, err)
	}
	return hkdf.Key(sha256.New, scalar, nil, "oidcauth ticket secret", secretBytes)
}
