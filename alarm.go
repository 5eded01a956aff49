package oidcauth

import (
	"runtime"
	"time"
)

const (
	// clockInterval is how soon a clock that was set, or a machine that slept,
	// is noticed: the runtime's timers follow neither.
	clockInterval = 10 * time.Second

	// clockTolerance is by how much clock and timers may drift apart.
	clockTolerance = 100 * time.Millisecond

	// maxWait bounds a timer; minWait keeps a clock that stands still from
	// making one ring without pause.
	maxWait = 24 * time.Hour
	minWait = time.Millisecond

	// alarmBatch is how many sessions end under one hold of the lock.
	alarmBatch = 64
)

// An alarm is something to be done for a session at some instant. All alarms of
// an instant share one timer, because the expiries of tokens are whole seconds:
// when very many sessions end in the same one, no goroutine is made for each,
// and everybody else waits for a batch of them at most.
type alarm struct {
	prev, next *alarm
	ring       *ring // nil while the alarm is not set
	session    *Session
	warn       func() // nil for the session's end
}

// A ring is the alarms of one instant.
type ring struct {
	at    time.Time
	first *alarm
	timer *time.Timer
}

// An instant is a time as a map key. Unlike nanoseconds since 1970 it holds
// every time that a token can name.
type instant struct {
	sec  int64
	nsec int
}

func instantOf(t time.Time) instant { return instant{t.Unix(), t.Nanosecond()} }

// alarms are all alarms of an index, whose lock guards them.
type alarms struct {
	rings   map[instant]*ring
	watcher *time.Timer // looks at the clock while there are alarms
	wall    time.Time   // the clock when it and the timers last agreed
	mono    time.Time   // the same moment, for timers
}

// set sets the alarm for t. The lock must be held, and the alarm not be set.
func (x *sessionIndex) set(m *alarm, t time.Time) {
	now := x.now()
	if len(x.rings) == 0 {
		x.wall, x.mono = now.Round(0), time.Now()
		x.watcher = time.AfterFunc(clockInterval, x.watchClock)
	}
	key := instantOf(t)
	r := x.rings[key]
	if r == nil {
		r = &ring{at: t}
		r.timer = time.AfterFunc(min(t.Sub(now), maxWait), func() { x.sound(r) })
		x.rings[key] = r
	}
	m.ring, m.prev, m.next = r, nil, r.first
	if r.first != nil {
		r.first.prev = m
	}
	r.first = m
}

// unset takes back an alarm that may be set. The lock must be held.
func (x *sessionIndex) unset(m *alarm) {
	r := m.ring
	if r == nil {
		return
	}
	if m.next != nil {
		m.next.prev = m.prev
	}
	if m.prev != nil {
		m.prev.next = m.next
	} else {
		r.first = m.next
	}
	m.ring, m.prev, m.next = nil, nil, nil
	if r.first != nil {
		return
	}
	r.timer.Stop()
	delete(x.rings, instantOf(r.at))
	if len(x.rings) == 0 {
		x.watcher.Stop()
	}
}

// sound does what was to be done at the instant, a batch at a time. It runs on
// the timer's goroutine, which ends with it.
func (x *sessionIndex) sound(r *ring) {
	for x.soundBatch(r) {
		runtime.Gosched()
	}
}

// soundBatch reports whether there is more to be done.
func (x *sessionIndex) soundBatch(r *ring) bool {
	var warnings []func()
	var ended []*Session
	x.mu.Lock()
	now := x.now()
	if early := r.at.Sub(now); early > 0 {
		if r.first != nil {
			r.timer.Reset(min(max(early, minWait), maxWait))
		}
		x.mu.Unlock()
		return false
	}
	var cause error
	for range alarmBatch {
		m := r.first
		if m == nil {
			break
		}
		x.unset(m)
		if m.warn != nil {
			warnings = append(warnings, m.warn)
			continue
		}
		if cause == nil {
			cause = x.expired(m.session, now)
		}
		x.remove(m.session, cause)
		ended = append(ended, m.session)
	}
	more := r.first != nil
	x.mu.Unlock()

	for _, s := range ended {
		s.cancel(cause)
	}
	for _, warn := range warnings {
		go warn()
	}
	return more
}

// watchClock compares the clock with the timers. When they no longer agree, all
// timers are set anew. It runs on its timer's goroutine, which ends with it.
func (x *sessionIndex) watchClock() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.rings) == 0 {
		return
	}
	x.watcher.Reset(clockInterval)
	wall, mono := x.now().Round(0), time.Now()
	if drift := wall.Sub(x.wall) - mono.Sub(x.mono); drift.Abs() <= clockTolerance {
		return
	}
	x.wall, x.mono = wall, mono
	for _, r := range x.rings {
		r.timer.Reset(min(max(r.at.Sub(wall), 0), maxWait))
	}
}
