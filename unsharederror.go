package oidcauth

import (
	"errors"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// What becomes of a revocation that holds in this process and that the log has
// not taken. [Authenticator.Revoke], [Authenticator.Ready] and
// [Authenticator.Close] return one of these beside [ErrRevocationsUnavailable].
var (
	// ErrRevocationWaits says that revocations wait to be shared: in
	// [Config.RevocationDir], or in memory only where there is none, as the text
	// of the error then says.
	ErrRevocationWaits = errors.New("waits to be shared")

	// ErrRevocationNotWritten says that a revocation waits to be shared in memory
	// only, because it could not be written to [Config.RevocationDir]: it is lost
	// with the process.
	ErrRevocationNotWritten = errors.New("waits to be shared and cannot be written")

	// ErrRevocationNotShared says that revocations will not be shared: too many
	// waited already, or the Authenticator was closed while they waited in memory.
	ErrRevocationNotShared = errors.New("will not be shared")
)

// An unsharedError is one of these errors with its circumstances.
type unsharedError struct {
	what  string // is meant
	state error  // one of the errors above
	why   string // may be empty
	cause error
}

// Error returns all of it in one line.
func (e *unsharedError) Error() string {
	text := "oidcauth: " + e.what + " " + e.state.Error()
	if e.why != "" {
		text += ", " + e.why
	}
	return text + ": " + e.Unwrap()[1].Error()
}

// Unwrap returns the state, and that revocations are unavailable with the cause.
func (e *unsharedError) Unwrap() []error {
	if e.cause == nil {
		return []error{e.state, ErrRevocationsUnavailable}
	}
	return []error{e.state, refusal.With(ErrRevocationsUnavailable, e.cause)}
}
