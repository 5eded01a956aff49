package revocationtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// A log without a flaw passes.
func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, func(testing.TB) *Store { return newFakeStore("").store() })
}

// A log passes that has no hooks at all.
func TestRun_WithoutHooks(t *testing.T) {
	t.Parallel()
	Run(t, func(testing.TB) *Store { return &Store{Open: newFakeStore("").store().Open, Runs: 1} })
}

// Every flaw is found, by the test that is for it.
func TestRun_Flaws(t *testing.T) {
	for flaw, want := range map[string]string{
		"equal ones are new":                 "Append",
		"times in seconds":                   "Content",
		"forgets one of ten":                 "CaughtUp",
		"follows from now on":                "Follow",
		"follows from where it was":          "FollowAgain",
		"does not end":                       "FollowEnds",
		"current before it has read":         "CaughtUp",
		"every use is the first":             "FirstUse",
		"looks first and then writes":        "FirstUseAtOnce",
		"uses are revocations":               "FirstUseIsNoRevocation",
		"what is under way exists":           "Cut",
		"does not notice a cut":              "Cut",
		"a restart loses the uses":           "Restart",
		"a restart loses the last":           "Restart",
		"a lost answer is not stored":        "LostAnswers",
		"full, and says nothing":             "Full",
		"full, and evicts the oldest":        "Full",
		"full, and does not know":            "Full",
		"uses take the space of revocations": "FullOfUses",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(checks, func(c check) bool { return c.name == want })
			if failures := try(t, checks[i], newFakeStore(flaw).store()); len(failures) == 0 {
				t.Errorf("%s does not find it", want)
			}
			if failures := try(t, checks[i], newFakeStore("").store()); len(failures) != 0 {
				t.Errorf("%s fails without it: %q", want, failures)
			}
		})
	}
}

// Random schedules alone find what a server that is cut off must not say.
func TestRun_SchedulesFindFlaws(t *testing.T) {
	t.Parallel()
	for _, flaw := range []string{"what is under way exists", "every use is the first", "forgets one of ten", "a restart loses the last"} {
		found := false
		for seed := uint64(0); seed < 20 && !found; seed++ {
			found = len(try(t, check{run: func(t testing.TB, s *Store) { runSchedule(t, s, seed) }}, newFakeStore(flaw).store())) > 0
		}
		if !found {
			t.Errorf("%s: not found in 20 schedules", flaw)
		}
	}
}

// try runs a check and returns its failures.
func try(t *testing.T, c check, s *Store) []string {
	f := &failing{TB: t}
	done := make(chan struct{})
	s.Wait = 200 * time.Millisecond
	go func() {
		defer close(done)
		defer f.end()
		c.run(f, s)
	}()
	<-done
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.failures)
}

// A failing test keeps its failures to itself.
type failing struct {
	testing.TB
	mu       sync.Mutex // guards what follows
	failures []string
	cleanups []func()
}

func (f *failing) Helper() {}

func (f *failing) Cleanup(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, do)
}

func (f *failing) Error(args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprint(args...))
}

func (f *failing) Errorf(format string, args ...any) { f.Error(fmt.Sprintf(format, args...)) }

// end cleans up.
func (f *failing) end() {
	f.mu.Lock()
	cleanups := f.cleanups
	f.mu.Unlock()
	for _, do := range slices.Backward(cleanups) {
		do()
	}
}
