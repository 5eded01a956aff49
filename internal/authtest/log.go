package authtest

import (
	"bytes"
	"sync"

	"github.com/oidcauth/oidcauth/internal/said"
)

// A Log keeps what is written to it, and may be read meanwhile. The zero value is
// empty.
type Log struct {
	// Tokens says that tokens belong into it, so that none is looked for, as in the
	// answer to who has asked for one. Set it before it is written to.
	Tokens bool

	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Tokens {
		said.Writer{}.Write(text)
	}
	return l.text.Write(text)
}

// String returns what has been written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
