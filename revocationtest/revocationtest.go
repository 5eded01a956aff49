// Package revocationtest tests any [oidcauth.RevocationLog]: that revocations and
// first uses which it has acknowledged stay, reach every server and those that
// join later, and that its errors say what they mean. A program with a log of its
// own, over Raft, PostgreSQL or Redis, runs the suite against it:
//
//	func TestLog(t *testing.T) {
//		revocationtest.Run(t, func(t testing.TB) *revocationtest.Store {
//			store := newEmptyStore(t)
//			return &revocationtest.Store{
//				Open: func() oidcauth.RevocationLog { return newLog(store) },
//			}
//		})
//	}
//
// # Faults
//
// Without the hooks for faults the suite shows only what the log does on a good
// day: give it as many as the store has ways to fail.
package revocationtest

import (
	"context"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// A Store is where logs keep their entries. It is empty when a test gets it. The
// hooks may be called from several goroutines, one at a time.
type Store struct {
	// Open returns one more server's log in this store. Required.
	Open func() oidcauth.RevocationLog

	// Cut takes away a log's contact with the store, and Heal gives it back. Calls
	// of the log that are under way may succeed, fail or hang until their context
	// ends, but a follower has to be told. Nil skips the tests with them.
	Cut, Heal func(log oidcauth.RevocationLog)

	// Restart stops the store, or a part of it, and starts it with what it has
	// kept. Nil skips the tests with it.
	Restart func()

	// LoseAnswers has the store do what it is asked and the answers be lost while
	// on is true: a write fails then, or hangs until its context ends, and is
	// stored all the same. Nil skips the tests with it.
	LoseAnswers func(on bool)

	// Fill leaves no space for revocations, and FillUses none for first uses. Nil
	// skips the tests with it.
	Fill, FillUses func()

	// Wait bounds the wait for anything that has to happen. Zero means 10 seconds.
	Wait time.Duration

	// Runs is how many random schedules of faults are run. Zero means 10.
	Runs int
}

// A check is one test of the suite.
type check struct {
	name string
	run  func(t testing.TB, s *Store)
	skip func(s *Store) bool // nil if it needs no hook
}

var checks = []check{
	{"Append", testAppend, nil},
	{"AppendAtOnce", testAppendAtOnce, nil},
	{"AppendCanceled", testAppendCanceled, nil},
	{"Content", testContent, nil},
	{"Follow", testFollow, nil},
	{"FollowAgain", testFollowAgain, nil},
	{"FollowEnds", testFollowEnds, nil},
	{"CaughtUp", testCaughtUp, nil},
	{"FirstUse", testFirstUse, nil},
	{"FirstUseAtOnce", testFirstUseAtOnce, nil},
	{"FirstUseIsNoRevocation", testFirstUseIsNoRevocation, nil},
	{"Cut", testCut, func(s *Store) bool { return s.Cut == nil || s.Heal == nil }},
	{"Restart", testRestart, func(s *Store) bool { return s.Restart == nil }},
	{"LostAnswers", testLostAnswers, func(s *Store) bool { return s.LoseAnswers == nil }},
	{"Full", testFull, func(s *Store) bool { return s.Fill == nil }},
	{"FullOfUses", testFullOfUses, func(s *Store) bool { return s.FillUses == nil }},
	{"Schedules", testSchedules, nil},
}

// Run runs the suite. It calls open for each test and each schedule; what a store
// needs to be cleaned up belongs into the Cleanup of that test.
func Run(t *testing.T, open func(t testing.TB) *Store) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "Schedules" {
				runSchedules(t, open)
				return
			}
			s := open(t)
			if c.skip != nil && c.skip(s) {
				t.Skip("the store has no such hook")
			}
			c.run(t, s)
		})
	}
}

func (s *Store) wait() time.Duration {
	if s.Wait == 0 {
		return 10 * time.Second
	}
	return s.Wait
}

// context returns a context for what has to happen.
func (s *Store) context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.wait())
	t.Cleanup(cancel)
	return ctx
}

// end is that of all revocations.
var end = time.Now().Add(2 * time.Hour).Round(0).UTC()

// revocation returns a revocation that equals no other with another name.
func revocation(name string) oidcauth.Revocation {
	return oidcauth.Revocation{Subject: name, Until: end}
}

// mustAppend appends a revocation that has to be stored.
func mustAppend(t testing.TB, s *Store, log oidcauth.RevocationLog, r oidcauth.Revocation, want bool) {
	t.Helper()
	if added, err := log.Append(s.context(t), r); err != nil || added != want {
		t.Errorf("Append(%q) = %t, %v, want %t", r.Subject, added, err, want)
	}
}
