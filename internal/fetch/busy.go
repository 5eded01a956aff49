package fetch

import (
	"net/http"
	"time"
)

// Busy returns an error about an answer, which says when to ask again if the answer does
// (RFC 9110, section 10.2.3).
func Busy(err error, h http.Header) error { return BusyFor(err, retryAfter(h, time.Now())) }

// BusyFor returns an error that says when to ask again, unless that is at once.
func BusyFor(err error, wait time.Duration) error {
	if wait <= 0 {
		return err
	}
	return &busyError{err, wait}
}

// A busyError is of somebody who is not to be asked again for a while. Its text does not
// say for how long: one that counts down would be another reason in each line of a log.
type busyError struct {
	error
	wait time.Duration
}

// Unwrap returns what is wrong.
func (e *busyError) Unwrap() error { return e.error }

// RetryAfter returns how long to wait.
func (e *busyError) RetryAfter() time.Duration { return e.wait }
