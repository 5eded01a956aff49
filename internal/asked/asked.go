// Package asked notes of a request whether its handler asked who may: what
// oidcauth.Require tells package guard.
package asked

import (
	"context"
	"sync/atomic"
)

// A Note says what a handler has asked so far. It is safe for concurrent use. A nil
// Note notes nothing.
type Note struct{ granted, refused atomic.Bool }

type key struct{}

// NewContext returns a context whose questions are noted.
func NewContext(ctx context.Context, n *Note) context.Context {
	return context.WithValue(ctx, key{}, n)
}

// From returns the note of a context, or nil.
func From(ctx context.Context) *Note {
	if ctx == nil {
		return nil
	}
	n, _ := ctx.Value(key{}).(*Note)
	return n
}

// Grant notes that somebody said who may, and that the caller does.
func (n *Note) Grant() {
	if n != nil {
		n.granted.Store(true)
	}
}

// Refuse notes that the caller was refused.
func (n *Note) Refuse() {
	if n != nil {
		n.refused.Store(true)
	}
}

// Granted reports whether somebody said who may, and that the caller does.
func (n *Note) Granted() bool { return n.granted.Load() }

// Refused reports whether the caller was refused.
func (n *Note) Refused() bool { return n.refused.Load() }
