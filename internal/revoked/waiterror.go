package revoked

import (
	"errors"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What becomes of a revocation that holds in this process and that neither the log has
// taken nor, where there is none, the disk. What each says stands at its name in the
// public package.
var (
	ErrWaits      = errors.New("waits to be shared")
	ErrNotWritten = errors.New("waits in memory only, and cannot be written")
	ErrNotShared  = errors.New("will not be shared")
)

// A waitError is one of these errors with its circumstances.
type waitError struct {
	what  string // is meant
	state error  // one of the errors above
	why   string // may be empty
	cause error
}

// Error returns all of it in one line.
func (e *waitError) Error() string {
	text := "oidcauth: " + e.what + " " + e.state.Error()
	if e.why != "" {
		text += ", " + e.why
	}
	return text + ": " + e.Unwrap()[1].Error()
}

// Unwrap returns the state, and that revocations are unavailable with the cause.
func (e *waitError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.state, refusal.ErrRevocationsUnavailable}
	}
	return []error{e.state, refusal.With(refusal.ErrRevocationsUnavailable, e.cause)}
}
