package watch

import (
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
)

const (
	// maxWaiting is how many events wait for their turn at most.
	maxWaiting = 1 << 18

	// chunkSize is how many are kept in one piece of memory, so that no others are
	// copied while one is added.
	chunkSize = 256

	// closeTime is how long Close waits for hooks.
	closeTime = time.Second
)

// A queue has events told in their order, by a goroutine that is there only while
// there are any. Whoever adds one never waits for a hook.
type queue struct {
	tell func(*event)

	mu      sync.Mutex // guards what follows
	chunks  [][]event  // each of chunkSize at most; the first is told first
	waiting int        // events in them
	lost    int        // for want of room, since the last that found some
	live    int        // sessions
	idle    chan struct{}
}

// add has an event told after all others.
func (q *queue) add(e event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch e.kind {
	case sessionStarted:
		q.live++
	case sessionEnded:
		q.live--
	}
	e.session.Live = q.live
	if q.waiting >= maxWaiting {
		q.lost++
		return
	}
	q.append(e)
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.work(q.idle) // ends when nothing waits
	}
}

// append puts an event behind the others. The lock must be held.
func (q *queue) append(e event) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last]) == cap(q.chunks[last]) {
		q.chunks = append(q.chunks, make([]event, 0, min(chunkSize, max(8, q.waiting))))
		last++
	}
	q.chunks[last] = append(q.chunks[last], e)
	q.waiting++
}

// lostEvent tells of the events that were lost. The lock must be held.
func (q *queue) lostEvent() event {
	e := event{kind: missed, rare: authtrace.Missed{Events: q.lost, Live: q.live}}
	q.lost = 0
	return e
}

// next returns the events to be told next, or none when the work is done. It alone
// makes room: what was lost until then came behind all that wait.
func (q *queue) next() []event {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lost > 0 {
		q.append(q.lostEvent())
	}
	if q.waiting == 0 {
		close(q.idle)
		q.idle, q.chunks = nil, nil
		return nil
	}
	first := q.chunks[0]
	q.chunks = slices.Delete(q.chunks, 0, 1)
	q.waiting -= len(first)
	return first
}

// work tells events until none waits.
func (q *queue) work(idle chan struct{}) {
	var rest []event
	done := false
	defer func() {
		if !done { // a hook has ended its goroutine
			go q.resume(idle, rest)
		}
	}()
	for events := q.next(); len(events) > 0; events = q.next() {
		for i := range events {
			rest = events[i+1:]
			q.tell(&events[i])
		}
	}
	done = true
}

// resume goes on behind an event whose hook ended the goroutine it was called by.
func (q *queue) resume(idle chan struct{}, rest []event) {
	if len(rest) > 0 {
		q.mu.Lock()
		q.chunks = append([][]event{rest[:len(rest):len(rest)]}, q.chunks...)
		q.waiting += len(rest)
		q.mu.Unlock()
	}
	q.work(idle)
}

// drain waits until nothing waits, and no longer than limit.
func (q *queue) drain(limit time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return
	}
	select {
	case <-idle:
	case <-time.After(limit):
	}
}
