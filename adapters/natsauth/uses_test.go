package natsauth_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// useID returns one of many IDs.
func useID(i int) (id [32]byte) {
	binary.BigEndian.PutUint64(id[:], uint64(i))
	return id
}

// Of many that use one thing at once, at different servers, one is the first,
// and nobody is afterwards.
func TestLog_FirstUseOnce(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	logs := []*natsauth.Log{newLog(t, n, natsauth.Config{}), newLog(t, n, natsauth.Config{}), newLog(t, n, natsauth.Config{})}
	for round := range 20 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		firsts := 0
		for i := range 12 {
			wg.Go(func() {
				first, err := logs[i%len(logs)].FirstUse(t.Context(), useID(round), time.Now().Add(time.Minute))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("FirstUse() error = %v", err)
				}
				if first {
					firsts++
				}
			})
		}
		wg.Wait()
		if firsts != 1 {
			t.Fatalf("%d were told that theirs is the first use, want 1", firsts)
		}
		firstUse(t, newLog(t, n, natsauth.Config{}), useID(round), false)
	}
}

// A stream that is full of uses refuses uses alone: revocations go on.
func TestLog_FullOfUses(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{MaxUseBytes: 16 << 10})
	taken := 0
	for ; taken < 1000; taken++ {
		first, err := l.FirstUse(t.Context(), useID(taken), time.Now().Add(time.Minute))
		if err == nil && first {
			continue
		}
		if first || !errors.Is(err, oidcauth.ErrNotStored) {
			t.Fatalf("FirstUse() of a full stream = %v, %v, want %v", first, err, oidcauth.ErrNotStored)
		}
		break
	}
	if taken == 0 || taken == 1000 {
		t.Fatalf("the stream took %d of 1000", taken)
	}
	firstUse(t, l, useID(0), false)
	appendTokens(t, l, "token-1")
	follow(t, l).awaitTokens("token-1")
}

// A use that is over makes place for another.
func TestLog_UseExpires(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Stream: "revoked"})
	l.SetLateness(0)
	if first, err := l.FirstUse(t.Context(), useID(1), time.Now()); first || err == nil || errors.Is(err, oidcauth.ErrNotStored) {
		t.Fatalf("FirstUse() of what is over = %v, %v, want an error", first, err)
	}
	stream := openStream(t, n, "revoked_uses")
	for limit := time.Now().Add(patience); messages(t, stream) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the use does not leave")
		}
	}
}

// When the stream of uses was deleted, nothing that may be from before is told to
// be used for the first time: not by who knew the stream, not by who comes later.
func TestLog_UsesDeleted(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	old, idle := newLog(t, n, natsauth.Config{}), newLog(t, n, natsauth.Config{})
	firstUse(t, old, useID(1), true)
	firstUse(t, idle, useID(1), false)
	created := openStream(t, n, "oidcauth_revocations_uses").CachedInfo().Created
	if err := n.connect().DeleteStream(t.Context(), "oidcauth_revocations_uses"); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*natsauth.Log{"one that used it": old, "one that was refused it": idle} {
		if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Minute)); first {
			t.Errorf("%s: FirstUse() after the stream was deleted = %v, %v, want an error or false", name, first, err)
		}
	}
	if again := openStream(t, n, "oidcauth_revocations_uses").CachedInfo().Created; !again.After(created) {
		t.Fatalf("the stream was not made anew: created %v, then %v", created, again)
	}
	// What ends later than anything from before can is new.
	if first, err := old.FirstUse(t.Context(), useID(2), time.Now().Add(2*time.Hour)); !first || err != nil {
		t.Errorf("FirstUse() of a new thing = %v, %v, want true", first, err)
	}
}

// A stream that others made anew and filled beyond what it held is noticed by the
// heartbeat.
func TestFollow_UsesDeleted(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond})
	r := follow(t, l)
	r.awaitCurrent(true)
	firstUse(t, l, useID(1), true)
	js := n.connect()
	if err := js.DeleteStream(t.Context(), "oidcauth_revocations_uses"); err != nil {
		t.Fatal(err)
	}
	other := newLog(t, n, natsauth.Config{})
	for i := range 5 {
		firstUse(t, other, useID(100+i), true)
	}
	awaitRequests(t, js, 20)
	if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Minute)); first || err == nil {
		t.Errorf("FirstUse() after the stream was replaced = %v, %v, want an error", first, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Index(r.current, true) != len(r.current)-1 { // before, a busy server may keep it waiting
		t.Errorf("told caughtUp%v, want true at last, and no more: the revocations are all there", r.current)
	}
}

// When something that was used may be presented again, by the stream's age.
func TestLedger(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	day := now.AddDate(0, 0, -1)
	for _, tt := range []struct {
		name  string
		steps func(*natsauth.Ledger)
		until time.Duration // of the use, from now
		last  uint64        // acknowledged before
		seq   uint64
		known bool
	}{
		{"both streams are new", func(g *natsauth.Ledger) { g.Look(now, now, now.Add(-time.Second)) }, time.Minute, 0, 1, true},
		{"both are a day old", func(g *natsauth.Ledger) { g.Look(now, day, day) }, time.Minute, 0, 1, true},
		{"the uses are new, the revocations are not", func(g *natsauth.Ledger) { g.Look(now, now, day) }, time.Minute, 0, 1, false},
		{"a thing that ends later than any from before", func(g *natsauth.Ledger) { g.Look(now, now, day) }, time.Hour, 0, 1, true},
		{"the uses were made anew an hour ago", func(g *natsauth.Ledger) { g.Look(now, now.Add(-time.Hour), day) }, time.Minute, 0, 1, true},
		{"the uses were made a minute after the revocations", func(g *natsauth.Ledger) { g.Look(now, now, now.Add(-time.Minute)) }, time.Minute, 0, 1, true},
		{"and a little later", func(g *natsauth.Ledger) { g.Look(now, now, now.Add(-time.Minute-1)) }, time.Minute, 0, 1, false},
		{"it ends in a quarter of an hour", func(g *natsauth.Ledger) { g.Look(now, now, day) }, 15 * time.Minute, 0, 1, true},
		{"it ends a little earlier", func(g *natsauth.Ledger) { g.Look(now, now, day) }, 15*time.Minute - 1, 0, 1, false},
		{"another stream than before", func(g *natsauth.Ledger) { g.Look(now, day, day); g.Look(now, now, now) }, time.Minute, 0, 1, false},
		{"things were kept for a day", func(g *natsauth.Ledger) { g.Begin(24 * time.Hour); g.Look(now, now, day) }, time.Hour, 0, 1, false},
		{"sequences begin again", func(g *natsauth.Ledger) { g.Look(now, day, day) }, time.Minute, 7, 1, false},
		{"the last sequence comes again", func(g *natsauth.Ledger) { g.Look(now, day, day) }, time.Minute, 7, 7, false},
		{"sequences go on", func(g *natsauth.Ledger) { g.Look(now, day, day) }, time.Minute, 7, 8, true},
	} {
		g := new(natsauth.Ledger)
		tt.steps(g)
		if tt.last > 0 {
			g.Judge(now, now, 0, tt.last)
		}
		if err := g.Judge(now, now.Add(tt.until), tt.last, tt.seq); (err == nil) != tt.known {
			t.Errorf("%s: Judge() = %v, want known %v", tt.name, err, tt.known)
		}
		if last := g.Begin(0); last != tt.seq {
			t.Errorf("%s: the last sequence is %d, want %d", tt.name, last, tt.seq)
		}
	}
}

// That uses cannot be recorded is said once, until they can, and not by who is called off.
func TestLog_UsesFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines lockedBuffer
		s, l := newScript(t, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		_, uses := l.StreamConfig()
		var failed error
		state := jetstream.StreamInfo{Config: uses}
		s.info = func(context.Context, string) (*jetstream.StreamInfo, error) { return &state, failed }
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		f := newFamily(t)
		for i, step := range []struct {
			ctx    context.Context
			err    error
			maxAge time.Duration
			lines  int
			looked int // for the streams
		}{
			{f, nil, 0, 0, 2}, {f, nil, 0, 0, 2}, {gone, errLost, 0, 0, 2}, {f, errLost, 0, 1, 3}, {f, errLost, 0, 1, 4}, {f, nil, 0, 1, 5},
			{f, nil, time.Hour, 2, 5}, {f, nil, 0, 2, 6}, {f, nil, 0, 2, 6}, {f, errLost, 0, 3, 6},
		} {
			failed, state.Config.MaxAge = step.err, step.maxAge
			l.LookAfterUses(step.ctx, time.Time{})
			if got := strings.Count(lines.String(), "uses cannot be recorded"); got != step.lines || s.looked != step.looked {
				t.Errorf("step %d: %d lines, looked for the streams %d times, want %d, %d:\n%s", i, got, s.looked, step.lines, step.looked, lines.String())
			}
		}
		if n := f.living.Load(); n != 0 {
			t.Errorf("%d contexts are left", n)
		}
	})
}

// A stream of uses that was made anew is noticed when it is opened and when it is looked
// after, and the wish for one that cannot be had is said to be in vain.
func TestLog_UsesMadeAnew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		opened, later time.Duration // the age of the stream, beside a day of that of revocations; zero: not looked after
		until         time.Duration
		first         bool
	}{
		{"as old as that of revocations", 24 * time.Hour, 24 * time.Hour, time.Minute, true},
		{"new", time.Second, time.Second, time.Minute, false},
		{"new, and a use that lasts", time.Second, time.Second, 20 * time.Minute, true},
		{"ten minutes old", 10 * time.Minute, 10 * time.Minute, 5 * time.Minute, true},
		{"ten minutes old, and a use that lasts less", 10 * time.Minute, 10 * time.Minute, 5*time.Minute - 1, false},
		{"as old, and used at once", 24 * time.Hour, 0, time.Minute, true},
		{"new, and used at once", time.Second, 0, time.Minute, false},
		{"made anew since", 24 * time.Hour, time.Second, time.Minute, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			s.play(stores)
			revocations, _ := l.StreamConfig()
			day := time.Now().Add(-24 * time.Hour)
			age := tt.opened
			state := func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				info := &jetstream.StreamInfo{Config: s.configs[name], Created: day}
				if name != revocations.Name {
					info.Created = time.Now().Add(-age)
				}
				return info, nil
			}
			s.stream, s.info = state, state
			if tt.later > 0 {
				l.LookAfterUses(t.Context(), day)
				age = tt.later
				l.LookAfterUses(t.Context(), day)
			}
			if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(tt.until)); first != tt.first || (err == nil) != tt.first {
				t.Errorf("%s: FirstUse() = %v, %v, want %v", tt.name, first, err, tt.first)
			}
		})
	}
	var lines lockedBuffer
	s, l := newScript(t, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	s.stream = func(context.Context, string) (*jetstream.StreamInfo, error) { return nil, errLost }
	l.LookAfterUses(t.Context(), time.Time{})
	if !strings.Contains(lines.String(), "uses cannot be recorded") {
		t.Errorf("without a stream: logged %q", lines.String())
	}
}

// One looks after the uses at a time.
func TestLog_UsesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, l := newScript(t, natsauth.Config{})
		_, uses := l.StreamConfig()
		asked, free := 0, make(chan struct{})
		s.info = func(context.Context, string) (*jetstream.StreamInfo, error) {
			asked++
			<-free
			return &jetstream.StreamInfo{Config: uses}, nil
		}
		for range 3 {
			go l.LookAfterUses(t.Context(), time.Time{})
			synctest.Wait()
		}
		if asked != 1 {
			t.Errorf("asked %d times at once, want 1", asked)
		}
		close(free)
		synctest.Wait()
		if l.LookAfterUses(t.Context(), time.Time{}); asked != 2 {
			t.Errorf("asked %d times one after the other, want 2", asked)
		}
	})
}
