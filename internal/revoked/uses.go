package revoked

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Kinds of things that are used once.
const (
	UseTicket      = "ticket"
	UseLogoutToken = "logout token"
)

const (
	// maxUses bounds the memory of what was used here.
	maxUses = 1 << 16

	// usesInterval is how often what is over is dropped, at most.
	usesInterval = time.Minute
)

// UseID names something that is used once, by its kind, its issuer and the ID
// that the issuer gave it. Neither kinds nor issuers' names contain a zero byte.
func UseID(kind, issuer, id string) [32]byte {
	return sha256.Sum256([]byte(kind + "\x00" + issuer + "\x00" + id))
}

// Uses are what was used in this process. The zero value is empty. It is safe for
// concurrent use.
type Uses struct {
	mu    sync.Mutex // guards what follows
	used  map[[32]byte]keeping
	swept time.Time
}

// First reports whether a thing was not used here before. It is kept until the
// given time, and when too many are, it counts as not used.
func (u *Uses) First(id [32]byte, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, found := u.used[id]; found {
		return false
	}
	if mono := time.Now(); mono.Sub(u.swept) >= usesInterval {
		u.swept = mono
		for id, k := range u.used {
			if k.over(now, mono) {
				delete(u.used, id)
			}
		}
	}
	if u.used == nil {
		u.used = make(map[[32]byte]keeping)
	}
	if len(u.used) < maxUses {
		u.used[id] = keepUntil(until, now)
	}
	return true
}
