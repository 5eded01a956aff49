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
func (a *Authenticator) RevocationCount() int { return len(a.revocations.InForce()) }

// RevocationsKept returns how many revocations are kept, those that are over
// included.
func (a *Authenticator) RevocationsKept() int { return a.revocations.Len() }

// KeepLogouts sets how many logouts of an issuer are kept.
func (a *Authenticator) KeepLogouts(most int) { a.revocations.LimitLogouts(most) }

// Now returns the time that token times are compared with.
func (a *Authenticator) Now() time.Time { return a.now() }

// Indexed reports whether claims are found in the payload by an index.
func (c *Claims) Indexed() bool { return c.record.Index != "" }

// Size returns what the claims count in the cache.
func (c *Claims) Size() int { return c.size() }
