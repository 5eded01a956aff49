// Package alarm has things done at given instants of a clock that may be set.
//
// All alarms of one instant share one timer, because the expiries of tokens are
// whole seconds: when very many sessions end in the same one, no goroutine is
// made for each, and whoever else needs the lock waits for one batch at most.
package alarm

import (
	"runtime"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
)

const (
	// clockInterval is how soon a clock that was set, or a machine that slept,
	// is noticed: the runtime's timers follow neither.
	clockInterval = 10 * time.Second

	// clockTolerance is by how much clock and timers may drift apart.
	clockTolerance = 100 * time.Millisecond

	// maxWait bounds a timer; minWait keeps a clock that stands still from
	// setting one off without pause.
	maxWait = 24 * time.Hour
	minWait = time.Millisecond

	// batchSize is how many alarms are taken off under one hold of the lock.
	batchSize = 64
)

// An Alarm is something to be done for a T at some instant. The zero Alarm is
// not set; For must be filled in before it is. An Alarm must not be copied.
type Alarm[T any] struct {
	For        T
	prev, next *Alarm[T]
	group      *group[T] // nil while the alarm is not set
}

// A group is the alarms of one instant.
type group[T any] struct {
	at    time.Time
	first *Alarm[T]
	timer *time.Timer
}

// An instant is a time as a map key. Unlike nanoseconds since 1970 it holds
// every time that a token can name.
type instant struct {
	sec  int64
	nsec int
}

func instantOf(t time.Time) instant { return instant{t.Unix(), t.Nanosecond()} }

// A Clock holds the alarms that are set. It is safe for concurrent use. When no
// alarm is set it has no timer.
type Clock[T any] struct {
	now func() time.Time
	due func(now time.Time, batch []T)

	mu      sync.Mutex // guards what follows, and all alarms
	groups  map[instant]*group[T]
	watcher *time.Timer // compares clock and timers while there are alarms
	wall    time.Time   // the clock when it and the timers last agreed
	mono    time.Time   // the same moment, for timers
}

// New returns a clock without alarms. An alarm that is set for a reading with a monotonic
// part, as now's are then, is due when what is left by that has passed by either clock: a
// sleep of the machine counts, and a clock that is set back holds up nothing.
// When the instant of some has come, due is
// called with what they are for, at most 64 at a time, on a timer's goroutine
// and without any lock of the clock's: it may set and unset alarms. What it is
// called with may have been set anew meanwhile, so that due has to look whether
// there still is something to do.
func New[T any](now func() time.Time, due func(now time.Time, batch []T)) *Clock[T] {
	return &Clock[T]{now: now, due: due, groups: make(map[instant]*group[T])}
}

// Set sets an alarm for t, also one that is set for another time.
func (c *Clock[T]) Set(m *Alarm[T], t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(m)
	now := c.now()
	if len(c.groups) == 0 {
		c.wall, c.mono = now.Round(0), time.Now()
		c.watcher = time.AfterFunc(clockInterval, c.watch)
	}
	t = anchored(t, now)
	key := instantOf(t)
	g := c.groups[key]
	if g == nil {
		g = &group[T]{at: t}
		g.timer = time.AfterFunc(min(clocks.Left(now, t), maxWait), func() { c.ring(g) })
		c.groups[key] = g
	}
	m.group, m.prev, m.next = g, nil, g.first
	if g.first != nil {
		g.first.prev = m
	}
	g.first = m
}

// anchored returns an instant that is as far from now by both clocks as it is by the
// monotonic one, if it has that: what was set or slept before is no part of it.
func anchored(t, now time.Time) time.Time {
	if t == t.Round(0) {
		return t
	}
	return now.Add(t.Sub(now))
}

// Unset takes back an alarm. One that is not set stays so.
func (c *Clock[T]) Unset(m *Alarm[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(m)
}

// remove takes an alarm that may be set out of its group. The lock must be held.
func (c *Clock[T]) remove(m *Alarm[T]) {
	g := m.group
	if g == nil {
		return
	}
	if m.next != nil {
		m.next.prev = m.prev
	}
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		g.first = m.next
	}
	m.group, m.prev, m.next = nil, nil, nil
	if g.first != nil {
		return
	}
	g.timer.Stop()
	delete(c.groups, instantOf(g.at))
	if len(c.groups) == 0 {
		c.watcher.Stop()
	}
}

// ring does what was to be done at an instant, a batch at a time. It runs on the
// timer's goroutine, which ends with it.
func (c *Clock[T]) ring(g *group[T]) {
	for {
		now, batch, more := c.take(g)
		if len(batch) > 0 {
			c.due(now, batch)
		}
		if !more {
			return
		}
		runtime.Gosched()
	}
}

// take unsets a batch of a group's alarms, if their instant has come by the
// clock, and reports whether there are more.
func (c *Clock[T]) take(g *group[T]) (now time.Time, batch []T, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = c.now()
	if early := clocks.Left(now, g.at); early > 0 {
		if g.first != nil {
			g.timer.Reset(min(max(early, minWait), maxWait))
		}
		return now, nil, false
	}
	for g.first != nil && len(batch) < batchSize {
		m := g.first
		c.remove(m)
		batch = append(batch, m.For)
	}
	return now, batch, g.first != nil
}

// watch compares the clock with the timers. When they no longer agree, all
// timers are set anew. It runs on its timer's goroutine, which ends with it.
func (c *Clock[T]) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.groups) == 0 {
		return
	}
	c.watcher.Reset(clockInterval)
	now, mono := c.now(), time.Now()
	wall := now.Round(0)
	if drift := wall.Sub(c.wall) - mono.Sub(c.mono); drift.Abs() <= clockTolerance {
		return
	}
	c.wall, c.mono = wall, mono
	for _, g := range c.groups {
		g.timer.Reset(min(max(clocks.Left(now, g.at), 0), maxWait))
	}
}
