package keyset

import (
	"context"
	"errors"
	"time"
)

// A PostponedError says that an issuer was not asked, because too much else was
// asked at the time. It is no failure of the issuer's.
type PostponedError struct {
	RetryAfter time.Duration // when asking again makes sense

	asked bool // it was, and got no time to answer
}

// Error says that there was no time for an answer.
func (e *PostponedError) Error() string { return "not asked: too many requests at present" }

// admitted makes one request when [Config.Admit] lets it.
func (s *Set) admitted(ctx context.Context, url string, ask func(context.Context) error) error {
	if s.cfg.Admit == nil {
		return ask(ctx)
	}
	ctx, done, err := s.cfg.Admit(ctx, url)
	if err != nil {
		return err
	}
	defer done()
	err = ask(ctx)
	if taken, ok := errors.AsType[*PostponedError](context.Cause(ctx)); ok && err != nil {
		return &PostponedError{RetryAfter: taken.RetryAfter, asked: true}
	}
	return err
}

// postpone notes that a fetch did not take place. Only the set itself has to wait
// then: whoever asks next may be let pass. One that got no time to answer was a
// fetch to its issuer all the same. s.mu must be held.
func (s *Set) postpone(now time.Time, err error, until *PostponedError) {
	if !until.asked {
		s.putOff = now.Add(until.RetryAfter)
		return
	}
	wait := until.RetryAfter
	if s.cfg.AlwaysCool {
		wait = max(wait, coolDownTime)
	}
	s.lastErr, s.retryAt = err, now.Add(wait)
}

// nextTry returns when the set may fetch for itself, by the last failure and by
// what was put off.
func (s *Set) nextTry() time.Time { return later(s.retryAt, s.putOff) }
