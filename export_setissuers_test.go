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
