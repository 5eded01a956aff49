package natsauth_test

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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
		stays         time.Duration // the last of these to leave
		end           uint64
		gone          bool
		compared, had bool // with that; whether it still has all
	}{
		{"nothing was read before", time.Time{}, made, 0, 0, 0, false, false, true},
		{"the same", made, made.UTC(), 7, time.Hour, 7, false, false, true},
		{"more came", made, made, 7, time.Hour, 8, false, false, true},
		{"fewer are there", made, made, 7, time.Hour, 6, false, false, false},
		{"one of before is gone", made, made, 7, time.Hour, 9, true, false, false},
		{"another stream", made, made.Add(1), 7, time.Hour, 9, false, false, false},
		{"an older stream", made, made.Add(-1), 7, time.Hour, 9, false, false, false},
		{"said already", made, made, 7, time.Hour, 6, false, true, true},
		{"another stream, and nothing was read before", made, made.Add(1), 0, time.Hour, 0, false, false, true},
		{"another stream, and all is over", made, made.Add(1), 7, -time.Second, 0, false, false, true},
		{"fewer are there, and all is over", made, made, 7, -time.Second, 6, false, false, true},
	} {
		var lines lockedBuffer
		cfg := natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))}
		_, l := newScript(t, cfg)
		natsauth.Compare(t.Context(), l, tt.compared, tt.before, tt.seen, tt.stays, tt.now, tt.end, tt.gone)
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

// An entry that an earlier reading brought is looked for by the next until a leader is
// believed, and one that an earlier reading brought before it was cut short, too.
func TestRead_Past(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		cut   bool // a reading between, of which nothing is believed
		shown func(stored time.Time) (*jetstream.RawStreamMsg, error)
		lost  int // lines
		want  error
	}{
		{"it is there", false, func(stored time.Time) (*jetstream.RawStreamMsg, error) {
			return &jetstream.RawStreamMsg{Sequence: 1, Subject: "oidcauth_revocations.r.a", Time: stored}, nil
		}, 0, context.Canceled},
		{"it is gone", false, func(time.Time) (*jetstream.RawStreamMsg, error) { return nil, jetstream.ErrMsgNotFound }, 1, context.Canceled},
		{"it is gone, and a reading was cut short", true, func(time.Time) (*jetstream.RawStreamMsg, error) { return nil, jetstream.ErrMsgNotFound }, 1, context.Canceled},
		{"it cannot be looked for", false, func(time.Time) (*jetstream.RawStreamMsg, error) { return nil, errLost }, 0, errLost},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRead(t, 1)
			r.state.Created = time.Now()
			r.script.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				return &jetstream.StreamInfo{Config: r.script.configs[name], Created: r.state.Created}, nil
			}
			r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return nil, jetstream.ErrMsgNotFound }
			var stored time.Time
			r.later(time.Second, func() {
				stored = time.Now()
				r.script.deliver(&arrival{number: 1, sequence: 1, value: `{"token_id":"a"}`})
			})
			r.later(4*time.Second, r.cancel)
			if err := r.run(); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			told := r.script.info
			if tt.cut {
				r.family = newFamily(t)
				r.script.info = func(context.Context, string) (*jetstream.StreamInfo, error) { return nil, errLost }
				if err := r.run(); !errors.Is(err, errLost) {
					t.Fatal(err)
				}
			}
			r.script.info, r.family, r.script.deliver = told, newFamily(t), nil
			looked := 0
			r.script.get = func(uint64) (*jetstream.RawStreamMsg, error) {
				looked++
				return tt.shown(stored)
			}
			r.later(3*time.Second, r.cancel)
			if err := r.run(); !errors.Is(err, tt.want) {
				t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
			}
			if n := strings.Count(r.lines.String(), "the stream has lost revocations"); n != tt.lost || looked != 1 {
				t.Errorf("%s: told %d times of a loss, and looked %d times, want %d, once:\n%s", tt.name, n, looked, tt.lost, r.lines)
			}
		})
	}
}

// A stream that had nothing has lost nothing, whoever makes it anew.
func TestFollow_NothingLost(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var lines lockedBuffer
	l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	r := follow(t, l)
	r.awaitCurrent(true)
	n.stop()
	r.awaitCurrent(false)
	n.options.StoreDir = t.TempDir()
	n.start()
	r.awaitCurrent(true)
	if strings.Contains(lines.String(), "the stream has lost revocations") {
		t.Errorf("an empty stream has lost revocations:\n%s", lines.String())
	}
}

// What an earlier reading brought is looked for after one, too, that ended before it came as
// far, and one that nobody could confirm counts where nothing was read before.
func TestRead_PastOfShort(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first []uint64 // what the first reading brings
		then  []uint64 // and the second
		lost  error    // by which the second ends before it is compared
	}{
		{"came less far", []uint64{1, 2, 3}, []uint64{1}, nil},
		{"was not confirmed", nil, []uint64{1, 2, 3}, errLost},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRead(t, 3)
			r.state.Created = time.Now()
			r.script.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
				return &jetstream.StreamInfo{Config: r.script.configs[name], Created: r.state.Created}, nil
			}
			r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return &jetstream.RawStreamMsg{}, nil }
			brief := nats.Header{jetstream.MsgTTLHeader: {"100s"}} // none is looked for by itself
			told := r.script.info
			read := func(arrive []uint64, lost error) {
				r.script.info = told
				if lost != nil {
					r.script.info = func(context.Context, string) (*jetstream.StreamInfo, error) {
						time.Sleep(time.Second)
						return nil, lost
					}
				}
				r.family, r.script.deliver = newFamily(t), nil
				r.later(100*time.Millisecond, func() {
					for _, n := range arrive {
						r.script.deliver(&arrival{number: n, sequence: n, value: `{"token_id":"a"}`, headers: brief})
					}
				})
				r.later(2*time.Second, r.cancel)
				if err := r.run(); !errors.Is(err, cmp.Or(lost, context.Canceled)) {
					t.Fatal(err)
				}
			}
			read(tt.first, nil)
			read(tt.then, tt.lost)
			r.state.State.LastSeq = 2
			read(nil, nil)
			if n := strings.Count(r.lines.String(), "the stream has lost revocations"); n != 1 {
				t.Errorf("%s: told %d times of a loss, want once:\n%s", tt.name, n, r.lines)
			}
		})
	}
}
