package strangers_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/keyset"
	"github.com/oidcauth/oidcauth/internal/strangers"
)

// A registry is a program's table, in which each answer takes a second.
type registry struct {
	*strangers.Lookups
	asked   atomic.Int32
	running atomic.Int32 // questions under way
	most    atomic.Int32 // of these at once
	last    atomic.Value // context that was asked with
	prompt  atomic.Bool  // no answer takes any time
	changes atomic.Int32
	lapsed  atomic.Int32
	letGo   atomic.Value // what went last

	mu     sync.Mutex // guards what follows
	answer func(name string, former any) (any, error)
	used   map[any]time.Time
	held   map[any]bool
	named  map[any]bool // and nothing else
	log    authtest.Log
}

// asking is how a registry was asked.
type asking struct{ context.Context }

func newRegistry(t *testing.T, most int) *registry {
	r := &registry{
		answer: func(name string, former any) (any, error) {
			if former != nil {
				return former, nil
			}
			return "data of " + name, nil
		},
		used: map[any]time.Time{}, held: map[any]bool{}, named: map[any]bool{},
	}
	r.Lookups = strangers.NewLookups(strangers.LookupConfig{
		Max: most,
		Ask: func(ctx context.Context, name string, former any) (any, error) {
			r.asked.Add(1)
			r.most.Store(max(r.most.Load(), r.running.Add(1)))
			defer r.running.Add(-1)
			r.last.Store(asking{ctx})
			delay := time.Second
			if r.prompt.Load() {
				delay = 0
			}
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.answer(name, former)
		},
		Changed: func(former, now any) {
			if former != now {
				r.changes.Add(1)
			}
			if former != nil {
				r.letGo.Store(former)
			}
		},
		Lapsed: func([]any) { r.lapsed.Add(1) },
		Used: func(data any) (time.Time, bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.used[data], r.held[data]
		},
		Accepted: func(data any) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return !r.named[data]
		},
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	t.Cleanup(r.Close)
	return r
}

func (r *registry) says(answer func(name string, former any) (any, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *registry) hold(data any, held bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[data] = held
}

func (r *registry) find(t *testing.T, name string, want any, wantErr error) {
	t.Helper()
	data, err := r.Find(t.Context(), caller(1), name)
	if data != want || !errors.Is(err, wantErr) {
		t.Errorf("Find(%q) = %v, error %v, want %v, %v", name, data, err, want, wantErr)
	}
}

func (r *registry) wantAsked(t *testing.T, want int32) {
	t.Helper()
	if n := r.asked.Swap(0); n != want {
		t.Errorf("asked %d times, want %d", n, want)
	}
}

var errTable = errors.New("the table is locked")

func TestLookups(t *testing.T) {
	const a = "data of a"
	bubble(t, "one question for all who wait, and an answer that counts for a minute", func(t *testing.T) {
		r := newRegistry(t, 10)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { r.find(t, "a", a, nil) })
		}
		wg.Wait()
		time.Sleep(time.Minute - 2*time.Second)
		r.find(t, "a", a, nil)
		r.wantAsked(t, 2) // the second in the background, because it is in use
	})
	bubble(t, "none is not asked for again for a minute", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.says(func(string, any) (any, error) { return nil, nil })
		for range 5 {
			r.find(t, "a", nil, nil)
		}
		r.wantAsked(t, 1)
		time.Sleep(time.Minute)
		r.find(t, "a", nil, nil)
		r.wantAsked(t, 1)
		if r.Knows("a") {
			t.Error("what is not there is known")
		}
	})
	bubble(t, "an error is told, also where the former answer serves", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", a, nil)
		r.says(func(string, any) (any, error) { return nil, errTable })
		r.find(t, "b", nil, errTable)
		time.Sleep(time.Minute)
		r.find(t, "a", a, nil)
		synctest.Wait()
		for _, name := range []string{"a", "b"} {
			if want := "issuer=" + name + ` error="` + errTable.Error() + `"`; !strings.Contains(r.log.String(), want) {
				t.Errorf("the log has %q, want %q", r.log.String(), want)
			}
		}
	})
	bubble(t, "an error is asked for again", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.says(func(string, any) (any, error) { return nil, errTable })
		for range 3 {
			r.find(t, "a", nil, errTable)
		}
		r.wantAsked(t, 3)
	})
	bubble(t, "after an error the last answer counts for ten minutes", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", a, nil)
		expires := time.Now().Add(10 * time.Minute)
		r.hold(a, true)
		r.says(func(string, any) (any, error) { return nil, errTable })
		time.Sleep(9 * time.Minute)
		r.find(t, "a", a, nil)
		if r.changes.Swap(0) != 1 {
			t.Error("what was there is gone")
		}
		time.Sleep(time.Until(expires))
		if r.find(t, "a", nil, errTable); r.changes.Load() != 1 || r.Knows("a") {
			t.Error("what was there was not let go of")
		}
	})
	bubble(t, "what nobody uses is not asked for, and cannot be relied on", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", a, nil)
		is := func(data any) bool { return data == a }
		if !r.Holds("a", is) || r.Holds("a", func(any) bool { return false }) || r.Holds("b", is) {
			t.Error("Holds() is not what counts")
		}
		time.Sleep(3 * time.Minute)
		r.asked.Store(0)
		time.Sleep(3 * time.Minute)
		if r.wantAsked(t, 0); r.Holds("a", is) || r.lapsed.Load() != 1 || !r.Knows("a") {
			t.Error("an answer of long ago is relied on")
		}
		r.find(t, "a", a, nil)
		if !r.Holds("a", is) {
			t.Error("an answer of now is not relied on")
		}
		time.Sleep(20 * time.Minute)
		if r.Knows("a") {
			t.Error("it is remembered for ever")
		}
	})
	bubble(t, "what nobody used counts again after an error, for as long as the last answer does", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", a, nil)
		r.says(func(string, any) (any, error) { return nil, errTable })
		is := func(data any) bool { return data == a }
		for range 2 {
			time.Sleep(4 * time.Minute)
			if r.Holds("a", is) {
				t.Error("an answer of long ago is relied on")
			}
			if r.find(t, "a", a, nil); !r.Holds("a", is) {
				t.Error("what serves is not relied on")
			}
		}
	})
	bubble(t, "no more are remembered than may, and none in use is let go of", func(t *testing.T) {
		r := newRegistry(t, 3)
		for n := range 3 {
			r.find(t, fmt.Sprint(n), fmt.Sprint("data of ", n), nil)
		}
		_, err := r.Find(t.Context(), caller(1), "a")
		if _, postponed := errors.AsType[*keyset.PostponedError](err); !postponed {
			t.Errorf("Find() error = %v, want a PostponedError", err)
		}
		r.hold("data of 0", true)
		time.Sleep(9 * time.Minute)
		r.find(t, "2", "data of 2", nil)
		time.Sleep(2 * time.Minute)
		r.find(t, "a", a, nil)
		if !r.Knows("0") || r.Knows("1") || !r.Knows("2") {
			t.Error("another was let go of than the one that is not in use")
		}
	})
	bubble(t, "whoever leaves returns at once, and the answer comes for the others", func(t *testing.T) {
		r := newRegistry(t, 10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { r.find(t, "a", a, nil) })
		began := time.Now()
		if _, err := r.Find(ctx, caller(2), "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Millisecond {
			t.Errorf("Find() error = %v after %v", err, time.Since(began))
		}
		wg.Wait()
		r.wantAsked(t, 1)
	})
	bubble(t, "a question that nobody waits for any more is not asked", func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		for n := range 16 {
			wg.Go(func() { _, _ = r.Find(t.Context(), caller(1), fmt.Sprint(n)) })
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _, _ = r.Find(ctx, caller(1), "a") })
		synctest.Wait()
		cancel()
		wg.Wait()
		r.wantAsked(t, 16)
	})
	bubble(t, "closing ends questions and lets go of all", func(t *testing.T) {
		r := newRegistry(t, 10)
		r.find(t, "a", a, nil)
		r.changes.Store(0)
		var wg sync.WaitGroup
		wg.Go(func() { r.find(t, "b", nil, strangers.ErrClosed) })
		synctest.Wait()
		r.Close()
		wg.Wait()
		r.find(t, "a", nil, strangers.ErrClosed)
		if r.changes.Load() != 1 || r.Knows("a") {
			t.Error("something is left")
		}
	})
}

// Whoever has closed Lookups can close the table that they ask.
func TestLookups_CloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t, 10)
		var asking atomic.Bool
		r.says(func(string, any) (any, error) {
			asking.Store(true)
			time.Sleep(time.Second)
			asking.Store(false)
			return nil, nil
		})
		go func() { _, _ = r.Find(t.Context(), caller(1), "a") }()
		time.Sleep(1500 * time.Millisecond)
		if !asking.Load() {
			t.Fatal("nothing is asked")
		}
		if r.Close(); asking.Load() {
			t.Error("Close() returned while the table was asked")
		}
	})
}

// A table that does not return when it is told to holds Close up for five seconds.
func TestLookups_CloseWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Value
		l := strangers.NewLookups(strangers.LookupConfig{
			Max: 10,
			Ask: func(_ context.Context, name string, _ any) (any, error) {
				if name == "slow" {
					time.Sleep(time.Hour)
				}
				return name, nil
			},
			Changed: func(former, now any) { late.Store([2]any{former, now}) }, Lapsed: func([]any) {},
			Used: func(any) (time.Time, bool) { return time.Time{}, false },
		})
		if _, err := l.Find(t.Context(), caller(1), "prompt"); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { _, err := l.Find(t.Context(), caller(1), "slow"); ended <- err }()
		synctest.Wait()
		began := time.Now()
		l.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close() took %v, want five seconds", took)
		}
		if changed := late.Load(); changed != [2]any{"prompt", nil} || l.Knows("prompt") {
			t.Errorf("the last change is %v, want that what was known is let go of", changed)
		}
		if err := <-ended; err != strangers.ErrClosed {
			t.Errorf("who waited got %v, want ErrClosed", err)
		}
		if changed := late.Load(); changed != [2]any{"slow", nil} {
			t.Errorf("the last change is %v, want that what came late is let go of", changed)
		}
	})
}

// Each caller has a turn, however many names another asks for.
func TestLookups_Turns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(t, 1000)
		var wg sync.WaitGroup
		for n := range 1000 {
			wg.Go(func() { _, _ = r.Find(t.Context(), caller(1), fmt.Sprint("flood ", n)) })
		}
		synctest.Wait()
		began := time.Now()
		for n := range 5 {
			if _, err := r.Find(t.Context(), caller(2+n), fmt.Sprint("honest ", n)); err != nil {
				t.Errorf("Find() error = %v", err)
			}
		}
		if d := time.Since(began); d > 11*time.Second {
			t.Errorf("five answers took %v", d)
		}
		wg.Wait()
	})
}

// An ownError cannot be told where it is nil.
type ownError struct{ text string }

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return errors.New(e.text) }

// A function that panics, or ends its goroutine, has not answered, and is asked again.
func TestLookups_Panic(t *testing.T) {
	for name, fault := range map[string]func() error{
		"a panic": func() error { panic("no such customer") }, "an error of the runtime": func() error { _ = []int(nil)[len(t.Name()):][0]; return nil },
		"an end of the goroutine": func() error { runtime.Goexit(); return nil }, "a nil pointer as its error": func() error { return (*ownError)(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRegistry(t, 10)
				good := r.answer
				r.answer = func(string, any) (any, error) { return "wrong", fault() }
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if data, err := r.Find(ctx, netip.Addr{}, "a"); err == nil || ctx.Err() != nil {
					t.Errorf("Find() = %v, error %v", data, err)
				}
				r.answer = good
				if data, err := r.Find(ctx, netip.Addr{}, "a"); data != "data of a" || err != nil {
					t.Errorf("Find() = %v, error %v once it went well again", data, err)
				}
			})
		})
	}
}
