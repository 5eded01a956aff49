package revocationtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// An equal revocation is new once, whoever appends it.
func testAppend(t testing.TB, s *Store) {
	a, b := s.Open(), s.Open()
	mustAppend(t, s, a, revocation("alice"), true)
	mustAppend(t, s, a, revocation("alice"), false)
	mustAppend(t, s, b, revocation("alice"), false)
	mustAppend(t, s, b, revocation("bob"), true)
	later := revocation("alice")
	later.Until = later.Until.Add(time.Nanosecond)
	mustAppend(t, s, b, later, true)
	mustAppend(t, s, a, later, false)
}

// Of equal ones at once one is new, and nobody is told of a failure.
func testAppendAtOnce(t testing.TB, s *Store) {
	logs := []oidcauth.RevocationLog{s.Open(), s.Open(), s.Open()}
	for n := range 20 {
		r := revocation(fmt.Sprint(n))
		news, failed := atOnce(12, func(i int) (bool, error) { return logs[i%len(logs)].Append(s.context(t), r) })
		if news != 1 || failed != nil {
			t.Errorf("12 equal appends at once: new %d times, error %v, want once and none", news, failed)
		}
	}
	follow(t, logs[0], nil).mustHave(t, s, revocation("0"), revocation("19"))
}

// atOnce makes calls at once, and returns how many were told true and an error if
// there was one.
func atOnce(calls int, call func(i int) (bool, error)) (trues int64, failed error) {
	var wg sync.WaitGroup
	var count atomic.Int64
	errs := make([]error, calls)
	for i := range calls {
		wg.Go(func() {
			first, err := call(i)
			if errs[i] = err; first {
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return count.Load(), errors.Join(errs...)
}

// A caller that has left may come again, whatever became of the first call.
func testAppendCanceled(t testing.TB, s *Store) {
	log := s.Open()
	mustAppend(t, s, log, revocation("before"), true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	log.Append(ctx, revocation("canceled"))
	if _, err := log.Append(s.context(t), revocation("canceled")); err != nil {
		t.Errorf("Append() error = %v for one who comes again", err)
	}
	follow(t, s.Open(), nil).mustHave(t, s, revocation("canceled"))
}

// What comes out is what was put in, to the nanosecond.
func testContent(t testing.TB, s *Store) {
	at := time.Date(2031, 2, 3, 4, 5, 6, 123456789, time.UTC)
	all := []oidcauth.Revocation{
		{Issuer: "https://issuer.test", Until: at},
		{Subject: "алиса | \"a\" \\ \x01\u2028", Until: at},
		{SessionID: strings.Repeat("s", 1024), TokenID: strings.Repeat("t", 1024), Until: at},
		{KeyID: "k", IssuedBefore: at.Add(-time.Nanosecond), Until: at.AddDate(90, 0, 0)},
		{Issuer: "i", Subject: "s", SessionID: "d", TokenID: "t", KeyID: "k", IssuedBefore: at, Until: at},
		{IssuedBefore: at, Until: at},
	}
	log := s.Open()
	for _, r := range all {
		if added, err := log.Append(s.context(t), r); err != nil || !added {
			t.Errorf("Append(%+v) = %t, %v, want true", r, added, err)
		}
	}
	follow(t, s.Open(), nil).mustHave(t, s, all...)
}

// Everybody hears of everything, from before and after they joined.
func testFollow(t testing.TB, s *Store) {
	a, b := s.Open(), s.Open()
	var all []oidcauth.Revocation
	put := func(log oidcauth.RevocationLog, name string) {
		r := revocation(name)
		mustAppend(t, s, log, r, true)
		all = append(all, r)
	}
	put(a, "before")
	followers := []*recorder{follow(t, a, nil), follow(t, a, nil), follow(t, b, nil)}
	for _, f := range followers {
		f.mustHave(t, s, all...)
	}
	for n := range 20 {
		put([]oidcauth.RevocationLog{a, b}[n%2], fmt.Sprint(n))
	}
	for _, f := range append(followers, follow(t, s.Open(), nil)) {
		f.mustHave(t, s, all...)
		f.mu.Lock()
		if len(f.applied) != len(all) {
			t.Errorf("a follower heard of %d revocations, want %d", len(f.applied), len(all))
		}
		f.mu.Unlock()
	}
}

// Each call of Follow begins with the first revocation.
func testFollowAgain(t testing.TB, s *Store) {
	log := s.Open()
	mustAppend(t, s, log, revocation("one"), true)
	first := follow(t, log, nil)
	first.mustHave(t, s, revocation("one"))
	first.stop(s.wait())
	mustAppend(t, s, log, revocation("two"), true)
	follow(t, log, nil).mustHave(t, s, revocation("one"), revocation("two"))
}

// Follow returns when its context ends.
func testFollowEnds(t testing.TB, s *Store) {
	log := s.Open()
	f := follow(t, log, nil)
	f.mustHave(t, s)
	if !f.stop(s.wait()) {
		t.Errorf("Follow() has not returned %v after its context ended", s.wait())
	}
}

// A follower that is told to be caught up has all that was acknowledged before it
// began, however much that is.
func testCaughtUp(t testing.TB, s *Store) {
	log := s.Open()
	const entries = 300
	for n := range entries {
		mustAppend(t, s, log, revocation(fmt.Sprint(n)), true)
	}
	for range 5 {
		f := follow(t, s.Open(), func(r *recorder) {
			if len(r.applied) < entries {
				r.t.Errorf("caughtUp(true) with %d revocations of %d", len(r.applied), entries)
			}
		})
		f.mustHave(t, s)
		f.stop(s.wait())
	}
}

func useID(name string) (id [32]byte) {
	copy(id[:], name)
	return id
}

// Nothing is used for the first time twice.
func testFirstUse(t testing.TB, s *Store) {
	a, b := s.Open(), s.Open()
	until := time.Now().Add(time.Hour)
	use := func(log oidcauth.RevocationLog, name string, until time.Time, want bool) {
		t.Helper()
		if first, err := log.FirstUse(s.context(t), useID(name), until); err != nil || first != want {
			t.Errorf("FirstUse(%q) = %t, %v, want %t", name, first, err, want)
		}
	}
	use(a, "one", until, true)
	use(a, "one", until, false)
	use(b, "one", until, false)
	use(b, "one", until.Add(time.Minute), false)
	use(b, "two", until, true)
	use(s.Open(), "two", until, false)
}

// Of several at once one is the first.
func testFirstUseAtOnce(t testing.TB, s *Store) {
	logs := []oidcauth.RevocationLog{s.Open(), s.Open(), s.Open()}
	until := time.Now().Add(time.Hour)
	for n := range 20 {
		firsts, failed := atOnce(12, func(i int) (bool, error) {
			return logs[i%len(logs)].FirstUse(s.context(t), useID(fmt.Sprint(n)), until)
		})
		if firsts != 1 || failed != nil {
			t.Errorf("12 first uses at once: first %d times, error %v, want once and none", firsts, failed)
		}
	}
}

// What was used is no revocation, and no follower hears of it.
func testFirstUseIsNoRevocation(t testing.TB, s *Store) {
	log := s.Open()
	f := follow(t, log, nil)
	if _, err := log.FirstUse(s.context(t), useID("one"), time.Now().Add(time.Hour)); err != nil {
		t.Errorf("FirstUse() error = %v", err)
	}
	mustAppend(t, s, log, revocation("alice"), true)
	for _, f := range []*recorder{f, follow(t, s.Open(), nil)} {
		f.mustHave(t, s, revocation("alice"))
		f.mu.Lock()
		if len(f.applied) != 1 {
			t.Errorf("a follower heard of %d revocations, want 1", len(f.applied))
		}
		f.mu.Unlock()
	}
}
