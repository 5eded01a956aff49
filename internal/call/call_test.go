package call_test

import (
	"context"
	"testing"

	"github.com/oidcauth/oidcauth/internal/call"
)

// The session of a call is known to all that comes from the call's context, whatever has
// become of that, and to no others.
func TestSessionOf(t *testing.T) {
	t.Parallel()
	session, end := context.WithCancel(t.Context())
	defer end()
	on := call.On(t.Context(), session)
	left, leave := context.WithCancel(on)
	leave()
	for name, ctx := range map[string]context.Context{"on it": on, "its own context over": left, "detached": context.WithoutCancel(on)} {
		if got := call.SessionOf(ctx); got != session {
			t.Errorf("%s: SessionOf() = %v, want the session", name, got)
		}
	}
	for name, ctx := range map[string]context.Context{
		"no call": t.Context(), "the session itself": session, "none any more": call.On(on, nil),
	} {
		if got := call.SessionOf(ctx); got != nil {
			t.Errorf("%s: SessionOf() = %v, want nil", name, got)
		}
	}
	other, endOther := context.WithCancel(t.Context())
	defer endOther()
	if got := call.SessionOf(call.On(on, other)); got != other {
		t.Errorf("another's: SessionOf() = %v, want the other", got)
	}
}
