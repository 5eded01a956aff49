package refusal

import (
	"context"
	"errors"
	"fmt"
)

// A reason is a sentinel with its cause, which is often an error that the
// program or its network made: of a rule, a log or a transport. Whatever that
// wraps, the reason is of this package's sentinels its own alone, so that the
// cause neither decides the answer nor passes for another refusal.
type reason struct{ sentinel, cause error }

// With returns an error that is the sentinel and, as far as errors.Is and
// errors.As look for anything else, the cause.
func With(sentinel, cause error) error { return &reason{sentinel, cause} }

// Error returns both in one line.
func (r *reason) Error() string { return r.sentinel.Error() + ": " + r.cause.Error() }

// Is implements the interface that [errors.Is] looks for. There is no Unwrap,
// which would lead past it.
func (r *reason) Is(target error) bool {
	if isSentinel(target) {
		return errors.Is(r.sentinel, target)
	}
	return errors.Is(r.cause, target)
}

// As implements the interface that [errors.As] looks for.
func (r *reason) As(target any) bool { return errors.As(r.cause, target) }

// Ended returns the error of a context that has ended. It has the cause and
// does not wrap it: that may be the refusal of another token, with which a
// session ended, and must not pass for a verdict on this one.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %v", err, cause)
}
