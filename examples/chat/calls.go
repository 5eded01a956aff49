package main

import "sync"

// maxCalls is how many calls of one client wait for the one that is answered.
const maxCalls = 16

// calls are answered one after the other, apart from the reading: a new token must not wait
// for a slow call, nor the end of the connection. A goroutine answers while there are some,
// so that a client who calls nothing costs none.
type calls struct {
	answering sync.WaitGroup

	mu      sync.Mutex // guards all below
	waiting []frame
	running bool
}

// put has a call answered. It reports whether there was room for it.
func (c *calls) put(f frame, answer func(frame)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxCalls {
		return false
	}
	c.waiting = append(c.waiting, f)
	if !c.running {
		c.running = true
		c.answering.Go(func() { c.run(answer) })
	}
	return true
}

func (c *calls) run(answer func(frame)) {
	for f, more := c.next(); more; f, more = c.next() {
		answer(f)
	}
}

// next takes the call that is to be answered next. Without one the goroutine's work is done.
func (c *calls) next() (f frame, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.waiting, c.running = nil, false
		return f, false
	}
	f, c.waiting = c.waiting[0], c.waiting[1:]
	return f, true
}

// stop drops what waits, and returns once the call under way is answered. Nothing is put
// afterwards.
func (c *calls) stop() {
	c.mu.Lock()
	c.waiting = nil
	c.mu.Unlock()
	c.answering.Wait()
}
