package strangers

import (
	"container/list"
	"time"
)

const (
	firstBackoff = 15 * time.Second
	maxBackoff   = 10 * time.Minute
)

// failures remembers the issuers whose first contact failed, so that they are
// left alone for a while, longer from time to time. When there are too many the
// oldest is evicted.
type failures struct {
	max    int
	byName map[string]*list.Element
	order  *list.List // of *failure, the newest in front
}

type failure struct {
	name  string
	times int
	until time.Time
}

func newFailures(limit int) failures {
	return failures{max: limit, byName: map[string]*list.Element{}, order: list.New()}
}

// has reports whether the issuer is to be left alone now.
func (f *failures) has(name string, now time.Time) bool {
	e := f.byName[name]
	return e != nil && now.Before(e.Value.(*failure).until)
}

// add notes a failure and reports whether it is news.
func (f *failures) add(name string, now time.Time) bool {
	e := f.byName[name]
	if e == nil {
		e = f.order.PushFront(&failure{name: name})
		f.byName[name] = e
	}
	f.order.MoveToFront(e)
	failed := e.Value.(*failure)
	wait := maxBackoff
	if failed.times < 6 {
		wait = min(firstBackoff<<failed.times, maxBackoff)
	}
	failed.times++
	failed.until = now.Add(wait)
	if f.order.Len() > f.max {
		f.remove(f.order.Back().Value.(*failure).name)
	}
	return failed.times == 1
}

func (f *failures) remove(name string) {
	if e := f.byName[name]; e != nil {
		f.order.Remove(e)
		delete(f.byName, name)
	}
}
