package strangers

import (
	"net"
	"net/url"
	"strings"
	"time"
)

// What a host gets that issuers elsewhere say has their keys: it need not know
// of them. Issuers on the host itself are not counted.
const (
	foreignPlaces   = 2
	foreignCapacity = 16
	foreignRate     = 1 // a second
	foreignBurst    = 8
)

// hosts holds the turns of the hosts that were named by issuers elsewhere. It is
// guarded by the lock of its issuers.
type hosts map[string]*turns

// of returns a host's turns. It clears those away that a pause has made as good
// as new, when there are many.
func (h hosts) of(host string, now time.Time) *turns {
	if found := h[host]; found != nil {
		return found
	}
	// At powers of two only: clearing costs as much as there are.
	if n := len(h); n >= 64 && n&(n-1) == 0 {
		for other, turns := range h {
			if turns.idle(now) {
				delete(h, other)
			}
		}
	}
	made := newTurns(foreignPlaces, foreignCapacity, foreignRate, foreignBurst)
	h[host] = made
	return made
}

// hostOf returns the host and port of a URL in the one form that is compared.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)
}
