package natsauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// NATS stops and starts again with what it stored; what comes after that arrives.
func TestFollow_NATSRestarted(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{})
	appendTokens(t, l, "before")
	r := follow(t, l)
	r.awaitTokens("before")
	r.awaitCurrent(true)
	for range 3 {
		n.stop()
		r.awaitCurrent(false)
		n.start()
		r.awaitCurrent(true)
	}
	appendTokens(t, l, "after")
	r.awaitTokens("after")
	follow(t, newLog(t, n, natsauth.Config{})).awaitTokens("before", "after")
}

// One server is cut off while others go on: it says so, and is given what it
// missed before it says that it has caught up.
func TestFollow_CutOff(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var network gate
	var lines lockedBuffer
	cutOff := newLog(t, n, natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))}, nats.SetCustomDialer(&network))
	others := newLog(t, n, natsauth.Config{})
	r := follow(t, cutOff)
	r.awaitCurrent(true)
	network.cut()
	r.awaitCurrent(false)
	appendTokens(t, others, "missed-1", "missed-2")
	appendInVain(t, cutOff)
	network.restore()
	r.await("to have all when caught up", func(got map[string]int, current bool) bool {
		if current && (got["missed-1"] == 0 || got["missed-2"] == 0) {
			t.Fatal("caught up without what was missed")
		}
		return current
	})
	appendTokens(t, cutOff, "after")
	r.awaitTokens("after")
	if got := strings.Count(lines.String(), "lost contact"); got != 1 {
		t.Errorf("%d lines on the outage, want 1:\n%s", got, lines.String())
	}
}

// A connection that stays open and brings nothing is noticed by the heartbeat.
func TestFollow_Silence(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var network gate
	silent := newLog(t, n, natsauth.Config{Heartbeat: 50 * time.Millisecond, Timeout: time.Second}, nats.SetCustomDialer(&network))
	r := follow(t, silent)
	r.awaitCurrent(true)
	network.mute()
	appendTokens(t, newLog(t, n, natsauth.Config{}), "missed")
	r.awaitCurrent(false)
	network.restore()
	r.awaitTokens("missed")
	r.awaitCurrent(true)
}

// A NATS server that accepts a connection and says nothing keeps nobody waiting
// beyond their time.
func TestLog_SilentConnect(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	var network gate
	l := newLog(t, n, natsauth.Config{}, nats.SetCustomDialer(&network), nats.Timeout(patience))
	appendTokens(t, l, "before")
	network.mute()
	network.cut()
	network.uncut()
	defer network.restore()
	for name, call := range map[string]func(context.Context) (bool, error){
		"Append":   func(ctx context.Context) (bool, error) { return l.Append(ctx, revocation("token-1")) },
		"FirstUse": func(ctx context.Context) (bool, error) { return l.FirstUse(ctx, useID(1), time.Now().Add(time.Hour)) },
	} {
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			began := time.Now()
			done, err := call(ctx)
			cancel()
			if took := time.Since(began); done || err == nil || errors.Is(err, oidcauth.ErrNotStored) || took > patience/2 {
				t.Errorf("%s() = %v, %v after %v, want an error in time", name, done, err, took)
			}
		}
	}
}

// While nothing happens, heartbeats keep the contact and nothing is read again. An entry
// that is on its way for a second on a busy machine is a reason to, so that one of a few
// followers has to be left in peace.
func TestFollow_Peace(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond})
	appendTokens(t, l, "early")
	js := n.connect()
	for try := range 5 {
		r := follow(t, l)
		r.awaitCurrent(true)
		for i := range 5 {
			id := fmt.Sprint(try, "-", i)
			awaitRequests(t, js, 5)
			appendTokens(t, l, id)
			r.awaitTokens(id)
		}
		awaitRequests(t, js, 5)
		if r.readOnce("early") {
			return
		}
	}
	t.Error("read again without need, by each of five followers")
}

// readOnce reports whether the reader was told once that it has all, at last, and has
// applied the token once. A busy server may keep the first contact waiting; what counts is
// the time after.
func (r *reader) readOnce(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Index(r.current, true) == len(r.current)-1 && r.got[id] == 1
}

// What happened to the connection before it was there again ends nothing.
func TestFollower_OldChanges(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	current := func(bool) { cancel() }
	err := natsauth.Pass(ctx, newLog(t, n, natsauth.Config{}), current, nats.DISCONNECTED, nats.RECONNECTING, nats.DISCONNECTED)
	if errors.Is(err, natsauth.ErrDisconnected) || !errors.Is(err, context.Canceled) {
		t.Errorf("pass() error = %v, want it to go on until it has caught up", err)
	}
}

// A follower whose consumer somebody deleted does not wait for a heartbeat to see that
// nothing comes, and leaves no context behind.
func TestFollower_ConsumerDeleted(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	f := newFamily(t)
	current, ended := make(chan bool, 1), make(chan error, 1)
	l := newLog(t, n, natsauth.Config{Heartbeat: time.Hour})
	go func() { ended <- natsauth.Pass(f, l, func(is bool) { current <- is }) }()
	select {
	case <-current:
	case <-time.After(patience):
		t.Fatal("the follower does not catch up")
	}
	stream := openStream(t, n, "oidcauth_revocations")
	for name := range stream.ConsumerNames(t.Context()).Name() {
		if err := stream.DeleteConsumer(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		if !errors.Is(err, jetstream.ErrConsumerDeleted) || f.living.Load() != 0 {
			t.Errorf("pass() error = %v, want %v; %d contexts are left", err, jetstream.ErrConsumerDeleted, f.living.Load())
		}
	case <-time.After(patience):
		t.Fatal("the follower goes on without its consumer")
	}
}

// Entries are asked for half a minute at a time, in which NATS says at each heartbeat that it
// is there: each second at most, and twice at least.
func TestFollow_Pulls(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	conn := n.connect().Conn()
	for heartbeat, want := range map[time.Duration]time.Duration{time.Millisecond: time.Second, 7 * time.Second: 7 * time.Second, time.Hour: 15 * time.Second} {
		stream := fmt.Sprint("every-", heartbeat.Milliseconds())
		asked, err := conn.SubscribeSync("$JS.API.CONSUMER.MSG.NEXT." + stream + ".>")
		if err != nil {
			t.Fatal(err)
		}
		flush(t, conn)
		follow(t, newLog(t, n, natsauth.Config{Stream: stream, Heartbeat: heartbeat}))
		m, err := asked.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		var pull struct {
			Expires   time.Duration `json:"expires"`
			Heartbeat time.Duration `json:"idle_heartbeat"`
		}
		if err := json.Unmarshal(m.Data, &pull); err != nil || pull.Expires != 30*time.Second || pull.Heartbeat != want {
			t.Errorf("heartbeat %v: asked for %v with one each %v, %v, want 30s and %v", heartbeat, pull.Expires, pull.Heartbeat, err, want)
		}
	}
}

// A stream that was found is not looked for again at each entry.
func TestLog_OpensOnce(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{})
	appendTokens(t, l, "a")
	conn := n.connect().Conn()
	looked, err := conn.SubscribeSync("$JS.API.STREAM.INFO.>")
	if err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	appendTokens(t, l, "b")
	for i := range byte(3) {
		if _, err := l.FirstUse(t.Context(), [32]byte{i}, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, conn)
	if got, _, _ := looked.Pending(); got != 2 { // uses have a stream of their own, which is made between
		t.Errorf("the streams were looked for %d times", got)
	}
}

func flush(t *testing.T, conn *nats.Conn) {
	t.Helper()
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

// awaitRequests waits until NATS has been asked so many times by others than this.
func awaitRequests(t *testing.T, js jetstream.JetStream, others uint64) {
	t.Helper()
	var first uint64
	limit := time.Now().Add(patience)
	for own := uint64(0); ; own++ {
		info, err := js.AccountInfo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if own == 0 {
			first = info.API.Total
		}
		if info.API.Total-first >= own+others {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d requests besides %d of this test, want %d", info.API.Total-first-own, own, others)
		}
		time.Sleep(time.Millisecond)
	}
}

// A server that starts while NATS is down says so, and catches up once it is up.
func TestFollow_DownAtStart(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	appendTokens(t, newLog(t, n, natsauth.Config{}), "before")
	n.stop()
	l := newLog(t, n, natsauth.Config{})
	r := follow(t, l)
	r.awaitCurrent(false)
	appendInVain(t, l)
	n.start()
	r.awaitTokens("before")
	r.awaitCurrent(true)
}

// A stream that was deleted and made anew, by a restored backup perhaps, is read
// from its beginning.
func TestFollow_StreamReplaced(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	cfg := natsauth.Config{Stream: "revoked", Heartbeat: 20 * time.Millisecond}
	l := newLog(t, n, cfg)
	appendTokens(t, l, "a", "b", "c")
	r := follow(t, l)
	r.awaitTokens("a", "b", "c")
	r.awaitCurrent(true)
	if err := n.connect().DeleteStream(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	appendTokens(t, newLog(t, n, cfg), "d", "e", "f")
	r.awaitTokens("d", "e", "f")
	r.awaitCurrent(true)
}

// A connection that is closed for good ends Follow; so does its context.
func TestFollow_Ends(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	js := n.connect()
	l, err := natsauth.New(natsauth.Config{JetStream: js})
	if err != nil {
		t.Fatal(err)
	}
	r := follow(t, l)
	r.awaitCurrent(true)
	js.Conn().Close()
	select {
	case err := <-r.done:
		if !errors.Is(err, nats.ErrConnectionClosed) {
			t.Errorf("Follow() error = %v, want %v", err, nats.ErrConnectionClosed)
		}
		r.done <- err
	case <-time.After(patience):
		t.Fatal("Follow() goes on with a closed connection")
	}
	r.awaitCurrent(false)
}

// When its context ends, Follow does, and leaves nothing running. The goroutines of
// others that follow would be counted, too: it runs alone.
func TestFollow_Context(t *testing.T) {
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{})
	appendTokens(t, l, "token-1") // what the client library starts once is running
	before := watches()
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		err := l.Follow(ctx, func(oidcauth.Revocation) {}, func(bool) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow() error = %v, want %v", err, context.Canceled)
		}
	}
	for limit := time.Now().Add(patience); watches() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines are left, %d were before", watches(), before)
		}
	}
}

// watches counts the goroutines of this package and of NATS subscriptions.
func watches() (n int) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "natsauth.") || strings.Contains(stack, "nats.go.(*Conn).waitForMsgs") || strings.Contains(stack, "nats.go.(*js)") {
			n++
		}
	}
	return n
}
