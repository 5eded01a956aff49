package natsauth_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

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
	if first, err := l.FirstUse(t.Context(), useID(1), time.Now()); err != nil || !first {
		t.Fatalf("FirstUse() = %v, %v, want true", first, err)
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
