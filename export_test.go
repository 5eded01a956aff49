package oidcauth

import "time"

// SessionCounts returns how many sessions the Authenticator knows to be alive,
// on how many lists they are, and for how many instants alarms are set.
func (a *Authenticator) SessionCounts() (live, lists, instants int) {
	x := a.sessions
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.lists {
		lists += len(l)
	}
	return x.count, lists, x.alarms.Instants()
}

// RevocationCount returns how many revocations hold.
func (a *Authenticator) RevocationCount() int { return len(a.revocations.inForce(a.now())) }

// RevocationsKept returns how many revocations are kept, those that are over
// included.
func (a *Authenticator) RevocationsKept() int { return a.revocations.size() }

// KeepLogouts sets how many logouts of an issuer are kept, also of those that a log
// has brought since New.
func (a *Authenticator) KeepLogouts(most int) {
	l := a.revocations
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
	for issuer := range l.logouts {
		for l.boundLogouts(issuer, a.now()) != nil {
		}
	}
}

// Now returns the time that token times are compared with.
func (a *Authenticator) Now() time.Time { return a.now() }

// Indexed reports whether claims are found in the payload by an index.
func (c *Claims) Indexed() bool { return c.record.Index != "" }

// Size returns what the claims count in the cache.
func (c *Claims) Size() int { return c.size() }

// SealTicket seals what a ticket says of its original as [LocalIssuer.Ticket]
// does, and OpenTicket opens that.
func SealTicket(l *LocalIssuer, ticketID, content string) (string, error) {
	return sealTicket(l.signing.Load().secret, ticketID, []byte(content))
}

func OpenTicket(l *LocalIssuer, ticketID, sealed string) (string, error) {
	return openTicket(l.signing.Load().secret, ticketID, sealed)
}

// SealTicketFor is SealTicket with the secret of one of the keys that may sign
// tickets.
func SealTicketFor(l *LocalIssuer, keyID, ticketID, content string) (string, error) {
	secret, signs := l.ticketSecret(keyID)
	if !signs {
		return "", ErrUnknownKey
	}
	return sealTicket(secret, ticketID, []byte(content))
}

// AgeKeyDirectory makes it so much longer ago that the key directory was read.
func AgeKeyDirectory(l *LocalIssuer, d time.Duration) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.lastRead = l.lastRead.Add(-d)
}

// SetKeyTurn sets how often the keys of an issuer have taken turns.
func (a *Authenticator) SetKeyTurn(issuer string, turn uint32) {
	a.trusts[issuer].order.turn.Store(turn)
}
