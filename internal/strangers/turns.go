package strangers

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
)

const (
	minWaiting = 8
	maxWaiting = 64

	patience  = 2 * time.Second // for which a turn is waited for
	lent      = time.Second     // for which a place at issuers of strangers is safe: see turns
	busyRetry = time.Second     // when one who was turned away may ask again
)

// turns decides which request to strangers' issuers is made next: so many at
// once, so many a second, and among those that wait the one whose caller had a
// turn the longest time ago. When all places are taken, the caller who holds most
// gives one up. All methods are safe for concurrent use.
type turns struct {
	places   int
	capacity int // of those that wait

	// lent is for how long a place is nobody else's, unless its caller holds more than
	// their share. Where a stranger chooses who is asked, and that may never answer, it is
	// short. Where all ask the same, who may be slow, it is as long as an answer may take:
	// else each would be given up for another, and nobody answered while many wait.
	lent time.Duration

	mu       sync.Mutex // guards all below, and all turns
	rate     budget
	accounts accounts
	running  []*turn // by their beginning
	waiting  []*turn // by their arrival
	heir     *turn   // waits for the place of one that was told to end
	timer    *time.Timer
	closed   bool
}

// A turn is one request, or one first contact, that waits for its time or has
// it. Its context ends when the turn does.
type turn struct {
	turns    *turns
	ctx      context.Context
	cancel   context.CancelCauseFunc
	accounts []*account    // of callers who ask for it
	ready    chan struct{} // closed when the wait is over
	err      error         // why the turn did not come; valid once ready is closed
	arrived  time.Time
	began    time.Time
}

// capacity returns how many may wait for so many turns a second: not many more
// than have one while they do, since nobody should wait in vain.
func capacity(rate float64) int {
	return int(min(max(rate*patience.Seconds(), minWaiting), maxWaiting))
}

func newTurns(places, capacity int, rate, burst float64) *turns {
	q := &turns{places: places, capacity: capacity, lent: lent, rate: newBudget(rate, burst), accounts: accounts{}}
	q.timer = time.AfterFunc(math.MaxInt64, q.wake)
	q.timer.Stop()
	return q
}

// ask stands in line for callers. It is a [*keyset.PostponedError] when too many
// stand there already, and [ErrClosed] after close. Whoever gets a turn must call
// its end.
func (q *turns) ask(ctx context.Context, callers []netip.Addr) (*turn, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrClosed
	}
	now := time.Now()
	t := &turn{turns: q, ready: make(chan struct{}), arrived: now}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	q.waiting = append(q.waiting, t)
	for _, caller := range callers {
		t.add(q.accounts.of(caller, now))
	}
	q.serve(now)
	if len(q.waiting) > q.capacity {
		q.turnAway(q.leastEntitled(), q.busy(now))
	}
	if t.decided() && t.err != nil {
		t.cancel(t.err)
		return nil, t.err
	}
	return t, nil
}

// share puts a turn on the account of one more caller: it is as near, and its
// place as safe, as that of whoever has the best claim.
func (t *turn) share(caller netip.Addr) {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	if t.over() {
		return
	}
	a := t.turns.accounts.of(caller, time.Now())
	if len(t.accounts) < maxShares {
		t.add(a)
		return
	}
	// Whoever was there first may have come only to be there first.
	if worst := slices.MaxFunc(t.accounts, byClaim); byClaim(a, worst) < 0 && !slices.Contains(t.accounts, a) {
		t.drop(worst)
		t.add(a)
	}
}

// wait returns nil when the turn has come, and else why it will not.
func (t *turn) wait() error {
	select {
	case <-t.ready:
		return t.err
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}

// decided reports whether the wait is over.
func (t *turn) decided() bool {
	select {
	case <-t.ready:
		return true
	default:
		return false
	}
}

// end gives the place up, or the wait for it. It may be called more than once.
func (t *turn) end() {
	if t.giveUp() {
		return
	}
	q := t.turns
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.running, t); i >= 0 {
		q.running = slices.Delete(q.running, i, i+1)
		for _, a := range t.accounts {
			a.running--
		}
		q.serve(time.Now())
	}
	t.cancel(context.Canceled)
}

// giveUp is end for a turn that has not come. It reports whether that is so.
func (t *turn) giveUp() bool {
	q := t.turns
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.waiting, t) {
		return false
	}
	q.turnAway(t, context.Canceled)
	q.serve(time.Now())
	t.cancel(context.Canceled)
	return true
}

// close turns everybody away, now and later. Those whose turn it is go on.
func (q *turns) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.timer.Stop()
	for len(q.waiting) > 0 {
		q.turnAway(q.waiting[0], ErrClosed)
	}
}

// idle reports whether nothing would be lost with the queue.
func (q *turns) idle(now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.running) == 0 && len(q.waiting) == 0 && q.rate.full(now)
}

func (q *turns) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.serve(time.Now())
	}
}

// serve gives turns to those whose time has come. q.mu must be held, as for all
// methods below.
func (q *turns) serve(now time.Time) {
	for len(q.waiting) > 0 && now.Sub(q.waiting[0].arrived) >= patience {
		q.turnAway(q.waiting[0], q.busy(now))
	}
	for len(q.waiting) > 0 && q.rate.wait(now) == 0 {
		if len(q.running) >= q.places {
			q.reclaim(now)
			break
		}
		q.begin(q.next(), now)
	}
	q.arm(now)
}

// next returns whose turn it is.
func (q *turns) next() *turn {
	if q.heir != nil {
		return q.heir
	}
	return slices.MinFunc(q.waiting, bySeniority)
}

func (q *turns) begin(t *turn, now time.Time) {
	q.leave(t)
	q.rate.take()
	q.running = append(q.running, t)
	t.began = now
	for _, a := range t.accounts {
		a.running++
		a.served = now
	}
	close(t.ready)
}

// turnAway ends a wait without a turn.
func (q *turns) turnAway(t *turn, why error) {
	q.leave(t)
	t.err = why
	close(t.ready)
}

// leave takes a turn out of the line.
func (q *turns) leave(t *turn) {
	i := slices.Index(q.waiting, t)
	q.waiting = slices.Delete(q.waiting, i, i+1)
	for _, a := range t.accounts {
		a.waiting--
	}
	if q.heir == t {
		q.heir = nil
	}
}

// reclaim has a turn give its place to one that waits, if there is one with
// a better claim to it, one at a time.
func (q *turns) reclaim(now time.Time) {
	if q.heir != nil {
		return
	}
	// Of those who hold most, the one that began first: it is the likeliest to
	// wait for an issuer that will never answer.
	holder := slices.MaxFunc(q.running, func(a, b *turn) int { return a.held() - b.held() })
	for _, t := range slices.SortedFunc(slices.Values(q.waiting), bySeniority) {
		if !q.mayTake(t, holder, now) {
			continue
		}
		q.heir = t
		holder.cancel(q.busy(now))
		return
	}
}

// mayTake reports whether the place of holder is due to t.
func (q *turns) mayTake(t, holder *turn, now time.Time) bool {
	surplus := holder.held() - t.held()
	return surplus > 1 || surplus >= 0 && now.Sub(holder.began) >= q.lent
}

// leastEntitled returns who goes when more wait than may: a turn of the caller
// with most, and of those the one who had a turn last. Which of that caller's, is
// left to chance: they may be many callers behind one address, of whom the first
// or the last would always be the same.
func (q *turns) leastEntitled() *turn {
	least, alike := q.waiting[0], 1
	for _, t := range q.waiting[1:] {
		c := cmp.Or(cmp.Compare(t.queued(), least.queued()), t.served().Compare(least.served()))
		if c > 0 {
			least, alike = t, 1
		} else if c == 0 {
			if alike++; rand.IntN(alike) == 0 {
				least = t
			}
		}
	}
	return least
}

func (q *turns) busy(now time.Time) error {
	return &keyset.PostponedError{RetryAfter: max(busyRetry, q.rate.wait(now))}
}

// arm sets the timer for the next thing that time alone brings about.
func (q *turns) arm(now time.Time) {
	if len(q.waiting) == 0 || q.closed {
		q.timer.Stop()
		return
	}
	next := q.waiting[0].arrived.Add(patience).Sub(now)
	if wait := q.rate.wait(now); wait > 0 {
		next = min(next, wait)
	} else if q.heir == nil {
		for _, t := range q.running {
			if due := t.began.Add(q.lent).Sub(now); due > 0 {
				next = min(next, due)
			}
		}
	}
	q.timer.Reset(next)
}

// over reports whether the turn has ended, or will not come.
func (t *turn) over() bool {
	return !slices.Contains(t.turns.running, t) && !slices.Contains(t.turns.waiting, t)
}
