package natsauth_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// A read is one reading of a scripted stream.
type read struct {
	*family  // its context
	script   *script
	log      *natsauth.Log
	follower *natsauth.Follower
	changes  chan nats.Status
	state    jetstream.StreamInfo
	lines    *lockedBuffer

	got   []string
	told  []bool
	at    time.Duration // when it was told last
	asked []time.Duration
}

// newRead prepares one whose stream has so many entries, of which none arrives by itself.
func newRead(t *testing.T, exist uint64) *read { return newReadWith(t, exist, natsauth.Config{}) }

func newReadWith(t *testing.T, exist uint64, cfg natsauth.Config) *read {
	var lines lockedBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	s, l := newScript(t, cfg)
	r := &read{lines: &lines, family: newFamily(t), script: s, log: l, changes: make(chan nats.Status, 1)}
	r.follower = natsauth.NewFollower(l, r.changes,
		func(v oidcauth.Revocation) { r.got = append(r.got, v.TokenID) },
		func(current bool) { r.told, r.at = append(r.told, current), time.Since(s.begun) })
	revocations, _ := l.StreamConfig()
	r.state = jetstream.StreamInfo{Config: revocations, State: jetstream.StreamState{LastSeq: exist}}
	s.info = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
		if name != revocations.Name {
			return &jetstream.StreamInfo{Config: s.configs[name]}, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.asked = append(r.asked, time.Since(s.begun)); len(r.asked) > 10_000 {
			return nil, errLost
		}
		state := r.state
		if state.TimeStamp.IsZero() {
			state.TimeStamp = time.Now()
		}
		return &state, nil
	}
	return r
}

// run reads until something ends it, and waits for what it began.
func (r *read) run() error {
	defer synctest.Wait()
	return r.follower.Read(r.family)
}

// later does something while it reads.
func (r *read) later(after time.Duration, do func()) {
	time.AfterFunc(after, func() {
		r.script.mu.Lock()
		defer r.script.mu.Unlock()
		do()
	})
}

// arrive delivers an entry of one token.
func (r *read) arrive(number, sequence uint64, id string) {
	r.script.deliver(&arrival{number: number, sequence: sequence, value: `{"token_id":"` + id + `"}`, headers: nats.Header{jetstream.MsgTTLHeader: {"1s"}}})
}

// What ends a reading, why, and when.
func TestRead_Ends(t *testing.T) {
	t.Parallel()
	const second, soon = time.Second, 100 * time.Millisecond
	fail := func(context.Context, string) (*jetstream.StreamInfo, error) { return nil, errLost }
	for _, tt := range []struct {
		name    string
		prepare func(*read)
		want    error
		text    string
		took    time.Duration
	}{
		{"its context", func(r *read) { r.later(soon, r.cancel) }, context.Canceled, "", soon},
		{"not that the connection is there", func(r *read) { r.changes <- nats.CONNECTED; r.later(soon, r.cancel) }, context.Canceled, "", soon},
		{"the connection's loss", func(r *read) { r.later(soon, func() { r.changes <- nats.RECONNECTING }) }, natsauth.ErrDisconnected, "", soon},
		{"a connection that tells no more", func(r *read) { r.later(soon, func() { close(r.changes) }) }, natsauth.ErrDisconnected, "", soon},
		{"a gap", func(r *read) { r.later(soon, func() { r.arrive(2, 2, "a") }) }, natsauth.ErrGap, "", soon},
		{"an entry that is gone", func(r *read) {
			r.later(soon, func() { r.script.deliver(&arrival{number: 1, sequence: 1, value: "{}"}) })
			r.script.get = func(uint64) (*jetstream.RawStreamMsg, error) { return nil, jetstream.ErrMsgNotFound }
		}, natsauth.ErrReplaced, "heartbeat: ", 5 * second},
		{"an entry that cannot be told", func(r *read) { r.later(soon, func() { r.script.deliver(&arrival{err: errLost}) }) }, errLost, "consumer: the answer was lost", soon},
		{"a leader that refuses", func(r *read) { r.script.info = fail }, errLost, "heartbeat: the answer was lost", 0},
		{"a leader that says nothing", func(r *read) {
			r.script.info = func(ctx context.Context, _ string) (*jetstream.StreamInfo, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}, natsauth.ErrSlow, "heartbeat: no answer from NATS", 5 * second},
		{"a stream that was replaced", func(r *read) { r.later(soon, func() { r.state.Created = time.Now() }) }, natsauth.ErrReplaced, "", 5 * second},
		{"a stream without a leader", func(r *read) { r.state.Cluster = &jetstream.ClusterInfo{} }, natsauth.ErrNoQuorum, "", 0},
		{"a leader that nobody follows", func(r *read) {
			gone := &jetstream.PeerInfo{Active: time.Hour}
			r.state.Cluster = &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{gone, gone}}
		}, natsauth.ErrNoQuorum, "", 5 * second},
		{"a stream that loses entries", func(r *read) { r.state.Config.MaxAge = time.Hour }, natsauth.ErrLossy, "heartbeat: ", 0},
		{"entries that do not arrive", func(r *read) {
			r.state.State.LastSeq = 1
			r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return &jetstream.RawStreamMsg{Sequence: 1}, nil }
		}, natsauth.ErrStalled, "", 5 * second},
		{"a last entry that cannot be looked at", func(r *read) {
			r.state.State.LastSeq = 1
			r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return nil, errLost }
		}, errLost, "heartbeat: ", 250 * time.Millisecond},
		{"no consumer", func(r *read) { r.script.consume = func(context.Context) error { return errLost } }, errLost, "consumer: the answer was lost", 0},
		{"no answer to the wish for one", func(r *read) { r.script.consume = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() } }, natsauth.ErrSlow, "", 5 * second},
		{"no reading", func(r *read) { r.script.unreadable = errLost }, errLost, "consumer: the answer was lost", 0},
		{"no stream", func(r *read) {
			r.script.stream = func(context.Context, string) (*jetstream.StreamInfo, error) { return nil, errLost }
		}, errLost, "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRead(t, 0)
			tt.prepare(r)
			r.later(time.Hour, r.cancel)
			err := r.run()
			if !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), tt.text) {
				t.Errorf("%s: error = %v, want %s%v", tt.name, err, tt.text, tt.want)
			}
			if took := time.Since(r.script.begun); took != tt.took {
				t.Errorf("%s: ended after %v, want %v", tt.name, took, tt.took)
			}
			if began := r.script.deliver != nil; r.script.stopped != began {
				t.Errorf("%s: reading began %t, was stopped %t", tt.name, began, r.script.stopped)
			}
			if n := r.living.Load(); n != 0 {
				t.Errorf("%s: %d contexts are left", tt.name, n)
			}
		})
	}
}

// The leader is asked at once, every quarter of a second until all has arrived, which is told
// once, and then at each heartbeat; for the next entry only while one has not arrived.
func TestRead_Asks(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		exist  uint64
		last   uint64          // that is still there
		arrive []time.Duration // of the entries, from the first on
		told   time.Duration   // that all has arrived
		asked  []time.Duration
		looked []time.Duration // for the next
	}{
		{"nothing exists", 0, 0, nil, 0, []time.Duration{0, 5000 * ms, 10000 * ms}, nil},
		{"one arrives", 1, 1, []time.Duration{600 * ms}, 600 * ms, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 5750 * ms, 10750 * ms}, []time.Duration{250 * ms, 500 * ms}},
		{"one arrives at once", 1, 1, []time.Duration{ms}, ms, []time.Duration{0, 250 * ms, 5250 * ms, 10250 * ms}, nil},
		{"the last are over", 3, 0, []time.Duration{ms}, 500 * ms, []time.Duration{0, 250 * ms, 500 * ms, 5500 * ms, 10500 * ms}, []time.Duration{500 * ms, 5500 * ms, 10500 * ms}},
		{"all are over", 3, 0, nil, 250 * ms, []time.Duration{0, 250 * ms, 5250 * ms, 10250 * ms}, []time.Duration{250 * ms, 5250 * ms, 10250 * ms}},
		{"all but one are over", 3, 1, []time.Duration{260 * ms}, 750 * ms, []time.Duration{0, 250 * ms, 500 * ms, 750 * ms, 5750 * ms, 10750 * ms}, []time.Duration{250 * ms, 750 * ms, 5750 * ms, 10750 * ms}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRead(t, tt.exist)
			var looked []time.Duration
			r.script.next = func(sequence uint64) (*jetstream.RawStreamMsg, error) {
				looked = append(looked, time.Since(r.script.begun))
				if sequence != uint64(len(r.got))+1 {
					t.Errorf("%s: looked for entries from %d on after %d", tt.name, sequence, len(r.got))
				}
				if tt.last < sequence {
					return nil, jetstream.ErrMsgNotFound
				}
				return &jetstream.RawStreamMsg{Sequence: sequence}, nil
			}
			for i, after := range tt.arrive {
				r.later(after, func() { r.arrive(uint64(i+1), uint64(i+1), "a") })
			}
			r.later(12*time.Second, r.cancel)
			if err := r.run(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error = %v", tt.name, err)
			}
			if !slices.Equal(r.told, []bool{true}) || r.at != tt.told || len(r.got) != len(tt.arrive) {
				t.Errorf("%s: told caughtUp%v after %v, with %d entries, want true after %v, with %d", tt.name, r.told, r.at, len(r.got), tt.told, len(tt.arrive))
			}
			if !slices.Equal(r.asked, tt.asked) || !slices.Equal(looked, tt.looked) {
				t.Errorf("%s: asked at %v, and for the next at %v, want %v, and %v", tt.name, r.asked, looked, tt.asked, tt.looked)
			}
		})
	}
}

// What a leader says is believed when others have followed it since.
func TestRead_Replicated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRead(t, 0)
		heard := &jetstream.PeerInfo{Active: time.Millisecond}
		r.state.Cluster = &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{heard, heard}}
		r.later(time.Second, r.cancel)
		if err := r.run(); !errors.Is(err, context.Canceled) || !slices.Equal(r.told, []bool{true}) || r.at != 250*time.Millisecond {
			t.Errorf("told caughtUp%v after %v, %v, want true after 250ms", r.told, r.at, err)
		}
	})
}

// A stream that comes to lose entries is looked at anew before one is stored.
func TestRead_Loses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRead(t, 0)
		r.script.play(stores)
		r.script.stream = func(_ context.Context, name string) (*jetstream.StreamInfo, error) {
			cfg := r.script.configs[name]
			r.script.mu.Lock()
			defer r.script.mu.Unlock()
			cfg.MaxAge = r.state.Config.MaxAge
			return &jetstream.StreamInfo{Config: cfg}, nil
		}
		r.later(time.Second, func() { r.state.Config.MaxAge = time.Hour })
		if err := r.run(); !errors.Is(err, natsauth.ErrLossy) {
			t.Errorf("error = %v, want %v", err, natsauth.ErrLossy)
		}
		if added, err := r.log.Append(t.Context(), revocation("a")); added || !errors.Is(err, oidcauth.ErrNotStored) {
			t.Errorf("Append() = %v, %v, want %v", added, err, oidcauth.ErrNotStored)
		}
	})
}

// What one reading knew of the stream counts for nothing in the next.
func TestRead_Again(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRead(t, 0)
		r.later(time.Second, r.cancel)
		if err := r.run(); !errors.Is(err, context.Canceled) || !slices.Equal(r.told, []bool{true}) {
			t.Fatalf("told caughtUp%v, %v, want true", r.told, err)
		}
		r.told, r.family, r.state.State.LastSeq = nil, newFamily(t), 2
		info := r.script.info
		r.script.info = func(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
			time.Sleep(100 * time.Millisecond)
			return info(ctx, name)
		}
		r.later(50*time.Millisecond, func() { r.arrive(1, 1, "a") })
		r.later(200*time.Millisecond, func() { r.arrive(2, 2, "b") })
		r.later(time.Second, r.cancel)
		if err := r.run(); !errors.Is(err, context.Canceled) || !slices.Equal(r.told, []bool{true}) || r.at != 1200*time.Millisecond {
			t.Errorf("told caughtUp%v after %v, %v, want true after 1.2s", r.told, r.at, err)
		}
	})
}

// What cannot be read is said once, however often it is read; that an entry is over is no
// entry. Each reading looks at the stream anew, and says when it has all.
func TestRead_Damaged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		marked := nats.Header{"Nats-Marker-Reason": {"MaxAge"}}
		r := newRead(t, 6)
		for i := range 2 {
			arrivals := []*arrival{
				{value: `{"token_id":"a"}`}, {value: "{"}, {headers: marked}, {value: `{"token_id":"b"}`, headers: marked}, {}, {value: "x", headers: marked},
			} // the second, the fifth and the sixth are damaged
			r.got, r.told, r.family = nil, nil, newFamily(t)
			r.later(time.Second, func() {
				for i, a := range arrivals {
					a.number, a.sequence = uint64(i+1), uint64(i+1)
					if a.headers == nil {
						a.headers = nats.Header{}
					}
					a.headers.Set(jetstream.MsgTTLHeader, "1s")
					r.script.deliver(a)
				}
			})
			r.script.next = func(uint64) (*jetstream.RawStreamMsg, error) { return &jetstream.RawStreamMsg{Sequence: 6}, nil }
			r.later(2*time.Second, r.cancel)
			if err := r.run(); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if !slices.Equal(r.got, []string{"a", "b"}) || !slices.Equal(r.told, []bool{true}) {
				t.Errorf("got %q, told caughtUp%v, want a, b, true", r.got, r.told)
			}
			for _, sequence := range []string{"2", "5", "6"} {
				if !strings.Contains(r.lines.String(), " sequence="+sequence+" error=") {
					t.Errorf("not told that entry %s is damaged:\n%s", sequence, r.lines)
				}
			}
			damaged, all := strings.Count(r.lines.String(), "damaged revocation"), strings.Count(r.lines.String(), "caught up")
			if damaged != 3 || all != i+1 || r.script.looked != i+2 { // once for the uses
				t.Errorf("reading %d: %d lines on damaged entries, %d that all was read, looked for streams %d times, want 3, %d, %d:\n%s", i, damaged, all, r.script.looked, i+1, i+2, r.lines)
			}
		}
	})
}

// Each heartbeat says what time it is for NATS.
func TestRead_Clock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRead(t, 0)
		r.script.play(stores)
		r.later(time.Second, func() { r.state.TimeStamp = time.Now().Add(-2 * time.Hour) })
		r.later(6*time.Second, r.cancel)
		over := oidcauth.Revocation{TokenID: "a", Until: time.Now().Add(-time.Hour)}
		if added, err := r.log.Append(t.Context(), over); added || !errors.Is(err, oidcauth.ErrNotStored) {
			t.Errorf("Append() of what is over = %v, %v, want %v", added, err, oidcauth.ErrNotStored)
		}
		r.run()
		if added, err := r.log.Append(t.Context(), over); !added || err != nil {
			t.Errorf("Append() of what is not over for NATS = %v, %v, want true", added, err)
		}
	})
}

// An entry that the stream no longer has may be about to come for a second, and not longer.
func TestWitness_Gone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		ago  time.Duration
		want error
	}{
		{"it is there", nil, time.Hour, nil},
		{"it may be about to come", jetstream.ErrMsgNotFound, time.Second - 1, nil},
		{"it is gone", jetstream.ErrMsgNotFound, time.Second, natsauth.ErrReplaced},
		{"it cannot be asked for", errLost, time.Hour, errLost},
		{"it cannot be asked for, and has only just arrived", errLost, 0, errLost},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, l := newScript(t, natsauth.Config{})
			stored := time.Now()
			s.get = func(sequence uint64) (*jetstream.RawStreamMsg, error) {
				return &jetstream.RawStreamMsg{Sequence: sequence, Subject: "a", Time: stored.UTC()}, tt.err
			}
			if err := l.Verify(t.Context(), 1, "a", stored, tt.ago); !errors.Is(err, tt.want) {
				t.Errorf("%s: verify() error = %v, want %v", tt.name, err, tt.want)
			}
			if tt.err != nil {
				return
			}
			if err := l.Verify(t.Context(), 1, "b", stored, tt.ago); !errors.Is(err, natsauth.ErrReplaced) {
				t.Errorf("another subject: verify() error = %v, want %v", err, natsauth.ErrReplaced)
			}
			if err := l.Verify(t.Context(), 1, "a", stored.Add(1), tt.ago); !errors.Is(err, natsauth.ErrReplaced) {
				t.Errorf("another time: verify() error = %v, want %v", err, natsauth.ErrReplaced)
			}
		})
	}
}

// When the connection is back the pauses are short again.
func TestNextPause(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		pause     time.Duration
		connected bool
		want      time.Duration
	}{
		{100 * ms, false, 200 * ms}, {200 * ms, false, 400 * ms}, {2500 * ms, false, 5000 * ms}, {2501 * ms, false, 5000 * ms},
		{5000 * ms, false, 5000 * ms}, {100 * ms, true, 100 * ms}, {5000 * ms, true, 100 * ms},
	} {
		if got := natsauth.NextPause(tt.pause, tt.connected); got != tt.want {
			t.Errorf("after %v, connected %t: got %v, want %v", tt.pause, tt.connected, got, tt.want)
		}
	}
}

// Without a connection it is tried after a tenth of a second or so, then after twice as long
// each time, and five seconds or so at most. One line says so.
func TestFollow_Pauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 1000 {
			var lines lockedBuffer
			s, l := newScript(t, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
			var lost []time.Time
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			err := l.Follow(ctx, nil, func(current bool) {
				if lost = append(lost, time.Now()); current {
					t.Error("told caughtUp(true) without a connection")
				}
				if len(lost) == 9 {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("Follow() error = %v, want %v", err, context.Canceled)
			}
			for i, pause := 1, 100*time.Millisecond; i < len(lost); i, pause = i+1, min(2*pause, 5*time.Second) {
				if took := lost[i].Sub(lost[i-1]); took < pause/2 || took >= pause+pause/2 {
					t.Fatalf("pause %d took %v, want half of %v more or less", i, took, pause)
				}
			}
			if got := strings.Count(lines.String(), "lost contact"); got != 1 || !strings.Contains(lines.String(), "not connected to NATS") {
				t.Fatalf("%d lines on the outage, want 1 with the cause:\n%s", got, lines.String())
			}
			// A field of another's: that nobody listens any more shows nowhere else.
			for listeners := reflect.ValueOf(s.conn).Elem().FieldByName("statListeners").MapRange(); listeners.Next(); {
				if n := listeners.Value().Len(); n != 0 {
					t.Fatalf("%d listen to the connection still", n)
				}
			}
		}
	})
}

// Who has called off is told of no loss, also not at the end of the grace.
func TestFollow_EndsInGrace(t *testing.T) {
	t.Parallel()
	const grace = 500 * time.Millisecond
	var network gate
	var lines lockedBuffer
	l := newLog(t, startNATS(t), natsauth.Config{Grace: grace, Logger: slog.New(slog.NewTextHandler(&lines, nil))}, nats.SetCustomDialer(&network))
	ctx, cancel := context.WithCancel(t.Context())
	var told atomic.Int64
	done := make(chan error, 1)
	go func() { done <- l.Follow(ctx, func(oidcauth.Revocation) {}, func(bool) { told.Add(1) }) }()
	awaitLines(t, &lines, "caught up", 1)
	network.cut()
	awaitLines(t, &lines, "lost contact", 1)
	cancel()
	<-done
	before := told.Load()
	time.Sleep(2 * grace) // only a fault would show in it
	if after := told.Load(); after != before {
		t.Errorf("told %d times after the end", after-before)
	}
}
