package supplement

import (
	"errors"
	"time"
)

// longest is how long a failure stands at most: what is kept of it is memory that tokens
// can take, and whoever was asked may have erred.
const longest = time.Minute

// standsFor returns for how long a failure stands before the same token is asked about
// again: for a moment, or for as long as whoever was asked wants to be left alone, but for
// no longer than half of what an answer would serve, so that whoever lives by an answer for
// some ages more has another in time, nor than a minute. Others' tokens are asked about all
// the same: it may be busy with this one alone, which its bearer can bring about.
func (a *Asker) standsFor(err error) (wait time.Duration) {
	wait = stands
	defer func() { _ = recover() }() // from a method of the program's error
	var busy interface{ RetryAfter() time.Duration }
	if errors.As(err, &busy) {
		wait = max(stands, min(busy.RetryAfter(), a.cfg.Age/2, longest))
	}
	return wait
}
