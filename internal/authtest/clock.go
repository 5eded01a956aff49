package authtest

import (
	"sync/atomic"
	"time"
)

// A Clock is one that can be set. The zero value is right. It is safe for
// concurrent use.
type Clock struct{ ahead atomic.Int64 }

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Set sets how much the clock is ahead.
func (c *Clock) Set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }
