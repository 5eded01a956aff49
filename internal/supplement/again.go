package supplement

import "sync"

// againAtOnce is how many of an issuer's answers are asked for again at once because
// their age is nearly over. Those of calls are put beside them.
const againAtOnce = 16

// An Again asks again for what live sessions rest on, so many at once, in the order in
// which it becomes due. It is safe for concurrent use, and has goroutines only while
// something is due. The zero value is ready for use.
type Again struct {
	mu      sync.Mutex // guards what follows
	due     []func()
	running int
	stopped bool
}

// Add adds what has become due, and ends by itself. It does not wait.
func (a *Again) Add(due func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return
	}
	a.due = append(a.due, due)
	if a.running < againAtOnce {
		a.running++
		go a.work()
	}
}

// Stop lets go of what is due, now and later, and waits for nothing.
func (a *Again) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped, a.due = true, nil
}

func (a *Again) work() {
	for {
		next, more := a.next()
		if !more {
			return
		}
		next()
	}
}

// next returns what has waited longest, or has the goroutine end.
func (a *Again) next() (next func(), more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.due) == 0 {
		a.running--
		a.due = nil
		return next, false
	}
	next, a.due = a.due[0], a.due[1:]
	return next, true
}
