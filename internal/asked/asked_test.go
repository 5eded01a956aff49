package asked_test

import (
	"context"
	"testing"

	"github.com/oidcauth/oidcauth/internal/asked"
)

// A note says what was asked with the context that it belongs to, and nothing else.
func TestNote(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		ask              func(*asked.Note)
		granted, refused bool
	}{
		{"nothing", func(*asked.Note) {}, false, false},
		{"who may, and the caller does", (*asked.Note).Grant, true, false},
		{"who may, and the caller does not", (*asked.Note).Refuse, false, true},
		{"both", func(n *asked.Note) { n.Grant(); n.Refuse() }, true, true},
	} {
		var n, other asked.Note
		ctx := asked.NewContext(asked.NewContext(t.Context(), &other), &n)
		tt.ask(asked.From(ctx))
		if n.Granted() != tt.granted || n.Refused() != tt.refused {
			t.Errorf("%s: granted %t, refused %t, want %t, %t", tt.name, n.Granted(), n.Refused(), tt.granted, tt.refused)
		}
		if other.Granted() || other.Refused() {
			t.Errorf("%s: noted elsewhere, too", tt.name)
		}
	}
}

// Without a note nothing is noted, and nothing breaks.
func TestFrom_None(t *testing.T) {
	t.Parallel()
	var none context.Context
	for _, ctx := range []context.Context{none, t.Context(), asked.NewContext(t.Context(), nil)} {
		n := asked.From(ctx)
		if n != nil {
			t.Errorf("From(%v) = %p, want none", ctx, n)
		}
		n.Grant()
		n.Refuse()
	}
}
