package call_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/call"
)

// What ended a session is known to the calls on it, whatever has become of their own
// contexts, and to no others.
func TestEnded(t *testing.T) {
	t.Parallel()
	revoked := errors.New("revoked")
	session, end := context.WithCancelCause(t.Context())
	on := call.On(t.Context(), session)
	left, leave := context.WithCancel(on)
	leave()
	calls := map[string]context.Context{"on it": on, "its own context over": left, "detached": context.WithoutCancel(on)}
	for name, ctx := range calls {
		if err := call.Ended(ctx); err != nil {
			t.Errorf("%s: Ended() = %v of a session that lives", name, err)
		}
	}
	end(revoked)
	for name, ctx := range calls {
		if err := call.Ended(ctx); err != revoked {
			t.Errorf("%s: Ended() = %v, want %v", name, err, revoked)
		}
	}
	for name, ctx := range map[string]context.Context{
		"no call": t.Context(), "the session itself": session, "another's": call.On(on, t.Context()), "none any more": call.On(on, nil),
	} {
		if err := call.Ended(ctx); err != nil {
			t.Errorf("%s: Ended() = %v", name, err)
		}
	}
}
