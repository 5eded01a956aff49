package spacetime

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/ticket"
)

// maxRemembered bounds the bytes of all tokens that are remembered.
const maxRemembered = 64 << 20

// A memory of tokens gives the token back to those who come with a ticket for it,
// for as long as a ticket is good. It is safe for concurrent use. Nil remembers
// nothing.
type memory struct {
	mu    sync.Mutex // guards what follows
	kept  map[[sha256.Size]byte]*kept
	bytes int
	limit int
}

type kept struct {
	token string
	timer *time.Timer // drops it
}

// newMemory returns an empty memory for so many bytes of tokens.
func newMemory(limit int) *memory {
	return &memory{kept: make(map[[sha256.Size]byte]*kept), limit: limit}
}

// keyOf tells tokens apart by all that they say and by who says it, so that a ticket
// never gives back a token that says something else than the one that bought it. What
// two tokens say alike are two callers where the issuer has several descriptions.
func keyOf(claims *oidcauth.Claims) [sha256.Size]byte {
	id := claims.Identity()
	return sha256.Sum256(append(id[:], claims.Payload()...))
}

// keep remembers the token of these claims until a ticket sold now is good no
// longer. Where there is no more space, it does not.
func (m *memory) keep(claims *oidcauth.Claims, token string) {
	if m == nil {
		return
	}
	key := keyOf(claims)
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.kept[key]; k != nil {
		m.drop(key, k)
	}
	if m.bytes+len(token) > m.limit {
		return
	}
	k := &kept{token: token}
	k.timer = time.AfterFunc(ticket.MaxLifetime, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.drop(key, k)
	})
	m.kept[key] = k
	m.bytes += len(token)
}

// drop lets go of one token, unless that was done before. The lock must be held.
func (m *memory) drop(key [sha256.Size]byte, k *kept) {
	if m.kept[key] != k {
		return
	}
	k.timer.Stop()
	delete(m.kept, key)
	m.bytes -= len(k.token)
}

// of returns the token of these claims, if it is remembered.
func (m *memory) of(claims *oidcauth.Claims) (token string, known bool) {
	if m == nil {
		return "", false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.kept[keyOf(claims)]
	if k == nil {
		return "", false
	}
	return k.token, true
}
