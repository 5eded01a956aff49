package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

func TestNew(t *testing.T) {
	t.Parallel()
	js := new(script)
	for _, tt := range []struct {
		name string
		cfg  natsauth.Config
		ok   bool
	}{
		{"defaults", natsauth.Config{JetStream: js}, true},
		{"no JetStream", natsauth.Config{}, false},
		{"negative replicas", natsauth.Config{JetStream: js, Replicas: -1}, false},
		{"negative size", natsauth.Config{JetStream: js, MaxBytes: -1}, false},
		{"negative size of uses", natsauth.Config{JetStream: js, MaxUseBytes: -1}, false},
		{"a name of its own", natsauth.Config{JetStream: js, Stream: "Revoked-2_b"}, true},
		{"a name with what comes before a", natsauth.Config{JetStream: js, Stream: "a`"}, false},
		{"a name with what comes after z", natsauth.Config{JetStream: js, Stream: "a{"}, false},
		{"a name with what comes before A", natsauth.Config{JetStream: js, Stream: "a@"}, false},
		{"a name with what comes after Z", natsauth.Config{JetStream: js, Stream: "a["}, false},
		{"a name with what comes before 0", natsauth.Config{JetStream: js, Stream: "a/"}, false},
		{"a name with what comes after 9", natsauth.Config{JetStream: js, Stream: "a:"}, false},
		{"a name with a space", natsauth.Config{JetStream: js, Stream: "no such name"}, false},
		{"a name with a dot", natsauth.Config{JetStream: js, Stream: "revoked.a"}, false},
		{"a name with a wildcard", natsauth.Config{JetStream: js, Stream: "revoked>"}, false},
		{"heartbeat without unit", natsauth.Config{JetStream: js, Heartbeat: 5}, false},
		{"timeout without unit", natsauth.Config{JetStream: js, Timeout: 5}, false},
		{"grace without unit", natsauth.Config{JetStream: js, Grace: 5}, false},
		{"negative heartbeat", natsauth.Config{JetStream: js, Heartbeat: -1}, false},
		{"negative timeout", natsauth.Config{JetStream: js, Timeout: -1}, false},
		{"negative grace", natsauth.Config{JetStream: js, Grace: -1}, false},
	} {
		if l, err := natsauth.New(tt.cfg); (err == nil) != tt.ok || (l != nil) != tt.ok {
			t.Errorf("%s: New() = %v, %v", tt.name, l, err)
		}
	}
}

// One that follows later is given what was there before, then that it is all,
// and then what comes.
func TestLog_Replay(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	writer := newLog(t, n, natsauth.Config{})
	var ids []string
	for i := range 1000 { // more than the watcher buffers
		ids = append(ids, fmt.Sprintf("token-%d", i))
	}
	appendTokens(t, writer, ids...)
	late := followWith(t, newLog(t, n, natsauth.Config{}), func(r *reader) {
		if len(r.got) < len(ids) { // whatever a busy server kept waiting before
			t.Errorf("got %d revocations before caughtUp(true), want %d", len(r.got), len(ids))
		}
	})
	late.awaitCurrent(true)
	appendTokens(t, writer, "one more")
	late.awaitTokens("one more")
}

// What arrives is what was appended.
func TestLog_Content(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	want := oidcauth.Revocation{
		Issuer: "https://issuer.test", Subject: "älice\n", SessionID: "login-1", TokenID: "token-1", KeyID: "key-1",
		IssuedBefore: time.Date(2030, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600)),
		Until:        time.Now().Add(time.Hour),
	}
	if added, err := newLog(t, n, natsauth.Config{}).Append(t.Context(), want); !added || err != nil {
		t.Fatalf("Append() = %v, %v", added, err)
	}
	arrived := make(chan oidcauth.Revocation, 1)
	go newLog(t, n, natsauth.Config{}).Follow(t.Context(), func(r oidcauth.Revocation) { arrived <- r }, func(bool) {})
	select {
	case got := <-arrived:
		if !got.Until.Equal(want.Until) || !got.IssuedBefore.Equal(want.IssuedBefore) {
			t.Errorf("got times %v, %v, want %v, %v", got.Until, got.IssuedBefore, want.Until, want.IssuedBefore)
		}
		got.Until, got.IssuedBefore = want.Until, want.IssuedBefore
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	case <-time.After(patience):
		t.Fatal("nothing arrives")
	}
}

// Equal revocations have equal entries, in whatever zone their times are.
func TestEncode(t *testing.T) {
	t.Parallel()
	at := time.Now()
	var keys []string
	for _, zone := range []*time.Location{time.UTC, time.FixedZone("elsewhere", 7200)} {
		r := oidcauth.Revocation{TokenID: "token-1"}
		fields := reflect.ValueOf(&r).Elem()
		for i := range fields.NumField() {
			if f := fields.Field(i); f.Type() == reflect.TypeFor[time.Time]() {
				f.Set(reflect.ValueOf(at.In(zone)))
			}
		}
		key, _, err := natsauth.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if keys[0] != keys[1] {
		t.Errorf("got keys %v, want the same", keys)
	}
}

// Of many that append the same at once, one is told that it is new.
func TestLog_AppendOnce(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	logs := []*natsauth.Log{newLog(t, n, natsauth.Config{}), newLog(t, n, natsauth.Config{}), newLog(t, n, natsauth.Config{})}
	for round := range 20 {
		r := oidcauth.Revocation{TokenID: fmt.Sprintf("token-%d", round), Until: time.Now().Add(time.Hour)}
		var mu sync.Mutex
		var wg sync.WaitGroup
		added := 0
		for i := range 12 {
			wg.Go(func() {
				mine := r
				if i%2 == 0 {
					mine.Until = mine.Until.In(time.FixedZone("elsewhere", 7200))
				}
				ok, err := logs[i%len(logs)].Append(t.Context(), mine)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("Append() error = %v", err)
				}
				if ok {
					added++
				}
			})
		}
		wg.Wait()
		if added != 1 {
			t.Fatalf("%d were told that the revocation is new, want 1", added)
		}
		r.Until = r.Until.Add(time.Second)
		if ok, err := logs[0].Append(t.Context(), r); !ok || err != nil {
			t.Fatalf("Append() of another = %v, %v, want true", ok, err)
		}
	}
}

// An entry leaves the stream when its revocation is over, and not before.
func TestLog_Expiry(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Stream: "revoked"})
	l.SetLateness(0)
	appendTokens(t, l, "lasting")
	short := oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Second)}
	if added, err := l.Append(t.Context(), short); !added || err != nil {
		t.Fatalf("Append() = %v, %v", added, err)
	}
	stream := openStream(t, n, "revoked")
	for limit := time.Now().Add(patience); messages(t, stream) > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the entry does not leave")
		}
	}
	if time.Now().Before(short.Until) {
		t.Error("the entry left before the revocation ends")
	}
	late := follow(t, newLog(t, n, natsauth.Config{Stream: "revoked", Heartbeat: 50 * time.Millisecond}))
	late.awaitCurrent(true)
	late.mu.Lock()
	if late.got["short"] != 0 || late.got["lasting"] != 1 {
		t.Errorf("got %v, want the lasting one alone", late.got)
	}
	late.mu.Unlock()
	if added, err := l.Append(t.Context(), short); added || !errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() of one that is over = %v, %v, want %v", added, err, oidcauth.ErrNotStored)
	}
}

// openStream returns a stream for the test to look at.
func openStream(t testing.TB, n *natsServer, name string) jetstream.Stream {
	t.Helper()
	stream, err := n.connect().Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// messages counts what a stream holds.
func messages(t testing.TB, stream jetstream.Stream) uint64 {
	t.Helper()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	countable := time.Duration(math.MaxInt64-now.UnixNano()) / 2 // half of it
	for _, tt := range []struct {
		name  string
		until time.Time
		want  time.Duration // zero means for ever
	}{
		{"an hour", now.Add(time.Hour), time.Hour + time.Minute},
		{"a nanosecond", now.Add(1), time.Minute + time.Second},
		{"now", now, time.Minute},
		{"in the past", now.Add(-time.Hour), time.Minute},
		{"not said", time.Time{}, 365*24*time.Hour + time.Minute},
		{"beyond what the server can count", now.AddDate(300, 0, 0), 0},
		{"as far as the server can count", now.Add(countable), (countable + time.Minute + time.Second - 1).Truncate(time.Second)},
		{"a nanosecond further", now.Add(countable + 1), 0},
		{"the last year", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 0},
	} {
		if got := natsauth.TimeToLive(tt.until, now, time.Minute); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := natsauth.TimeToLive(now, now, 0); got != time.Second {
		t.Errorf("without lateness: got %v, want the least that NATS takes, 1s", got)
	}
}

// Ends as far away as can be written are stored and stay.
func TestLog_FarEnds(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{})
	for _, until := range []time.Time{
		{}, time.Now().AddDate(50, 0, 0), time.Date(2261, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		r := oidcauth.Revocation{TokenID: until.String(), Until: until}
		if added, err := l.Append(t.Context(), r); !added || err != nil {
			t.Fatalf("Append() until %v = %v, %v", until, added, err)
		}
		late := follow(t, l)
		late.awaitTokens(r.TokenID)
	}
	if _, err := l.Append(t.Context(), oidcauth.Revocation{TokenID: "t", Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("Append() accepts an end that cannot be written")
	}
}

// A damaged entry is skipped, with one line however often it is read.
func TestLog_Damaged(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Stream: "revoked"})
	appendTokens(t, l, "before")
	js := n.connect()
	for key, value := range map[string]string{
		"garbage": "\xff{", "empty": "", "list": "[]", "number": `{"subject":1}`, "cut": `{"subject":"al`, "tail": `{"subject":"alice"}x`,
	} {
		if _, err := js.Publish(t.Context(), "revoked.r."+key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(t.Context(), "revoked.r.later-version", []byte(`{"token_id":"narrow","address":"192.0.2.1"}`)); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"marked": `{"token_id":"marked"}`, "marker": ""} { // a marker has no content
		m := &nats.Msg{Subject: "revoked.r." + key, Data: []byte(value), Header: nats.Header{"Nats-Marker-Reason": {"MaxAge"}}}
		if _, err := js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	appendTokens(t, l, "after")
	var lines lockedBuffer
	logged := newLog(t, n, natsauth.Config{Stream: "revoked", Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	for range 3 {
		r := follow(t, logged)
		r.awaitCurrent(true)
		r.mu.Lock()
		if len(r.got) != 4 || r.got["before"] != 1 || r.got["after"] != 1 || r.got["narrow"] != 1 || r.got["marked"] != 1 {
			t.Errorf("got %v, want the four that are whole", r.got)
		}
		r.mu.Unlock()
	}
	if got := strings.Count(lines.String(), "damaged revocation"); got != 6 || !strings.Contains(lines.String(), "subject=revoked.r.empty ") {
		t.Errorf("%d lines on damaged entries, want 6, one on the empty one:\n%s", got, lines.String())
	}
}

// A full stream refuses to take more rather than lose any.
func TestLog_Full(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{MaxBytes: 4 << 10})
	var taken []string
	for i := range 100 {
		id := fmt.Sprintf("token-%d", i)
		if added, err := l.Append(t.Context(), revocation(id)); err != nil {
			if added {
				t.Error("Append() says added and gives an error")
			}
			break
		}
		taken = append(taken, id)
	}
	if len(taken) == 0 || len(taken) == 100 {
		t.Fatalf("the stream took %d of 100", len(taken))
	}
	follow(t, newLog(t, n, natsauth.Config{})).awaitTokens(taken...)
}

// A lockedBuffer collects the log of several goroutines.
type lockedBuffer = authtest.Log

// A nil context is an error of the call, before anything is asked.
func TestLog_NilContext(t *testing.T) {
	t.Parallel()
	l, err := natsauth.New(natsauth.Config{JetStream: new(script)})
	if err != nil {
		t.Fatal(err)
	}
	var none context.Context
	_, err = l.Append(none, oidcauth.Revocation{TokenID: "id", Until: time.Now().Add(time.Hour)})
	if !errors.Is(err, oidcauth.ErrNotStored) || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("Append() error = %v, want one about the context", err)
	}
	if _, err := l.FirstUse(none, [32]byte{1}, time.Now().Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("FirstUse() error = %v, want one about the context", err)
	}
	if err := l.Follow(none, func(oidcauth.Revocation) {}, func(bool) {}); err == nil || !strings.Contains(err.Error(), "nil context") {
		t.Errorf("Follow() error = %v, want one about the context", err)
	}
}
