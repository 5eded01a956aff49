package revoked

import (
	"container/list"
	"sync"
	"time"
)

// A waitingEntry holds in this process and is not in the log yet.
type waitingEntry struct {
	Revocation
	keeping keeping
	file    string // in the directory; empty in memory only
	unsure  string // a file that could not be written for sure, and may be there; guarded by filing
}

// A queue holds the revocations that wait.
type queue struct {
	wake chan struct{} // filled when trying makes sense at once

	mu        sync.Mutex // guards what follows
	order     *list.List // of *waitingEntry
	byPattern map[Revocation][]*list.Element
	files     int // how many are in the directory
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), order: list.New(), byPattern: make(map[Revocation][]*list.Element)}
}

func waiting(e *list.Element) *waitingEntry { return e.Value.(*waitingEntry) }

// covering returns what waits and revokes all that r does, or nil.
func (q *queue) covering(r *Revocation) *waitingEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.byPattern[r.pattern()] {
		if w := waiting(e); w.covers(r) {
			return w
		}
	}
	return nil
}

// covered returns what waits and revokes nothing that r does not.
func (q *queue) covered(r *Revocation) []*waitingEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []*waitingEntry
	for _, e := range q.byPattern[r.pattern()] {
		if w := waiting(e); r.covers(&w.Revocation) {
			all = append(all, w)
		}
	}
	return all
}

// add puts a revocation at the end.
func (q *queue) add(w *waitingEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := w.pattern()
	q.byPattern[key] = append(q.byPattern[key], q.order.PushBack(w))
	if w.file != "" {
		q.files++
	}
}

// remove takes a revocation out. It reports whether it was there.
func (q *queue) remove(w *waitingEntry) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := w.pattern()
	elements := q.byPattern[key]
	for i, e := range elements {
		if waiting(e) != w {
			continue
		}
		q.order.Remove(e)
		if len(elements) == 1 {
			delete(q.byPattern, key)
		} else {
			q.byPattern[key] = append(elements[:i:i], elements[i+1:]...)
		}
		if w.file != "" {
			q.files--
		}
		return true
	}
	return false
}

// written notes the file of a revocation that waits.
func (q *queue) written(w *waitingEntry, file string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w.file = file
	q.files++
}

// first returns the first revocation that waits, or nil.
func (q *queue) first() *waitingEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.order.Len() == 0 {
		return nil
	}
	return waiting(q.order.Front())
}

// postpone moves a revocation to the end.
func (q *queue) postpone(w *waitingEntry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.byPattern[w.pattern()] {
		if waiting(e) == w {
			q.order.MoveToBack(e)
		}
	}
}

// over returns what waits and is over.
func (q *queue) over(now, mono time.Time) []*waitingEntry {
	return q.all(func(w *waitingEntry) bool { return w.keeping.over(now, mono) })
}

// all returns what waits and is meant.
func (q *queue) all(meant func(*waitingEntry) bool) []*waitingEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []*waitingEntry
	for e := q.order.Front(); e != nil; e = e.Next() {
		if w := waiting(e); meant(w) {
			all = append(all, w)
		}
	}
	return all
}

// count returns how many wait, and how many of them in memory only.
func (q *queue) count() (all, inMemory int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.order.Len(), q.order.Len() - q.files
}

// lasting is count of those that are not over by the clock.
func (q *queue) lasting(now time.Time) (all, inMemory int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.order.Front(); e != nil; e = e.Next() {
		w := waiting(e)
		if !now.Before(w.Until) {
			continue
		}
		all++
		if w.file == "" {
			inMemory++
		}
	}
	return all, inMemory
}

// wakeUp has the next attempt made at once.
func (q *queue) wakeUp() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
