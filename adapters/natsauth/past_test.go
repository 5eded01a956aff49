package natsauth_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// When a stream has lost what an earlier reading of it had, by what the leader says.
func TestPast(t *testing.T) {
	t.Parallel()
	made := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name          string
		before, now   time.Time // when the stream was made
		seen          uint64
		end           uint64
		gone          bool
		compared, had bool // with that; whether it still has all
	}{
		{"nothing was read before", time.Time{}, made, 0, 0, false, false, true},
		{"the same", made, made.UTC(), 7, 7, false, false, true},
		{"more came", made, made, 7, 8, false, false, true},
		{"fewer are there", made, made, 7, 6, false, false, false},
		{"one of before is gone", made, made, 7, 9, true, false, false},
		{"another stream", made, made.Add(1), 7, 9, false, false, false},
		{"an older stream", made, made.Add(-1), 7, 9, false, false, false},
		{"said already", made, made, 7, 6, false, true, true},
	} {
		var lines lockedBuffer
		cfg := natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))}
		_, l := newScript(t, cfg)
		natsauth.Compare(t.Context(), l, tt.compared, tt.before, tt.seen, tt.now, tt.end, tt.gone)
		if lost := strings.Contains(lines.String(), "the stream has lost revocations"); lost == tt.had {
			t.Errorf("%s: said to have lost %v, want %v", tt.name, lost, !tt.had)
		}
	}
}

// A stream that is set back to an older copy, or made anew, while nobody reaches it is told
// of once, by each who follows: who starts later cannot know. A use of before is none then.
func TestFollow_LostInBetween(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var lines lockedBuffer
	busy := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond})
	idle := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	readers := []*reader{follow(t, busy), follow(t, idle)}
	awaitAll := func(id string) {
		t.Helper()
		for _, r := range readers {
			r.awaitTokens(id)
			r.awaitCurrent(true)
		}
	}
	expect := func(when string, want int) {
		t.Helper()
		if n := strings.Count(lines.String(), "the stream has lost revocations"); n != want {
			t.Fatalf("%s: told %d times that revocations are lost, want %d:\n%s", when, n, want, lines.String())
		}
	}
	appendTokens(t, busy, "kept")
	firstUse(t, busy, useID(1), true)
	awaitAll("kept")
	n.stop()
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(n.options.StoreDir)); err != nil {
		t.Fatal(err)
	}
	n.start()
	appendTokens(t, busy, "lost")
	firstUse(t, busy, useID(2), true)
	firstUse(t, busy, useID(3), true)
	awaitAll("lost")
	expect("after a restart", 0)
	awaitRequests(t, n.connect(), 40) // the idle one has asked how far the others are

	n.stop()
	n.options.StoreDir = older
	n.start()
	appendTokens(t, busy, "after")
	awaitAll("after")
	expect("set back", 1)
	awaitRequests(t, n.connect(), 40)
	if first, err := idle.FirstUse(t.Context(), useID(2), time.Now().Add(time.Minute)); first {
		t.Errorf("FirstUse() of what another used before = %v, %v, want an error", first, err)
	}

	n.stop()
	n.options.StoreDir = t.TempDir()
	n.start()
	appendTokens(t, busy, "anew")
	awaitAll("anew")
	expect("made anew", 2)
	n.stop()
	n.start()
	appendTokens(t, busy, "more")
	awaitAll("more")
	expect("after another restart", 2)
}
