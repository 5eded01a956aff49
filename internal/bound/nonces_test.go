package bound_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oidcauth/oidcauth/internal/bound"
)

func TestNonces(t *testing.T) {
	t.Parallel()
	var n bound.Nonces[int]
	if n.Of(1) != "" || n.Use(1, "") || n.Len() != 0 {
		t.Error("a holder that gave none has a nonce")
	}
	first, other := n.Give(1), n.Give(2)
	if first == "" || first == other {
		t.Fatalf("Give() = %q and %q, want two that nobody can guess", first, other)
	}
	if n.Give(1) != first || n.Of(1) != first {
		t.Error("the nonce changes before it is used")
	}
	if n.Use(1, other) || n.Use(1, "") || n.Use(2, first) {
		t.Error("a nonce counts for a holder that did not give it")
	}
	if !n.Use(1, first) || n.Use(1, first) || n.Of(1) != "" {
		t.Error("want a nonce used once")
	}
	if next := n.Give(1); next == first {
		t.Error("a used nonce comes again")
	}
	n.Drop(1)
	n.Drop(2)
	if n.Len() != 0 || n.Use(2, other) {
		t.Error("a dropped nonce is kept")
	}
}

func TestNonces_UsedOnce(t *testing.T) {
	t.Parallel()
	var n bound.Nonces[string]
	nonce := n.Give("session")
	var used atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if n.Use("session", nonce) {
				used.Add(1)
			}
		})
	}
	all.Wait()
	if used.Load() != 1 {
		t.Errorf("used %d times, want once", used.Load())
	}
}
