package strangers_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// findAll has a caller ask for so many names at once, and returns how each ends.
func (r *registry) findAll(ctx context.Context, wg *sync.WaitGroup, who, names int) chan error {
	ended := make(chan error, names)
	for n := range names {
		wg.Go(func() {
			data, err := r.Find(ctx, caller(who), fmt.Sprint(who, " ", n))
			if err == nil && data == nil {
				err = errors.New("nothing is known")
			}
			ended <- err
		})
	}
	synctest.Wait()
	return ended
}

// putOff counts the ends that are a [keyset.PostponedError], and fails for others.
func putOff(t *testing.T, ended chan error) (n int) {
	t.Helper()
	for len(ended) > 0 {
		err := <-ended
		if _, postponed := errors.AsType[*keyset.PostponedError](err); postponed {
			n++
		} else if err != nil {
			t.Errorf("Find() error = %v", err)
		}
	}
	return n
}

func TestLookups_Ends(t *testing.T) {
	t.Parallel()
	bubble(t, "who is turned away is not told that nothing is known, and no line is written", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		ended := r.findAll(t.Context(), &wg, 1, 1000)
		wg.Wait()
		if n := putOff(t, ended); n < 1000-16-64 || r.log.String() != "" {
			t.Errorf("%d of 1000 put off, log %q, want most and nothing", n, r.log.String())
		}
	})
	bubble(t, "who is turned away has the last answer for ten minutes, as who waits in vain", func(t *testing.T) {
		r := newRegistry(t, 1000)
		r.find(t, "a", "data of a", nil)
		time.Sleep(5 * time.Minute)
		r.find(t, "b", "data of b", nil) // so that the caller has had a turn, and the others have not
		var wg sync.WaitGroup
		for n := range 16 + 64 {
			r.findAll(t.Context(), &wg, 2+n, 1)
		}
		began := time.Now()
		if r.find(t, "a", "data of a", nil); time.Since(began) != 0 || !r.Holds("a", func(any) bool { return true }) {
			t.Errorf("the last answer came after %v, and counts: %v", time.Since(began), r.Holds("a", func(any) bool { return true }))
		}
		wg.Wait()
	})
	bubble(t, "a question whose place is another's is put off", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		ended := r.findAll(t.Context(), &wg, 1, 16)
		other := r.findAll(t.Context(), &wg, 2, 1)
		wg.Wait()
		if n := putOff(t, ended); n != 1 || putOff(t, other) != 0 {
			t.Errorf("%d of the first caller's put off, want one", n)
		}
	})
	bubble(t, "one of two who wait for a turn leaves", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		r.findAll(t.Context(), &wg, 1, 16)
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _, _ = r.Find(ctx, caller(1), "a") })
		synctest.Wait()
		wg.Go(func() { r.find(t, "a", "data of a", nil) })
		synctest.Wait()
		cancel()
		wg.Wait()
	})
	bubble(t, "who comes in the moment in which the only one leaves has another question", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		r.findAll(t.Context(), &wg, 1, 16)
		for n := range 40 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				name := fmt.Sprint("one of ", n)
				_, _ = r.Find(ctx, caller(1), name)
				if _, err := r.Find(t.Context(), caller(1), name); errors.Is(err, context.Canceled) {
					t.Errorf("Find() error = %v, which is another's", err)
				}
			})
			synctest.Wait()
			cancel()
		}
		wg.Wait()
	})
	bubble(t, "the only one who waits for an answer leaves, and it is there afterwards", func(t *testing.T) {
		r := newRegistry(t, 10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := r.Find(ctx, caller(1), "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Find() error = %v", err)
		}
		time.Sleep(2 * time.Second)
		if !r.Knows("a") {
			t.Error("the answer was for nobody")
		}
	})
	bubble(t, "those who wait for one that an attacker asked for first have their own claim", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		r.findAll(t.Context(), &wg, 1, 16+64)
		var shared []chan error
		for n := range 10 {
			ended := make(chan error, 1)
			shared = append(shared, ended)
			wg.Go(func() {
				_, err := r.Find(t.Context(), caller(2+n), fmt.Sprint(1, " ", 79-n))
				ended <- err
			})
			synctest.Wait()
		}
		for n := range 40 {
			r.findAll(t.Context(), &wg, 100+n, 1)
		}
		for n, ended := range shared {
			if len(ended) > 0 {
				if err := <-ended; err != nil {
					t.Errorf("caller %d was turned away as the attacker is: %v", 2+n, err)
				}
			}
		}
		wg.Wait()
	})
	bubble(t, "by Close, which is nobody's failure", func(t *testing.T) {
		r := newRegistry(t, 10)
		var wg sync.WaitGroup
		ended := r.findAll(t.Context(), &wg, 1, 20)
		r.Close()
		wg.Wait()
		for range 20 {
			if err := <-ended; !errors.Is(err, strangers.ErrClosed) {
				t.Errorf("Find() error = %v, want %v", err, strangers.ErrClosed)
			}
		}
		if r.log.String() != "" {
			t.Errorf("the log has %q", r.log.String())
		}
	})
	bubble(t, "when there are too many in use, which is written", func(t *testing.T) {
		r := newRegistry(t, 1)
		r.find(t, "a", "data of a", nil)
		if _, err := r.Find(t.Context(), caller(1), "b"); err == nil || strings.Count(r.log.String(), "more unknown issuers") != 1 {
			t.Errorf("Find() error = %v, log %q", err, r.log.String())
		}
	})
}

// What is let go of is told, be it for another one or because nobody uses it.
func TestLookups_LetGo(t *testing.T) {
	t.Parallel()
	bubble(t, "because nobody uses it", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		time.Sleep(30 * time.Minute)
		if n := r.changes.Load(); n != 2 || r.Knows("a") {
			t.Errorf("%d changes, want that it came and that it went", n)
		}
	})
	bubble(t, "for another one", func(t *testing.T) {
		r := newRegistry(t, 2)
		used := func(data any, ago time.Duration) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.used[data] = time.Now().Add(-ago)
		}
		r.find(t, "a", "data of a", nil)
		r.find(t, "b", "data of b", nil)
		for range 20 { // in use, though no token makes anybody look
			time.Sleep(time.Minute)
			used("data of a", 0)
			used("data of b", 0)
		}
		r.changes.Store(0)
		used("data of a", time.Hour)
		r.find(t, "c", "data of c", nil)
		if n := r.changes.Load(); n != 1 || r.letGo.Load() != "data of a" || r.Knows("a") || !r.Knows("b") || !r.Knows("c") {
			t.Errorf("%d changes, %v let go of, a, b, c known: %v, %v, %v, want c in the place of a", n, r.letGo.Load(), r.Knows("a"), r.Knows("b"), r.Knows("c"))
		}
		used("data of b", time.Hour)
		r.find(t, "d", "data of d", nil)
		if r.Knows("b") || !r.Knows("d") {
			t.Error("d is not in the place of b")
		}
	})
}

// Four times as many names as there may be issuers are known to be none, each once: the
// oldest is asked for again.
func TestLookups_Absent(t *testing.T) {
	t.Parallel()
	bubble(t, "four and one more", func(t *testing.T) {
		r := newRegistry(t, 1)
		r.says(func(string, any) (any, error) { return nil, nil })
		ask := func(asked int32, names ...string) {
			t.Helper()
			for _, name := range names {
				r.find(t, name, nil, nil)
			}
			r.wantAsked(t, asked)
		}
		ask(4, "a", "b", "c", "d", "a", "b", "c", "d")
		ask(1, "e", "b", "c", "d", "e")
		ask(1, "a")
		ask(1, "b", "d", "e", "a")
		time.Sleep(time.Hour)
		ask(4, "a", "b", "c", "d")
		ask(0, "a", "b", "c", "d")
	})
}

// While somebody uses what is known, it is asked for anew twice a minute, each once.
func TestLookups_AskedAnew(t *testing.T) {
	t.Parallel()
	bubble(t, "not what has just been asked for, and with a context that ends", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		time.Sleep(19 * time.Second)
		r.find(t, "b", "data of b", nil)
		time.Sleep(13 * time.Second)
		r.wantAsked(t, 3) // and a again
		if asked := r.last.Load().(asking); asked.Err() == nil {
			t.Error("the context lives on that the program was asked with")
		}
		time.Sleep(30 * time.Second)
		r.wantAsked(t, 1) // b
	})
	bubble(t, "and by nobody else meanwhile", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		r.says(func(string, any) (any, error) { return nil, errTable })
		time.Sleep(60*time.Second + 500*time.Millisecond)
		r.wantAsked(t, 3)
		r.find(t, "a", "data of a", nil)
		r.wantAsked(t, 0)
	})
	bubble(t, "by whoever looks when the answer is a minute old to the moment", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		time.Sleep(9 * time.Second)
		r.find(t, "b", "data of b", nil)
		answered := time.Now()
		r.says(func(string, any) (any, error) { return nil, errTable })
		for after, asked := range []int32{0, 1} {
			time.Sleep(time.Until(answered.Add(time.Minute - 1 + time.Duration(after))))
			r.asked.Store(0)
			r.find(t, "b", "data of b", nil)
			synctest.Wait()
			r.wantAsked(t, asked)
		}
	})
	bubble(t, "and Close waits for it", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		var asks atomic.Bool
		r.says(func(string, any) (any, error) {
			asks.Store(true)
			time.Sleep(time.Second)
			asks.Store(false)
			return nil, nil
		})
		time.Sleep(31*time.Second + 500*time.Millisecond)
		if !asks.Load() {
			t.Fatal("nothing is asked")
		}
		if r.Close(); asks.Load() {
			t.Error("Close() returned while the table was asked")
		}
	})
	bubble(t, "until nobody has used it for a while: then it counts for a minute", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", "data of a", nil)
		r.prompt.Store(true)
		is := func(data any) bool { return data == "data of a" }
		time.Sleep(150*time.Second - 1)
		if !r.Holds("a", is) {
			t.Error("what was asked for within a minute is not relied on")
		}
		time.Sleep(time.Nanosecond)
		if synctest.Wait(); r.Holds("a", is) || r.lapsed.Load() != 1 {
			t.Error("what was asked for a minute ago is relied on")
		}
	})
}

// What was looked for last is let go of last.
func TestLookups_LeastUsed(t *testing.T) {
	t.Parallel()
	bubble(t, "of two that nobody uses any more", func(t *testing.T) {
		r := newRegistry(t, 2)
		start := time.Now()
		r.find(t, "a", "data of a", nil)
		r.find(t, "b", "data of b", nil)
		time.Sleep(time.Second)
		r.find(t, "a", "data of a", nil)
		time.Sleep(time.Until(start.Add(10*time.Minute + 4*time.Second))) // between two sweeps
		if !r.Knows("a") || !r.Knows("b") {
			t.Fatal("one went before another came")
		}
		r.find(t, "c", "data of c", nil)
		if !r.Knows("a") || r.Knows("b") {
			t.Error("the one that was looked for last was let go of")
		}
	})
}

// Where all are in use, those give way of which nothing is known but the name: the one
// that was looked for the longest time ago, and neither one that sessions hold nor one
// that is just asked for again.
func TestLookups_NamedAlone(t *testing.T) {
	t.Parallel()
	fill := func(t *testing.T) *registry {
		r := newRegistry(t, 4)
		r.prompt.Store(true)
		for _, name := range []string{"held", "accepted", "first", "second"} {
			r.find(t, name, "data of "+name, nil)
			r.named["data of "+name] = name != "accepted"
		}
		r.hold("data of held", true)
		return r
	}
	wants := func(t *testing.T, r *registry, gone string) {
		t.Helper()
		for _, name := range []string{"held", "accepted", "first", "second"} {
			if r.Knows(name) == (name == gone) {
				t.Errorf("%q is known: %t", name, r.Knows(name))
			}
		}
	}
	refused := func(t *testing.T, r *registry) {
		t.Helper()
		_, err := r.Find(t.Context(), caller(1), "another")
		if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed {
			t.Errorf("Find() error = %v, want a PostponedError", err)
		}
	}
	bubble(t, "of two", func(t *testing.T) {
		r := fill(t)
		r.find(t, "another", "data of another", nil)
		wants(t, r, "first")
	})
	bubble(t, "all are asked for again", func(t *testing.T) {
		r := fill(t)
		r.prompt.Store(false)
		time.Sleep(30 * time.Second) // until a sweep
		synctest.Wait()
		r.prompt.Store(true)
		refused(t, r)
		wants(t, r, "")
	})
	bubble(t, "none", func(t *testing.T) {
		r := fill(t)
		clear(r.named)
		refused(t, r)
		wants(t, r, "")
	})
	bubble(t, "one that nobody uses goes first", func(t *testing.T) {
		r := fill(t)
		time.Sleep(10*time.Minute + time.Second)
		r.find(t, "first", "data of first", nil)
		r.find(t, "second", "data of second", nil)
		r.find(t, "another", "data of another", nil)
		if !r.Knows("first") || !r.Knows("second") {
			t.Error("one that was named a moment ago gave way")
		}
	})
}

// After Close the program is asked nothing any more: who waited for a turn is turned away.
func TestLookups_CloseAsksNothing(t *testing.T) {
	var dead atomic.Int32
	for range 1000 {
		var closing atomic.Bool
		synctest.Test(t, func(t *testing.T) {
			l := strangers.NewLookups(strangers.LookupConfig{
				Max: 1000,
				Ask: func(ctx context.Context, _ string, _ any) (any, error) {
					if closing.Load() {
						dead.Add(1)
					}
					<-ctx.Done()
					return nil, ctx.Err()
				},
				Changed: func(former, now any) {}, Lapsed: func([]any) {},
				Used: func(any) (time.Time, bool) { return time.Time{}, false },
			})
			var wg sync.WaitGroup
			for n := range 16 + 40 {
				wg.Go(func() { _, _ = l.Find(t.Context(), netip.AddrFrom4([4]byte{10, 0, 0, byte(n % 8)}), fmt.Sprint(n)) })
			}
			synctest.Wait()
			closing.Store(true)
			l.Close()
			wg.Wait()
		})
	}
	if n := dead.Load(); n > 0 {
		t.Errorf("the program was asked %d times on behalf of who waited as it was closed", n)
	}
}

// Who waits for an answer waits for that one, and not for all that is asked anew because
// it is in use.
func TestLookups_SlowSweep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		r := newRegistry(t, n)
		r.prompt.Store(true)
		for i := range n {
			r.find(t, fmt.Sprint(i), fmt.Sprint("data of ", i), nil)
			r.hold(fmt.Sprint("data of ", i), true)
		}
		r.prompt.Store(false)
		time.Sleep(65 * time.Second) // a sweep began after 60 and takes a minute and more
		for i := range n {
			began := time.Now()
			r.find(t, fmt.Sprint(i), fmt.Sprint("data of ", i), nil)
			if took := time.Since(began); took > 2*time.Second {
				t.Fatalf("the answer about %d took %v, want no longer than one takes", i, took)
			}
		}
		time.Sleep(time.Hour)
		if n := r.most.Load(); n > 4+1 {
			t.Errorf("%d were asked at once, want four and the one that was waited for", n)
		}
	})
}
