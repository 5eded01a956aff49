package keyset

import (
	"errors"
	"time"

	"github.com/oidcauth/oidcauth/internal/clocks"
	"github.com/oidcauth/oidcauth/internal/fetch"
)

const (
	firstBackOff          = time.Second
	maxBackOff            = 5 * time.Minute
	maxBackOffWithoutKeys = 30 * time.Second
)

// backOff is 1 s after the first failure and doubles up to 5 min, a quarter
// less or more, and as long as the issuer asks for within that bound. Without
// keys, when every token waits for the issuer to come up, it doubles up to 30 s.
func (s *Set) backOff(err error) time.Duration {
	limit := maxBackOff
	if !s.snap.Load().usable() {
		limit = maxBackOffWithoutKeys
	}
	wait := limit
	if s.failures < 10 {
		wait = min(firstBackOff<<(s.failures-1), limit)
	}
	wait = time.Duration(float64(wait) * (0.75 + 0.5*s.cfg.random()))
	status := new(fetch.StatusError)
	if errors.As(err, &status) {
		wait = max(wait, status.RetryAfter)
	}
	return min(wait, maxBackOff)
}

// Warm has the keys fetched within a second or when there is room in [Config.Queue], in
// the background, and refreshed from then on whether anybody asks or not. It does not wait,
// and does not count as use of the issuer.
func (s *Set) Warm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.warm || s.closed() || s.cfg.Fixed != nil {
		return
	}
	s.warm = true
	now := time.Now()
	if !s.failing() && clocks.Reached(now, s.refreshAt) { // also if nothing is to be refreshed
		s.refreshAt = now.Add(time.Duration(float64(firstBackOff) * s.cfg.random()))
	}
	s.timer.Reset(0)
}

// wake is called by the timer. It runs on a goroutine of its own, which ends
// with the hooks it calls.
func (s *Set) wake() {
	s.mu.Lock()
	if s.closed() {
		s.mu.Unlock()
		return
	}
	s.wg.Add(1)
	defer s.wg.Done()
	s.step(time.Now())
	s.mu.Unlock()
	s.deliver()
}

// step does whatever is due and sets the timer for what is not. s.mu must be
// held.
func (s *Set) step(now time.Time) {
	s.expire(now)
	s.reportState(now)
	if s.flight != nil && !s.patient() {
		s.flight.hurryUp() // the keys came into use while it waited
	}
	if s.flight == nil && clocks.Reached(now, s.nextTry()) {
		switch {
		case s.cool.planned && !s.cool.active(now):
			s.start(true, false)
		case s.refreshDue(now):
			s.start(!s.snap.Load().usable(), s.patient())
		}
	}
	s.arm(now)
}

func (s *Set) refreshDue(now time.Time) bool {
	return !s.refreshAt.IsZero() && clocks.Reached(now, s.refreshAt) && s.inUse(now)
}

// arm sets the timer for the next thing that time alone brings about. What is
// due already and was not done waits for an event: use, or a fetch's end.
func (s *Set) arm(now time.Time) {
	var next time.Time
	consider := func(t time.Time) {
		if !clocks.Reached(now, t) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.flight == nil {
		if s.cool.planned {
			consider(later(s.cool.until, s.nextTry()))
		}
		if !s.refreshAt.IsZero() && (s.inUse(now) || !clocks.Reached(now, s.refreshAt)) {
			consider(later(s.refreshAt, s.nextTry()))
		}
	}
	if snap := s.snap.Load(); snap != nil && s.cfg.Fixed == nil {
		consider(snap.freshUntil)
		consider(snap.limitAt())
	}
	if next.IsZero() {
		s.timer.Stop()
		return
	}
	s.timer.Reset(min(next.Sub(now), maxSleep))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
