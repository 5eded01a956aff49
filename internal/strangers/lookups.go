package strangers

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/panics"
)

// How lookups in the program's own table are bounded.
const (
	lookupPlaces  = 16
	lookupRate    = 100 // a second
	lookupTimeout = 10 * time.Second
	closeTime     = 5 * time.Second // for which Close waits for questions

	answerAge  = time.Minute      // for which an answer counts
	staleAge   = 10 * time.Minute // for which it does while there is no other
	sweepEvery = answerAge / 2
	recently   = 2 * answerAge // in use; key sets know it to the minute
	refreshers = 4             // at once
)

// LookupConfig says how issuers are looked up. All functions are needed.
type LookupConfig struct {
	Max int // issuers remembered

	// Ask returns what the program says of the issuer of a name, and nil if that is
	// nothing. Former is what it returned before, if that still counts: it may be
	// returned again if the program says the same.
	Ask func(ctx context.Context, name string, former any) (any, error)
	// Changed is told what counts in place of what; either may be nil. It is called
	// outside locks, before anybody is given what counts now.
	Changed func(former, now any)
	// Lapsed is told of what [Lookups.Holds] has become false. It is called outside locks.
	Lapsed func(data []any)
	// Used returns when the issuer was last used, and whether it must not be let go of.
	Used func(data any) (last time.Time, held bool)
	// Accepted reports whether any token of the issuer was accepted: else it may be there
	// only because somebody knows its name.
	Accepted func(data any) bool

	Logger *slog.Logger
}

// Lookups are the issuers that tokens have named and that the program knows in a
// table of its own. It is asked for one once, for all who wait, in turns by caller.
// All methods are safe for concurrent use.
type Lookups struct {
	cfg   LookupConfig
	turns *turns
	log   lineLog

	ctx    context.Context // ends with Close; questions run on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // questions

	mu     sync.Mutex // guards all below, and the answers
	closed bool
	known  map[string]*answer
	order  *list.List // of *answer, the last asked for in front
	asking map[string]*question
	absent absent
	timer  *time.Timer  // calls sweep while issuers are known
	due    [2][]*answer // that are to be asked for again; last those that could not be the last time
	askers int          // how many goroutines do so, refreshers at most
}

// An answer is what the program has said of a name.
type answer struct {
	name    string
	data    any
	asked   time.Time
	seen    time.Time // when a token last made somebody look
	lapsed  bool      // not to be relied on before it was asked for again
	element *list.Element
	queued  bool      // it is among those that are due
	failed  time.Time // when it could not be asked the last time; zero if it could
}

// age returns how old an answer is.
func (a *answer) age(now time.Time) time.Duration { return clocks.Age(now, a.asked) }

// serves reports whether an answer counts while there is no other. It may be called on
// nil.
func (a *answer) serves(now time.Time) bool { return a != nil && a.age(now) < staleAge }

// overdue reports whether an answer counts no longer that is to be asked for again, and
// stands in line for that. After a pause of the process, which makes all answers old, nobody
// has tried yet.
func (a *answer) overdue(now time.Time) bool { return a.queued && !a.serves(now) }

// fails reports whether an answer counts, and the next did not come a moment ago: nobody
// waits for that then, perhaps as long as a question may take, and again and again. It may
// be called on nil.
func (a *answer) fails(now time.Time) bool {
	return a.serves(now) && !a.failed.IsZero() && now.Sub(a.failed) < answerAge
}

// A question is one that the program is asked, for all who want to know.
type question struct {
	name    string
	former  *answer
	turn    *turn // nil if nobody waits for one
	waiters int
	done    chan struct{}
	data    any // valid once done is closed, as err is
	err     error
}

// NewLookups makes Lookups. They ask nothing until somebody wants to know.
func NewLookups(cfg LookupConfig) *Lookups {
	l := &Lookups{
		cfg: cfg, turns: newTurns(lookupPlaces, maxWaiting, lookupRate, lookupRate),
		known: map[string]*answer{}, order: list.New(), asking: map[string]*question{},
		absent: absent{max: 4 * min(cfg.Max, math.MaxInt/4)}, log: newLineLog(cfg.Logger),
	}
	l.turns.lent = lookupTimeout
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.timer = time.AfterFunc(sweepEvery, l.sweep)
	l.timer.Stop()
	return l
}

// Find returns what the program says of a name, nil for nothing, waiting for its
// answer if need be, on the account of caller, who is what [Account] returns. The
// error is the program's, a [*keyset.PostponedError] when it is not this caller's
// turn for too long, [ErrClosed], or that of ctx.
func (l *Lookups) Find(ctx context.Context, caller netip.Addr, name string) (any, error) {
	q, data, err := l.join(caller, name)
	if q == nil {
		return data, err
	}
	select {
	case <-q.done:
		return q.data, q.err
	case <-ctx.Done():
		l.leave(q)
		return nil, ctx.Err()
	}
}

// join returns what is known of a name, or the question whose answer to wait for.
func (l *Lookups) join(caller netip.Addr, name string) (*question, any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.closed {
		return nil, nil, ErrClosed
	}
	former := l.known[name]
	if former != nil {
		former.seen = now
		l.order.MoveToFront(former.element)
		if former.age(now) < answerAge {
			return nil, former.data, nil
		}
	}
	if former.fails(now) {
		former.lapsed = false
		if l.asking[name] == nil {
			l.askAgain(former, caller)
		}
		return nil, former.data, nil
	}
	if q := l.asking[name]; q != nil {
		q.waiters++
		if q.turn != nil {
			q.turn.share(caller)
		}
		return q, nil, nil
	}
	if former == nil && l.absent.has(name, now) {
		return nil, nil, nil
	}
	q := &question{name: name, former: former, waiters: 1, done: make(chan struct{})}
	var err error
	if q.turn, err = l.turns.ask(l.ctx, []netip.Addr{caller}); err != nil {
		if former.serves(now) {
			former.lapsed = false
			return nil, former.data, nil
		}
		return nil, nil, err
	}
	l.asking[name] = q
	l.wg.Go(func() { l.run(q) })
	return q, nil, nil
}

// askAgain asks on a caller's account for what nobody waits for, unless it is not their
// turn. l.mu must be held.
func (l *Lookups) askAgain(former *answer, caller netip.Addr) {
	turn, err := l.turns.ask(l.ctx, []netip.Addr{caller})
	if err != nil {
		return
	}
	q := &question{name: former.name, former: former, turn: turn, done: make(chan struct{})}
	l.asking[former.name] = q
	l.wg.Go(func() { l.run(q) })
}

// leave notes that one less waits for an answer. The last takes a question along
// whose turn has not come.
func (l *Lookups) leave(q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.waiters--; q.waiters == 0 && q.turn != nil && q.turn.giveUp() {
		delete(l.asking, q.name) // so that nobody joins it who comes before it has ended
	}
}

// run waits for the question's turn, asks, and settles what comes of it. It ends with
// patience and lookupTimeout, or with Close.
func (l *Lookups) run(q *question) {
	ctx := l.ctx
	if q.turn != nil {
		defer q.turn.end()
		if err := q.turn.wait(); err != nil {
			l.settle(q, nil, err)
			return
		}
		ctx = q.turn.ctx
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var former any
	if q.former != nil {
		former = q.former.data
	}
	data, err := l.call(ctx, q.name, former)
	if taken, ok := errors.AsType[*keyset.PostponedError](context.Cause(ctx)); ok && err != nil {
		err = taken
	}
	l.settle(q, data, err)
}

// call asks the program, whose function gets a name that anybody may have written. A
// panic of it, or an end of its goroutine, must not end the server, nor leave those
// waiting who wait for it.
func (l *Lookups) call(ctx context.Context, name string, former any) (data any, err error) {
	err = panics.Run(func() error {
		answer, err := l.cfg.Ask(ctx, name, former)
		data = answer
		return err
	})
	return data, err
}

// settle notes the answer and lets those go who wait for it.
func (l *Lookups) settle(q *question, data any, err error) {
	former, now := l.note(q, data, err)
	if former != now {
		l.cfg.Changed(former, now)
	}
	l.tell(q, err)
	close(q.done)
}

// note changes what is known, and returns what was and what is.
func (l *Lookups) note(q *question, data any, err error) (former, now any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Now()
	if q.former != nil {
		former = q.former.data
	}
	if l.closed {
		q.err = ErrClosed
		return data, former // what was made for nothing is let go of
	}
	if l.asking[q.name] != q {
		return nil, nil // nobody waited for it, and it was not asked
	}
	delete(l.asking, q.name)
	switch {
	case err != nil && q.former.serves(at):
		q.data, q.former.lapsed, q.former.failed = former, false, failedAt(q.former, at, err)
		return former, former
	case err != nil:
		q.err = err
	case data == nil:
		l.absent.add(q.name, at)
	case q.former != nil:
		q.former.data, q.former.asked, q.former.lapsed, q.former.failed = data, at, false, time.Time{}
		q.data = data
		return former, data
	default:
		return l.add(q, data, at)
	}
	if q.former != nil {
		l.remove(q.former)
	}
	return former, nil
}

// failedAt returns when a question is known to have failed: that it was not time for it is
// nobody's failure.
func failedAt(a *answer, now time.Time, err error) time.Time {
	if _, postponed := errors.AsType[*keyset.PostponedError](err); postponed {
		return a.failed
	}
	return now
}

// add puts a new issuer in, and returns what it takes the place of.
func (l *Lookups) add(q *question, data any, at time.Time) (evicted, now any) {
	if len(l.known) >= l.cfg.Max {
		last := l.leastUsed(at)
		if last == nil {
			q.err = &keyset.PostponedError{RetryAfter: busyRetry}
			return data, nil
		}
		evicted = last.data
		l.remove(last)
	}
	a := &answer{name: q.name, data: data, asked: at, seen: at}
	a.element = l.order.PushFront(a)
	l.known[q.name] = a
	if len(l.known) == 1 {
		l.timer.Reset(sweepEvery)
	}
	q.data = data
	return evicted, data
}

func (l *Lookups) remove(a *answer) {
	delete(l.known, a.name)
	l.order.Remove(a.element)
}

// tell writes a line about an answer that did not come, or for which there is no room.
// That it was not time for the question is nobody's failure.
func (l *Lookups) tell(q *question, err error) {
	_, postponed := errors.AsType[*keyset.PostponedError](cmp.Or(err, q.err))
	switch {
	case err == nil && postponed:
		l.mu.Lock()
		known, asking := len(l.known), len(l.asking)
		l.mu.Unlock()
		l.log.flood(time.Now(), known, asking)
	case err == nil, postponed, errors.Is(err, context.Canceled), errors.Is(q.err, ErrClosed):
	default:
		l.log.line(time.Now(), slog.LevelWarn, "issuer cannot be looked up", slog.String("issuer", q.name), slog.String("error", err.Error()))
	}
}

// leastUsed returns the issuer that was last looked for the longest time ago, of those
// that may be let go of, or else of those of which no token was accepted: whoever knows
// the names of many keeps no other out by them. It is nil if there is none.
func (l *Lookups) leastUsed(now time.Time) *answer {
	var named *answer
	for e := l.order.Back(); e != nil; e = e.Prev() {
		a := e.Value.(*answer)
		if l.idle(a, now) {
			return a
		}
		if named == nil && l.isNamedAlone(a) {
			named = a
		}
	}
	return named
}

// isNamedAlone reports whether nothing is known to rest on the issuer, which may yet have
// been named a moment ago.
func (l *Lookups) isNamedAlone(a *answer) bool {
	_, held := l.cfg.Used(a.data)
	return l.asking[a.name] == nil && !held && !l.cfg.Accepted(a.data)
}

// idle reports whether the issuer may be let go of.
func (l *Lookups) idle(a *answer, now time.Time) bool {
	return l.asking[a.name] == nil && !l.usedSince(a, now.Add(-inUse))
}

func (l *Lookups) usedSince(a *answer, since time.Time) bool {
	last, held := l.cfg.Used(a.data)
	return held || last.After(since) || a.seen.After(since)
}

// sweep has asked anew for the issuers in use, and lets go of those that are not, and of
// what could not be asked for in time: where answers are slow and issuers many, it may stand
// in line for long, and whoever rests on it does not look. What was not used for a while and
// not asked for is not to be relied on.
func (l *Lookups) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := time.Now()
	var gone, lapsed []any
	for name, a := range l.known {
		switch asking := l.asking[name] != nil; {
		case asking && !a.serves(now) && !a.lapsed:
			a.lapsed, lapsed = true, append(lapsed, a.data) // until there is an answer
		case !asking && a.overdue(now):
			l.remove(a)
			gone = append(gone, a.data)
		case asking || a.queued || a.age(now) < sweepEvery:
		case l.usedSince(a, now.Add(-recently)):
			l.enqueue(a)
		case l.idle(a, now):
			l.remove(a)
			gone = append(gone, a.data)
		case a.age(now) >= answerAge && !a.lapsed:
			a.lapsed, lapsed = true, append(lapsed, a.data)
		}
	}
	l.forgetGone()
	askers := min(refreshers-l.askers, len(l.due[0])+len(l.due[1]))
	l.askers += askers
	l.wg.Go(func() { l.follow(gone, lapsed, askers) })
	if len(l.known) > 0 {
		l.timer.Reset(sweepEvery)
	}
}

// follow does what a sweep has found to be done.
func (l *Lookups) follow(gone, lapsed []any, askers int) {
	for _, data := range gone {
		l.cfg.Changed(data, nil)
	}
	if len(lapsed) > 0 {
		l.cfg.Lapsed(lapsed)
	}
	for range askers {
		l.wg.Go(func() {
			for q := l.again(); q != nil; q = l.again() {
				l.run(q)
			}
		})
	}
}

// again returns the next question whether an answer still counts, or nil if there is none.
// Until then nobody waits for it: whoever needs an answer does not stand behind all that a
// sweep has asked anew. Those whose question failed the last time come last, since that
// takes long, perhaps.
func (l *Lookups) again() *question {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a := l.dequeue(); a != nil && !l.closed; a = l.dequeue() {
		if l.known[a.name] != a || l.asking[a.name] != nil || a.age(time.Now()) < sweepEvery {
			continue // it has been asked meanwhile
		}
		q := &question{name: a.name, former: a, done: make(chan struct{})}
		l.asking[a.name] = q
		return q
	}
	l.askers--
	return nil
}

// enqueue has an answer asked for again. l.mu must be held.
func (l *Lookups) enqueue(a *answer) {
	a.queued = true
	line := &l.due[0]
	if !a.failed.IsZero() {
		line = &l.due[1]
	}
	*line = append(*line, a)
}

// forgetGone takes out of line what is known no longer, where that is most of it: while all
// who ask wait for a table that hangs, nobody else does. l.mu must be held.
func (l *Lookups) forgetGone() {
	for i, line := range l.due {
		if len(line) > 2*len(l.known) {
			l.due[i] = slices.DeleteFunc(line, func(a *answer) bool { return l.known[a.name] != a })
		}
	}
}

// dequeue returns the next that is to be asked for again, or nil. It takes the same time
// however many there are. l.mu must be held.
func (l *Lookups) dequeue() *answer {
	for i := range l.due {
		if line := l.due[i]; len(line) > 0 {
			a := line[0]
			line[0], l.due[i] = nil, line[1:]
			a.queued = false
			return a
		}
	}
	return nil
}

// Holds reports whether something is what counts for a name, and was asked for
// lately. It asks nobody.
func (l *Lookups) Holds(name string, is func(data any) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.known[name]
	return a != nil && !a.lapsed && is(a.data)
}

// Knows reports whether the program has said something of a name. It asks nobody.
func (l *Lookups) Knows(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[name] != nil
}

// Each calls do for all that is known.
func (l *Lookups) Each(do func(data any)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.known {
		do(a.data)
	}
}

// Close ends questions and turns away who waits. What is known is let go of.
func (l *Lookups) Close() {
	l.mu.Lock()
	l.closed = true
	known := l.known
	l.known = map[string]*answer{}
	l.timer.Stop()
	l.mu.Unlock()
	l.turns.close() // first, so that no place that a question leaves is anybody's
	l.cancel()
	l.awaitQuestions()
	for _, a := range known {
		l.cfg.Changed(a.data, nil)
	}
}

// awaitQuestions waits for the program to return, as it should when its context ends, for no
// longer than closeTime. What it says later is let go of.
func (l *Lookups) awaitQuestions() {
	done := make(chan struct{})
	go func() { l.wg.Wait(); close(done) }()
	patience := time.NewTimer(closeTime)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
	}
}

// absent remembers for a minute the names that the program knows nothing of. When
// there are too many the oldest is left out.
type absent struct {
	max   int
	until map[string]time.Time
	order []string // the oldest first
}

func (n *absent) has(name string, now time.Time) bool { return now.Before(n.until[name]) }

func (n *absent) add(name string, now time.Time) {
	if n.until == nil {
		n.until = map[string]time.Time{}
	}
	for len(n.order) > 0 && (len(n.order) >= n.max || !n.has(n.order[0], now)) {
		delete(n.until, n.order[0])
		n.order = n.order[1:]
	}
	if _, known := n.until[name]; !known {
		n.order = append(n.order, name)
	}
	n.until[name] = now.Add(answerAge)
}
