// Package later works for callers who have left: what they began goes on, and what they
// have scheduled is done at its time.
package later

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/oidcauth/oidcauth"
)

// Finish does the steps of a long work for the bearer of claims, whose socket may close
// meanwhile: the session is the work's own. It ends as a socket would, by the token's
// expiry, a revocation or a logout, and its error is why.
func Finish(auth *oidcauth.Authenticator, claims *oidcauth.Claims, steps ...func(ctx context.Context) error) error {
	session := auth.NewSession(context.Background(), claims)
	defer session.Close()
	for _, step := range steps {
		ctx, err := turn(session)
		if err == nil {
			err = step(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// turn returns the context of the next step. While nobody can tell the caller's roles it
// waits: half of the work done is worse than all of it later.
func turn(session *oidcauth.Session) (context.Context, error) {
	for {
		ctx := session.CallContext()
		err := oidcauth.Require(ctx)
		if !errors.Is(err, oidcauth.ErrAnswerUnavailable) {
			return ctx, err
		}
		select {
		case <-session.Context().Done():
			return ctx, context.Cause(session.Context())
		case <-time.After(time.Second):
		}
	}
}

// A Schedule has what is to be done at a time when its owner's token is over. That the
// owner may is asked when it is scheduled: nobody can tell from a token that is over.
type Schedule struct {
	Allow oidcauth.Rule // who may schedule

	mu   sync.Mutex
	jobs map[*job]struct{}
}

type job struct {
	owner oidcauth.Identity
	timer *time.Timer
}

// Add has run called after a while, as the server's own call: the owner is an argument,
// and whose rows run may touch is for run to see to.
func (s *Schedule) Add(ctx context.Context, after time.Duration, run func(ctx context.Context, owner oidcauth.Identity)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Not before the lock: a session that a revocation has ended adds nothing behind Forget.
	if err := oidcauth.Require(ctx, s.Allow); err != nil {
		return err
	}
	caller, known := oidcauth.FromContext(ctx)
	if !known {
		return oidcauth.ErrNoToken // the server itself owns no jobs
	}
	j := &job{owner: caller.Identity()}
	if s.jobs == nil {
		s.jobs = make(map[*job]struct{})
	}
	s.jobs[j] = struct{}{}
	j.timer = time.AfterFunc(after, func() {
		if s.take(j) {
			run(oidcauth.NewInternalContext(context.Background()), j.owner)
		}
	})
	return nil
}

// take takes a job off the schedule, and reports whether it was there.
func (s *Schedule) take(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.jobs[j]
	delete(s.jobs, j)
	return found
}

// Forget drops all that an owner has scheduled. Call it behind Revoke, and at a logout.
func (s *Schedule) Forget(owner oidcauth.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.jobs {
		if j.owner == owner {
			j.timer.Stop()
			delete(s.jobs, j)
		}
	}
}
