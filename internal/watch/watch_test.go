package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/refusal"
	"github.com/oidcauth/oidcauth/internal/watch"
)

func newWatch(hooks authtrace.Hooks) (*watch.Watch, *authtest.Log) {
	var log authtest.Log
	return watch.New(&hooks, slog.New(slog.NewTextHandler(&log, nil))), &log
}

// A Watch that nobody asked for does nothing.
func TestNew_Nil(t *testing.T) {
	t.Parallel()
	w := watch.New(nil, nil)
	if w != nil || w.Decides() || w.Tickets() || w.Sessions() {
		t.Errorf("New(nil) = %v, which is told of something", w)
	}
	w.KeysFetched(authtrace.KeyFetch{})
	w.KeysState(authtrace.KeyState{})
	w.Revoked("", "token")
	w.Names(nil, []string{"a"})
	w.Close()
	if w.Name("a") != "" {
		t.Error("nobody has a name for an issuer")
	}
}

// The hooks that are nil beside others are not called, and cost no event.
func TestNew_SomeNil(t *testing.T) {
	t.Parallel()
	w, log := newWatch(authtrace.Hooks{SessionEnded: func(authtrace.Session) {}})
	w.KeysFetched(authtrace.KeyFetch{})
	w.KeysState(authtrace.KeyState{})
	w.Revoked("", "token")
	w.SessionStarted("", time.Now())
	w.SessionRenewed("", time.Now())
	w.Close()
	if w.Decides() || w.Tickets() || !w.Sessions() || log.String() != "" {
		t.Errorf("told of what nobody asked for: %s", log.String())
	}
	if name := w.Name("a"); name != "" {
		t.Errorf("Name() = %q before any issuer is configured", name)
	}
}

// Each hook that is told of sessions is reason enough to tell of them.
func TestSessions(t *testing.T) {
	t.Parallel()
	session := func(authtrace.Session) {}
	for name, hooks := range map[string]authtrace.Hooks{
		"started": {SessionStarted: session},
		"renewed": {SessionRenewed: session},
		"ended":   {SessionEnded: session},
		"missed":  {Missed: func(authtrace.Missed) {}},
	} {
		if w, _ := newWatch(hooks); !w.Sessions() {
			t.Errorf("%s: nobody is told of sessions", name)
		}
	}
	if w, _ := newWatch(authtrace.Hooks{Revoked: func(authtrace.Revocation) {}}); w.Sessions() {
		t.Error("who asked for revocations alone is told of sessions")
	}
}

// Whatever happens is told in its order, with the number of sessions that lived then.
func TestEvents_Order(t *testing.T) {
	t.Parallel()
	var got []string
	session := func(name string) func(authtrace.Session) {
		return func(s authtrace.Session) {
			got = append(got, fmt.Sprint(name, " ", s.Issuer, " ", s.Outcome, " ", s.Live))
		}
	}
	w, _ := newWatch(authtrace.Hooks{
		SessionStarted: session("started"), SessionRenewed: session("renewed"), SessionEnded: session("ended"),
		Revoked:     func(r authtrace.Revocation) { got = append(got, fmt.Sprint("revoked ", r.Issuer, " ", r.By)) },
		KeysFetched: func(f authtrace.KeyFetch) { got = append(got, "fetched "+f.Issuer) },
		KeysState:   func(s authtrace.KeyState) { got = append(got, "state "+s.Issuer) },
	})
	w.Names(nil, []string{"b", "a"})
	start := time.Now()
	w.SessionStarted("a", start)
	w.SessionStarted("a", start)
	w.SessionRenewed("a", start)
	w.Revoked("a", "token")
	w.SessionEnded("a", start, refusal.New(refusal.Revocation, refusal.ErrRevoked, "", ""))
	w.KeysFetched(authtrace.KeyFetch{Issuer: "a"})
	w.KeysFetched(authtrace.KeyFetch{Issuer: "https://stranger.test"})
	w.KeysState(authtrace.KeyState{Issuer: "b"})
	w.KeysState(authtrace.KeyState{Issuer: "https://stranger.test"})
	w.Close()
	const want = "started a  1, started a  2, renewed a  2, revoked a token, ended a revoked 1, fetched a, fetched , state b, state "
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("told %s\nwant %s", text, want)
	}
}

// A hook that panics, or ends its goroutine, is logged once, called again, and keeps
// nothing from whoever is told next.
func TestHooks_Panic(t *testing.T) {
	t.Parallel()
	var told, decided, ended int
	w, log := newWatch(authtrace.Hooks{
		Decided: func(context.Context, authtrace.Decision) { decided++; panic("a\nb") },
		Ticket:  func(context.Context, authtrace.Decision) { panic(badText{}) },
		SessionStarted: func(authtrace.Session) {
			if told++; told%2 == 0 {
				runtime.Goexit()
			}
			panic(errors.New("no metrics today"))
		},
		SessionEnded: func(authtrace.Session) { ended++ },
	})
	for range 3 {
		w.Decided(t.Context(), time.Now(), "", false, nil)
		w.Ticket(t.Context(), time.Now(), "", nil)
	}
	for range 1000 {
		w.SessionStarted("", time.Now())
		w.SessionEnded("", time.Now(), nil)
	}
	w.Close()
	if decided != 3 || told != 1000 || ended != 1000 {
		t.Errorf("called %d, %d and %d times, want 3, 1000 and 1000", decided, told, ended)
	}
	text := log.String()
	if strings.Count(text, "\n") != 3 || !strings.Contains(text, `hook=Decided`) || !strings.Contains(text, `hook=Ticket`) ||
		!strings.Contains(text, `hook=SessionStarted error="the function panicked, or ended its goroutine at watch_test.go:`) || strings.Contains(text, "no metrics today") {
		t.Errorf("the log has\n%s\nwant a line for each of the three hooks", text)
	}
}

// A badText cannot even be printed.
type badText struct{}

func (badText) String() string { panic("again") }

// The program's logger may fail as its hook did.
func TestHooks_PanicOfLogger(t *testing.T) {
	t.Parallel()
	w := watch.New(&authtrace.Hooks{Decided: func(context.Context, authtrace.Decision) { panic("hook") }}, slog.New(badHandler{slog.DiscardHandler}))
	w.Decided(t.Context(), time.Now(), "", false, nil)
}

type badHandler struct{ slog.Handler }

func (badHandler) Enabled(context.Context, slog.Level) bool { panic("handler") }

// maxWaiting is how many events wait for their turn, as package authtrace says.
const maxWaiting = 262_144

// A hook that never returns holds up no event, takes bounded memory, and when it does
// return the ones behind it say how many were missed and how many sessions live.
func TestHooks_Slow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const lost = 1000
		const sessions = 1 + maxWaiting + lost
		release := make(chan struct{})
		var told atomic.Int64
		var mu sync.Mutex // guards missed
		var missed authtrace.Missed
		w, _ := newWatch(authtrace.Hooks{
			SessionStarted: func(authtrace.Session) { <-release; told.Add(1) },
			Missed: func(m authtrace.Missed) {
				mu.Lock()
				defer mu.Unlock()
				missed.Events += m.Events
				missed.Live = m.Live
			},
		})
		start := time.Now()
		w.SessionStarted("", start)
		synctest.Wait()
		for range sessions - 1 {
			w.SessionStarted("", start)
		}
		w.Close()
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close() took %v with a hook that hangs, want a second", took)
		}
		close(release)
		synctest.Wait()
		if int(told.Load())+missed.Events != sessions || missed.Events != lost || missed.Live != sessions {
			t.Errorf("%d told, missed %+v, want %d together, and as many alive", told.Load(), missed, sessions)
		}
		w.SessionStarted("", start)
		synctest.Wait()
		if int(told.Load())+missed.Events != sessions+1 {
			t.Error("the next one is not told")
		}
	})
}

// What was lost is told where it was lost: behind what waited then, and before what came
// when there was room again.
func TestHooks_MissedInTheirPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		turn := make(chan struct{})
		w, _ := newWatch(authtrace.Hooks{
			SessionStarted: func(authtrace.Session) { <-turn },
			SessionEnded:   func(s authtrace.Session) { told = append(told, "ended, "+fmt.Sprint(s.Live)) },
			Missed:         func(m authtrace.Missed) { told = append(told, fmt.Sprint("missed ", m.Events, ", ", m.Live)) },
		})
		w.SessionStarted("", time.Now())
		synctest.Wait()
		for range maxWaiting + 1 {
			w.SessionStarted("", time.Now()) // the last is lost
		}
		turn <- struct{}{}
		synctest.Wait()
		w.SessionEnded("", time.Now(), nil)
		close(turn)
		synctest.Wait()
		const all = maxWaiting + 2
		if got, want := strings.Join(told, "; "), fmt.Sprintf("missed 1, %d; ended, %d", all, all-1); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// A hook may end its goroutine where others have been added behind its piece of memory.
func TestHooks_EndsGoroutineLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release, ended := make(chan struct{}), false
		w, _ := newWatch(authtrace.Hooks{
			SessionStarted: func(authtrace.Session) { <-release; runtime.Goexit() },
			SessionEnded:   func(authtrace.Session) { ended = true },
		})
		w.SessionStarted("", time.Now())
		synctest.Wait()
		w.SessionEnded("", time.Now(), nil)
		close(release)
		synctest.Wait()
		if !ended {
			t.Error("the event behind it is not told")
		}
	})
}

// Close waits no longer than there is something to tell.
func TestClose_Prompt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWatch(authtrace.Hooks{SessionStarted: func(authtrace.Session) { time.Sleep(10 * time.Millisecond) }})
		start := time.Now()
		w.SessionStarted("", start)
		w.Close()
		if took := time.Since(start); took != 10*time.Millisecond {
			t.Errorf("Close() took %v, want the hook's 10ms", took)
		}
	})
}

// Events that wait lie in pieces that grow with their number, and no piece moves.
func TestEvents_Memory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w, _ := newWatch(authtrace.Hooks{SessionStarted: func(authtrace.Session) { <-release }})
		w.SessionStarted("", time.Now())
		synctest.Wait()
		for range 600 {
			w.SessionStarted("", time.Now())
		}
		if got, want := w.Chunks(), []int{8, 8, 16, 32, 64, 128, 256, 256}; !slices.Equal(got, want) {
			t.Errorf("the pieces have room for %v events, want %v", got, want)
		}
		close(release)
		synctest.Wait()
		if got := w.Chunks(); len(got) != 0 {
			t.Errorf("pieces for %v events are left when none waits", got)
		}
	})
}

// Nobody remembers a ticket: each is judged anew.
func TestTicket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got authtrace.Decision
		w, _ := newWatch(authtrace.Hooks{Ticket: func(_ context.Context, d authtrace.Decision) { got = d }})
		w.Ticket(t.Context(), time.Now(), "a", nil)
		if want := (authtrace.Decision{Outcome: authtrace.Accepted, Status: 200, Issuer: "a", Start: time.Now()}); got != want {
			t.Errorf("told %+v, want %+v", got, want)
		}
	})
}

func TestDecided(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want authtrace.Decision
	}{
		{"accepted", nil, authtrace.Decision{Outcome: authtrace.Accepted, Status: 200}},
		{"refused", refusal.New(refusal.Expiry, refusal.ErrExpired, "x", "y"), authtrace.Decision{Outcome: "expired", Check: refusal.Expiry, Status: 401}},
		{"unknown", refusal.New(refusal.Key, refusal.ErrKeysUnavailable, "", ""), authtrace.Decision{Outcome: "keys_unavailable", Check: refusal.Key, Status: 503}},
		{"the program's own", errors.New("x"), authtrace.Decision{Outcome: refusal.Other, Status: 500}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got authtrace.Decision
				w, _ := newWatch(authtrace.Hooks{Decided: func(_ context.Context, d authtrace.Decision) { got = d }})
				tt.want.Issuer, tt.want.Remembered, tt.want.Start, tt.want.Duration = "a", true, time.Now(), time.Minute
				time.Sleep(time.Minute)
				w.Decided(t.Context(), tt.want.Start, "a", true, tt.err)
				if got != tt.want {
					t.Errorf("told %+v, want %+v", got, tt.want)
				}
			})
		})
	}
}
