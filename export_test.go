package oidcauth

import (
	"reflect"
	"time"
)

// SessionCounts returns how many sessions the Authenticator knows to be alive,
// on how many lists they are, and for how many instants alarms are set.
func (a *Authenticator) SessionCounts() (live, lists, instants int) {
	x := a.sessions
	for i := range x.shards {
		sh := &x.shards[i]
		sh.mu.Lock()
		for _, l := range sh.lists {
			lists += len(l)
		}
		for _, g := range sh.lists[byKey] {
			for ; g != nil; g = g.links[byKey].next {
				live += int(g.users)
			}
		}
		sh.mu.Unlock()
	}
	return live, lists, sizeOf(x.expiries, "groups") + sizeOf(x.warnings, "groups")
}

// RevocationCount returns how many revocations hold.
func (a *Authenticator) RevocationCount() int { return len(a.revocations.InForce()) }

// RevocationsKept returns how many revocations are kept, those that are over
// included.
func (a *Authenticator) RevocationsKept() int { return sizeOf(a.revocations, "byEnd") }

// KeepLogouts sets how many logouts of an issuer are kept.
func (a *Authenticator) KeepLogouts(most int) { a.revocations.LimitLogouts(most) }

// Now returns the time that token times are compared with.
func (a *Authenticator) Now() time.Time { return a.now() }

// Indexed reports whether claims are found in the payload by an index.
func (c *Claims) Indexed() bool { return c.record.Index != "" }

// Size returns what the claims count in the cache.
func (c *Claims) Size() int { return c.size() }

// sizeOf returns the length of a map or a slice, or the number, that a pointer to a
// struct of another package leads to by the names of fields.
func sizeOf(v any, fields ...string) int {
	at := reflect.ValueOf(v)
	for _, name := range fields {
		at = reflect.Indirect(at).FieldByName(name)
	}
	if at.CanInt() {
		return int(at.Int())
	}
	return at.Len()
}
