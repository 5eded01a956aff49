package refusal_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// The end of a context is told with its cause, which is no verdict on another token.
func TestEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := refusal.Ended(ctx); err != context.Canceled {
		t.Errorf("Ended() of one without a cause = %v, want %v", err, context.Canceled)
	}
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(refusal.New(refusal.Expiry, refusal.ErrExpired, "then", "now"))
	err := refusal.Ended(caused)
	if !errors.Is(err, context.Canceled) || errors.Is(err, refusal.ErrExpired) || err.Error() != "context canceled: "+context.Cause(caused).Error() {
		t.Errorf("Ended() = %v, want it with the cause, which it is not", err)
	}
}

// A refusal that is a nil pointer, or that somebody made by hand, can be looked at.
func TestRefusal_Nil(t *testing.T) {
	t.Parallel()
	const text = "oidcauth: refused without a reason"
	var none *refusal.Refusal
	if none.Error() != text || new(refusal.Refusal).Error() != text {
		t.Errorf("Error() = %q, %q, want %q", none.Error(), new(refusal.Refusal).Error(), text)
	}
	if wait := none.RetryAfter(); wait != 0 {
		t.Errorf("RetryAfter() = %v, want 0", wait)
	}
	if b := refusal.BearerOf(none); b != (refusal.Bearer{}) {
		t.Errorf("BearerOf() = %+v, want none", b)
	}
	if err := refusal.UnderDPoP(none); err != error(none) || refusal.IsUnderDPoP(err) {
		t.Errorf("UnderDPoP() = %v, that is under DPoP: %t", err, refusal.IsUnderDPoP(err))
	}
}
