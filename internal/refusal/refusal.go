// Package refusal holds why a token or a request is refused: the sentinel
// errors, what a remote caller and what an operator is told about each, the
// names of the checks, and the error that puts these together.
package refusal

import (
	"errors"
	"strings"
	"time"
)

// A Refusal is the error of whatever refuses a token or a request.
type Refusal struct {
	Check string // the check that failed
	Got   string // what the token had; quoted and shortened where the token chose it
	Want  string // what would have passed; may be empty
	Err   error  // the sentinel, possibly joined with its cause

	retryAfter time.Duration
	bearer     Bearer
	underDPoP  bool
}

// New refuses with a sentinel.
func New(check string, sentinel error, got, want string) *Refusal {
	return &Refusal{Check: check, Got: got, Want: want, Err: sentinel}
}

// Because keeps the cause of a refusal beside its sentinel.
func Because(check string, sentinel, cause error) *Refusal {
	return &Refusal{Check: check, Err: With(sentinel, cause)}
}

// After adds how long a caller does well to wait before the next try.
func (r *Refusal) After(wait time.Duration) *Refusal {
	r.retryAfter = wait
	return r
}

// UnderDPoP returns the error with a note that the token was sent under the scheme
// DPoP, for the answer. It is err itself, or a copy of the refusal that it is.
func UnderDPoP(err error) error {
	r, ok := err.(*Refusal)
	if !ok || r == nil {
		return err
	}
	noted := *r
	noted.underDPoP = true
	return &noted
}

// IsUnderDPoP reports whether an error is a refusal with that note, or one that only a
// token with a proof can get.
func IsUnderDPoP(err error) bool {
	r, ok := errors.AsType[*Refusal](err)
	return ok && r != nil && r.underDPoP || errors.Is(err, ErrInvalidProof) || errors.Is(err, ErrUseNonce)
}

// Error returns the refusal in one line.
func (r *Refusal) Error() string {
	if r == nil || r.Err == nil {
		return "oidcauth: refused without a reason" // that somebody made by hand
	}
	var b strings.Builder
	b.WriteString("oidcauth: ")
	b.WriteString(r.Err.Error())
	if r.Got != "" {
		b.WriteString(": got ")
		b.WriteString(r.Got)
	}
	if r.Want != "" {
		b.WriteString(", want ")
		b.WriteString(r.Want)
	}
	return b.String()
}

// Unwrap returns the sentinel with its cause.
func (r *Refusal) Unwrap() error {
	if r == nil {
		return nil
	}
	return r.Err
}

// RetryAfter returns how long a caller does well to wait before the next try.
// It is zero where that is not known.
func (r *Refusal) RetryAfter() time.Duration {
	if r == nil {
		return 0
	}
	return r.retryAfter
}
