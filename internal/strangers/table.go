package strangers

import (
	"container/list"
	"time"
)

// inUse is how long an issuer counts as in use after its last token.
const inUse = 10 * time.Minute

// table holds the issuers that tokens have named, in two generations: those that
// have verified an accepted token, and those on probation. What is made up never
// leaves the second, so that no number of made-up issuers gets at one of the
// first. A part of the capacity is kept for probation, so that the first
// generation cannot keep newcomers out.
type table struct {
	max       int
	maxProven int
	issuers   map[string]*Issuer
	proven    *list.List // of *Issuer, the last used in front
	probation *list.List
}

// A position is where an issuer stands in the table.
type position struct {
	element *list.Element
	proven  bool // in the first generation
	reached bool // the first contact is over and went well
	seen    time.Time
}

func newTable(limit int) table {
	return table{
		max: limit, maxProven: limit - max(1, limit/8),
		issuers: map[string]*Issuer{}, proven: list.New(), probation: list.New(),
	}
}

func (t *table) generation(i *Issuer) *list.List {
	if i.proven {
		return t.proven
	}
	return t.probation
}

func (t *table) add(i *Issuer, now time.Time) {
	t.issuers[i.name] = i
	i.seen = now
	i.element = t.probation.PushFront(i)
}

// remove takes an issuer out, unless another one of its name stands there by now.
func (t *table) remove(i *Issuer) {
	if t.issuers[i.name] == i {
		delete(t.issuers, i.name)
		t.generation(i).Remove(i.element)
	}
}

func (t *table) use(i *Issuer, now time.Time) {
	i.seen = now
	t.generation(i).MoveToFront(i.element)
}

// move puts an issuer at the front of the other generation.
func (t *table) move(i *Issuer) {
	t.generation(i).Remove(i.element)
	i.proven = !i.proven
	i.element = t.generation(i).PushFront(i)
}

// prove puts an issuer into the first generation, if that has capacity left or
// one in it that is not in use.
func (t *table) prove(i *Issuer, now time.Time) {
	if i.proven {
		return
	}
	if t.proven.Len() >= t.maxProven {
		idle := t.last(t.proven, now, func(i *Issuer) bool { return !i.inUse(now) })
		if idle == nil {
			return
		}
		t.move(idle)
	}
	t.move(i)
}

// evict takes the issuer out that is missed least, or returns nil. Its key set
// is retired: nobody can hold it any more, and it remains to be closed.
func (t *table) evict(now time.Time) *Issuer {
	i := t.last(t.probation, now, func(i *Issuer) bool { return i.reached && i.keys.Retire() })
	if i == nil {
		i = t.last(t.proven, now, func(i *Issuer) bool { return !i.inUse(now) && i.keys.Retire() })
	}
	if i != nil {
		t.remove(i)
	}
	return i
}

// last returns the issuer that was used least recently among those that fit. An
// issuer whose tokens are all in the program's cache is used without the table's
// knowledge; it is moved to where it belongs on the way.
func (t *table) last(generation *list.List, now time.Time, fits func(*Issuer) bool) *Issuer {
	e := generation.Back()
	for range generation.Len() {
		i := e.Value.(*Issuer)
		e = e.Prev()
		if used := i.keys.LastUsed(); used.After(i.seen) {
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

func (i *Issuer) inUse(now time.Time) bool { return now.Sub(i.seen) < inUse }
