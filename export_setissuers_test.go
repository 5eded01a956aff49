package oidcauth

import "time"

// RevokedUntil returns when the last of the revocations ends.
func (a *Authenticator) RevokedUntil() (last time.Time) {
	for _, r := range a.revocations.InForce() {
		if r.Until.After(last) {
			last = r.Until
		}
	}
	return last
}

// Counts reports whether claims count without being judged anew, and whether that was
// known without a look at the issuers.
func Counts(a *Authenticator, c *Claims) (counts, known bool) {
	known = c.trust.seen.Load() == a.epoch.Load()
	return a.current(c.trust), known
}

// Kept reports whether the cache has anything of a token, good or not.
func Kept(a *Authenticator, token string) bool {
	_, found := a.cache.Get(token)
	return found
}
