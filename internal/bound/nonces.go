package bound

import (
	"crypto/rand"
	"sync"
)

// Nonces are the nonces that holders, sessions for instance, gave out and that nobody
// has used: one for each at most. They are kept apart from the holders, because most
// give none. The zero value is ready; it is safe for concurrent use.
type Nonces[H comparable] struct {
	mu    sync.Mutex // guards what follows
	given map[H]string
}

// Give returns the nonce of a holder, and makes one if there is none.
func (n *Nonces[H]) Give(h H) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.given == nil {
		n.given = make(map[H]string)
	}
	if n.given[h] == "" {
		n.given[h] = rand.Text()
	}
	return n.given[h]
}

// Of returns the nonce of a holder, or nothing.
func (n *Nonces[H]) Of(h H) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.given[h]
}

// Use reports whether that is the nonce of the holder, which it is no longer.
func (n *Nonces[H]) Use(h H, nonce string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if nonce == "" || n.given[h] != nonce {
		return false
	}
	delete(n.given, h)
	return true
}

// Drop forgets the nonce of a holder that has ended.
func (n *Nonces[H]) Drop(h H) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.given, h)
}

// Len returns how many nonces are kept.
func (n *Nonces[H]) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.given)
}
