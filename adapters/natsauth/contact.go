package natsauth

import (
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A contact makes the calls of one Follow, one at a time, and puts off those that
// report a loss. The reading goes on meanwhile, with waits of its own, so that a
// timer reports the loss.
type contact struct {
	grace    time.Duration
	apply    func(oidcauth.Revocation)
	caughtUp func(bool)

	mu      sync.Mutex // held during each call; guards what follows
	current bool       // as told
	changes int        // by which a timer knows that what it waited for is over
	timer   *time.Timer
}

// take passes one revocation on.
func (c *contact) take(r oidcauth.Revocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apply(r)
}

// back reports that all there is was passed on.
func (c *contact) back() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disarm()
	c.current = true
	c.caughtUp(true)
}

// lost reports that revocations may be missing: at once if they are known to be, or
// if nothing was complete before, and else at the end of the grace since the
// first loss.
func (c *contact) lost(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.current || c.grace == 0 || certain(cause) {
		c.disarm()
		c.tellLost()
		return
	}
	if c.timer == nil {
		change := c.changes
		c.timer = time.AfterFunc(c.grace, func() { c.over(change) })
	}
}

// certain reports whether a loss is more than a possibility, or will last.
func certain(cause error) bool {
	return errors.Is(cause, errStalled) || errors.Is(cause, errReplaced) ||
		errors.Is(cause, errLossy) || errors.Is(cause, errClosed)
}

// over is called when the grace is. It runs on the timer's goroutine.
func (c *contact) over(change int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == change {
		c.tellLost()
	}
}

// end makes sure that no call is made any more.
func (c *contact) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disarm()
}

// disarm takes the timer back. c.mu must be held.
func (c *contact) disarm() {
	c.changes++
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// tellLost must be called with c.mu held.
func (c *contact) tellLost() {
	c.current = false
	c.caughtUp(false)
}
