package revoked

import (
	"container/heap"
	"math"
	"time"
)

// maxWait bounds the timer that drops what is over; minWait keeps a clock that
// stands still from setting it off without pause.
const (
	maxWait = 24 * time.Hour
	minWait = time.Millisecond
)

// maxLate bounds how many revocations are kept that were over on arrival.
const maxLate = 1 << 16

// nothingDropped is less than every offset of a clock.
const nothingDropped = math.MinInt64 / 2

// boundLate drops the first of those that were over on arrival when e makes them
// too many. The lock must be held.
func (l *List) boundLate(e *entry, now time.Time) {
	if now.Before(e.keeping.until) {
		return
	}
	l.late = append(l.late, e)
	for len(l.late) > 0 && (len(l.late) > maxLate || l.late[0].place < 0) {
		if first := l.late[0]; first.place >= 0 {
			l.dropOver(first, now)
		}
		l.late = l.late[1:]
	}
}

// dropOver drops a revocation that is over, and notes by what clock it is. The
// lock must be held.
func (l *List) dropOver(e *entry, now time.Time) {
	l.drop(e)
	l.dropped = max(l.dropped, l.clock.offset(now))
}

// arm sets the timer for the first revocation that ends. The lock must be held.
func (l *List) arm() {
	if len(l.byEnd) == 0 || l.closed {
		return
	}
	wait := min(max(time.Until(l.byEnd[0].keeping.least), minWait), maxWait)
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.sweep)
		return
	}
	l.timer.Reset(wait)
}

// sweep drops the revocations that are over. Where the clock says of one that it
// is not, it is looked at again when it should be.
func (l *List) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, mono := l.cfg.Now(), time.Now()
	for len(l.byEnd) > 0 && !mono.Before(l.byEnd[0].keeping.least) {
		e := l.byEnd[0]
		if e.keeping.over(now, mono) {
			l.dropOver(e, now)
			continue
		}
		e.keeping.least = mono.Add(max(e.keeping.until.Sub(now), minWait))
		heap.Fix(&l.byEnd, 0)
	}
	l.arm()
}

// droppedBy returns the greatest offset of the clock by which a revocation was
// dropped since the last call of resetDropped.
func (l *List) droppedBy() time.Duration {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dropped
}

// resetDropped is for a list that is about to get all revocations again.
func (l *List) resetDropped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = nothingDropped
}

// An entryQueue has the revocation at its front that is to be looked at first.
type entryQueue []*entry

func (q entryQueue) Len() int           { return len(q) }
func (q entryQueue) Less(i, j int) bool { return q[i].keeping.least.Before(q[j].keeping.least) }
func (q entryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements [heap.Interface].
func (q *entryQueue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

// Pop implements [heap.Interface].
func (q *entryQueue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
