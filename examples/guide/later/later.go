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

// most is how many jobs of one owner wait: each is memory until its time, which the owner
// chooses.
const most = 100

// ErrTooMany says that so many of a caller's jobs wait already.
var ErrTooMany = errors.New("later: too many jobs wait")

// A Schedule has what is to be done at a time when its owner's token is over. That the
// owner may is asked when it is scheduled: nobody can tell from a token that is over.
type Schedule struct {
	Allow oidcauth.Rule // who may schedule

	mu   sync.Mutex
	jobs map[oidcauth.Identity]map[*job]struct{} // of owners who have some
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
	// A request's own context notices none: where that matters give the request a session.
	if err := oidcauth.Require(ctx, s.Allow); err != nil {
		return err
	}
	caller, known := oidcauth.FromContext(ctx)
	if !known {
		return oidcauth.ErrNoToken // the server itself owns no jobs
	}
	j := &job{owner: caller.Identity()}
	if len(s.jobs[j.owner]) >= most {
		return ErrTooMany
	}
	s.put(j)
	j.timer = time.AfterFunc(after, func() {
		if s.take(j) {
			run(oidcauth.NewInternalContext(context.Background()), j.owner)
		}
	})
	return nil
}

// put puts a job on the schedule. The caller holds the lock.
func (s *Schedule) put(j *job) {
	if s.jobs == nil {
		s.jobs = make(map[oidcauth.Identity]map[*job]struct{})
	}
	if s.jobs[j.owner] == nil {
		s.jobs[j.owner] = make(map[*job]struct{})
	}
	s.jobs[j.owner][j] = struct{}{}
}

// take takes a job off the schedule, and reports whether it was there.
func (s *Schedule) take(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	theirs := s.jobs[j.owner]
	_, found := theirs[j]
	delete(theirs, j)
	if len(theirs) == 0 {
		delete(s.jobs, j.owner)
	}
	return found
}

// Forget drops all that an owner has scheduled. Call it behind Revoke, and at a logout.
func (s *Schedule) Forget(owner oidcauth.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.jobs[owner] {
		j.timer.Stop()
	}
	delete(s.jobs, owner)
}
