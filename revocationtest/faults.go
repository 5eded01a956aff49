package revocationtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// brief returns a context for what need not happen.
func brief(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// A server that is cut off knows it, the others go on, and afterwards it has what
// it missed.
func testCut(t testing.TB, s *Store) {
	a, b := s.Open(), s.Open()
	mustAppend(t, s, a, revocation("before"), true)
	fa, fb := follow(t, a, nil), follow(t, b, nil)
	fa.mustHave(t, s, revocation("before"))
	fb.mustHave(t, s, revocation("before"))

	s.Cut(a)
	for n := range 3 { // that the first is under way acknowledges no other
		if _, err := a.Append(brief(t), revocation("by the one cut off")); err == nil {
			t.Errorf("Append() number %d is acknowledged without contact with the store", n+1)
		}
		if first, err := a.FirstUse(brief(t), useID("ticket"), end); err == nil || first {
			t.Errorf("FirstUse() number %d = %t, %v without contact with the store, want an error", n+1, first, err)
		}
	}
	mustAppend(t, s, b, revocation("meanwhile"), true)
	fb.mustHave(t, s, revocation("meanwhile"))
	if !fa.until(s.wait(), func() bool { return !fa.current }) {
		t.Errorf("a follower without contact still counts as current after %v", s.wait())
	}

	s.Heal(a)
	fa.mustHave(t, s, revocation("before"), revocation("meanwhile"))
	if _, err := a.Append(s.context(t), revocation("by the one cut off")); err != nil {
		t.Errorf("Append() error = %v once there is contact again", err)
	}
	for _, f := range []*recorder{fa, fb, follow(t, s.Open(), nil)} {
		f.mustHave(t, s, revocation("by the one cut off"), revocation("meanwhile"))
	}
}

// A store that restarts has what it acknowledged.
func testRestart(t testing.TB, s *Store) {
	log := s.Open()
	f := follow(t, log, nil)
	mustAppend(t, s, log, revocation("before"), true)
	if first, err := log.FirstUse(s.context(t), useID("ticket"), end); err != nil || !first {
		t.Errorf("FirstUse() = %t, %v, want true", first, err)
	}
	s.Restart()
	insist(t, s, func(ctx context.Context) error {
		first, err := log.FirstUse(ctx, useID("ticket"), end)
		if first {
			t.Error("FirstUse() = true for the second time, after a restart")
		}
		return err
	})
	insist(t, s, func(ctx context.Context) error {
		added, err := log.Append(ctx, revocation("before"))
		if added {
			t.Error("Append() = true for the second time, after a restart")
		}
		return err
	})
	for _, f := range []*recorder{f, follow(t, s.Open(), nil)} {
		f.mustHave(t, s, revocation("before"))
	}
}

// insist repeats a call until it succeeds.
func insist(t testing.TB, s *Store, call func(ctx context.Context) error) {
	t.Helper()
	ctx := s.context(t)
	for {
		err := call(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("still an error after %v: %v", s.wait(), err)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// When the answer to a write is lost, nobody is told what is not known.
func testLostAnswers(t testing.TB, s *Store) {
	log := s.Open()
	f := follow(t, log, nil)
	f.mustHave(t, s)
	s.LoseAnswers(true)
	if _, err := log.Append(brief(t), revocation("lost")); err == nil || errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() error = %v without an answer, want one that does not wrap %v", err, oidcauth.ErrNotStored)
	}
	first, err := log.FirstUse(brief(t), useID("lost"), end)
	if first || err == nil || errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("FirstUse() = %t, %v without an answer, want an error that does not wrap %v", first, err, oidcauth.ErrNotStored)
	}
	s.LoseAnswers(false)
	insist(t, s, func(ctx context.Context) error {
		_, err := log.Append(ctx, revocation("lost"))
		return err
	})
	for _, f := range []*recorder{f, follow(t, s.Open(), nil)} {
		f.mustHave(t, s, revocation("lost"))
	}
}

// A store without space says that it has not stored what it was given, and keeps
// what it has.
func testFull(t testing.TB, s *Store) {
	log := s.Open()
	mustAppend(t, s, log, revocation("before"), true)
	s.Fill()
	_, err := log.Append(s.context(t), revocation("too much"))
	if !errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() error = %v without space, want %v", err, oidcauth.ErrNotStored)
	}
	f := follow(t, s.Open(), nil)
	f.mustHave(t, s, revocation("before"))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.applied[revocation("too much")] > 0 {
		t.Errorf("what is not stored is delivered")
	}
}

// However much is used, revocations have their space.
func testFullOfUses(t testing.TB, s *Store) {
	log := s.Open()
	until := end
	if first, err := log.FirstUse(s.context(t), useID("before"), until); err != nil || !first {
		t.Errorf("FirstUse() = %t, %v, want true", first, err)
	}
	s.FillUses()
	if first, err := log.FirstUse(s.context(t), useID("too much"), until); first || !errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("FirstUse() = %t, %v without space, want %v", first, err, oidcauth.ErrNotStored)
	}
	if first, err := log.FirstUse(s.context(t), useID("before"), until); first {
		t.Errorf("FirstUse() = true, %v for the second time, without space", err)
	}
	mustAppend(t, s, log, revocation("alice"), true)
	follow(t, s.Open(), nil).mustHave(t, s, revocation("alice"))
}
