package oidcauth

import (
	"container/list"
	"time"
)

// inUse is how long an issuer counts as in use after its last token.
const inUse = 10 * time.Minute

// openTable holds the issuers that strangers have named, in two generations:
// those that have verified an accepted token, and those on probation. What is
// made up never leaves the second, so that no number of made-up issuers gets at
// one of the first. A part of the room is kept for probation, so that the first
// generation cannot shut newcomers out.
type openTable struct {
	max       int
	maxProven int
	issuers   map[string]*openIssuer
	proven    *list.List // of *openIssuer, the last used in front
	probation *list.List
}

// A place is where an issuer stands in the table.
type place struct {
	element *list.Element
	proven  bool // in the first generation
	reached bool // the first contact is over and went well
	seen    time.Time
}

func newOpenTable(limit int) openTable {
	return openTable{
		max: limit, maxProven: limit - max(1, limit/8),
		issuers: map[string]*openIssuer{}, proven: list.New(), probation: list.New(),
	}
}

func (t *openTable) generation(i *openIssuer) *list.List {
	if i.proven {
		return t.proven
	}
	return t.probation
}

func (t *openTable) add(i *openIssuer, now time.Time) {
	t.issuers[i.trust.url] = i
	i.seen = now
	i.element = t.probation.PushFront(i)
}

func (t *openTable) remove(i *openIssuer) {
	delete(t.issuers, i.trust.url)
	t.generation(i).Remove(i.element)
}

func (t *openTable) use(i *openIssuer, now time.Time) {
	i.seen = now
	t.generation(i).MoveToFront(i.element)
}

// move puts an issuer at the front of the other generation.
func (t *openTable) move(i *openIssuer) {
	t.generation(i).Remove(i.element)
	i.proven = !i.proven
	i.element = t.generation(i).PushFront(i)
}

// prove puts an issuer into the first generation, if there is room or one in it
// that is not in use.
func (t *openTable) prove(i *openIssuer, now time.Time) {
	if i.proven {
		return
	}
	if t.proven.Len() >= t.maxProven {
		idle := t.last(t.proven, now, func(i *openIssuer) bool { return !i.inUse(now) })
		if idle == nil {
			return
		}
		t.move(idle)
	}
	t.move(i)
}

// evict takes the issuer out that is missed least, or returns nil. Its key set
// is retired: nobody can hold it any more, and it remains to be closed.
func (t *openTable) evict(now time.Time) *openIssuer {
	i := t.last(t.probation, now, func(i *openIssuer) bool { return i.reached && i.trust.keys.Retire() })
	if i == nil {
		i = t.last(t.proven, now, func(i *openIssuer) bool { return !i.inUse(now) && i.trust.keys.Retire() })
	}
	if i != nil {
		t.remove(i)
	}
	return i
}

// last returns the issuer that was used least recently among those that fit. An
// issuer whose tokens are all in the cache is used without the table's
// knowledge; it is moved to where it belongs on the way.
func (t *openTable) last(generation *list.List, now time.Time, fits func(*openIssuer) bool) *openIssuer {
	e := generation.Back()
	for range generation.Len() {
		i := e.Value.(*openIssuer)
		e = e.Prev()
		if used := i.trust.keys.LastUsed(); used.After(i.seen) {
			i.seen = used
			if now.Sub(used) < inUse {
				generation.MoveToFront(i.element)
				continue
			}
		}
		if fits(i) {
			return i
		}
	}
	return nil
}

func (i *openIssuer) inUse(now time.Time) bool { return now.Sub(i.seen) < inUse }

const (
	firstShun = 15 * time.Second
	maxShun   = 10 * time.Minute
)

// failedIssuers remembers the issuers whose first contact failed, so that they
// are left alone for a while, longer from time to time. When there are too many
// it forgets the oldest.
type failedIssuers struct {
	max    int
	byName map[string]*list.Element
	order  *list.List // of *failedIssuer, the newest in front
}

type failedIssuer struct {
	name  string
	times int
	until time.Time
}

func newFailedIssuers(limit int) failedIssuers {
	return failedIssuers{max: limit, byName: map[string]*list.Element{}, order: list.New()}
}

// has reports whether the issuer is to be left alone now.
func (f *failedIssuers) has(name string, now time.Time) bool {
	e := f.byName[name]
	return e != nil && now.Before(e.Value.(*failedIssuer).until)
}

// add notes a failure and reports whether it is news.
func (f *failedIssuers) add(name string, now time.Time) bool {
	e := f.byName[name]
	if e == nil {
		e = f.order.PushFront(&failedIssuer{name: name})
		f.byName[name] = e
	}
	f.order.MoveToFront(e)
	failure := e.Value.(*failedIssuer)
	wait := maxShun
	if failure.times < 6 {
		wait = min(firstShun<<failure.times, maxShun)
	}
	failure.times++
	failure.until = now.Add(wait)
	if f.order.Len() > f.max {
		f.remove(f.order.Back().Value.(*failedIssuer).name)
	}
	return failure.times == 1
}

func (f *failedIssuers) remove(name string) {
	if e := f.byName[name]; e != nil {
		f.order.Remove(e)
		delete(f.byName, name)
	}
}

// budget allows something so many times a second, and so many times at once
// after a pause.
type budget struct {
	rate, burst float64
	left        float64
	at          time.Time
}

func newBudget(rate, burst float64) budget { return budget{rate: rate, burst: burst, left: burst} }

// wait returns how long there will be nothing left; zero means now.
func (b *budget) wait(now time.Time) time.Duration {
	if !b.at.IsZero() {
		b.left = min(b.burst, b.left+b.rate*max(0, now.Sub(b.at).Seconds()))
	}
	b.at = now
	if b.left >= 1-1e-6 { // what rounding has taken is not worth a wait
		return 0
	}
	return max(time.Duration((1-b.left)/b.rate*float64(time.Second)), 1)
}

// take uses up one of what wait has found.
func (b *budget) take() { b.left-- }
