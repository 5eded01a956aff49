package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/internal/said"
)

// A misfit is a stream that loses what it is given, or cannot be used.
type misfit struct {
	name   string
	change func(*jetstream.StreamConfig)
	want   string // in the reason; empty means that it is fit
}

var misfits = []misfit{
	{"as this package makes it", func(*jetstream.StreamConfig) {}, ""},
	{"bounded and compressed", func(c *jetstream.StreamConfig) {
		c.MaxBytes, c.MaxMsgs, c.Compression = 1<<20, 1000, jetstream.S2Compression
	}, ""},
	{"discards old messages", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "discards old messages"},
	{"has a maximum age", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "a maximum age of 1h0m0s"},
	{"is kept in memory", func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "in memory"},
	{"acknowledges before it writes", func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "acknowledges before it writes"},
	{"removes what was read", func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, "retention WorkQueue"},
	{"lets messages be purged", func(c *jetstream.StreamConfig) { c.DenyPurge = false }, "deleted or purged"},
	{"lets messages be deleted", func(c *jetstream.StreamConfig) { c.DenyDelete = false }, "deleted or purged"},
	{"lets messages be replaced", func(c *jetstream.StreamConfig) { c.DenyPurge, c.AllowRollup = false, true }, "replaced by a rollup"},
	{"keeps messages for ever", func(c *jetstream.StreamConfig) { c.AllowMsgTTL = false }, "an end of their own"},
	{"is read from any server", func(c *jetstream.StreamConfig) { c.AllowDirect = true }, "may be behind"},
	{"acknowledges nothing", func(c *jetstream.StreamConfig) { c.NoAck = true }, "acknowledges or takes nothing"},
	{"has other subjects", func(c *jetstream.StreamConfig) { c.Subjects = []string{c.Name + ".elsewhere.*"} }, "subjects"},
	{"changes subjects", func(c *jetstream.StreamConfig) {
		c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: c.Subjects[0], Destination: "elsewhere.{{wildcard(1)}}"}
	}, "a transform of subjects"},
}

// Each reason why a stream will not do stands for itself, also where no server makes it so.
func TestMisfit(t *testing.T) {
	t.Parallel()
	_, l := newScript(t, natsauth.Config{})
	for _, tt := range append([]misfit{
		{"is a mirror", func(c *jetstream.StreamConfig) { c.Mirror = &jetstream.StreamSource{} }, "a mirror"},
		{"takes nothing", func(c *jetstream.StreamConfig) { c.Sealed = true }, "acknowledges or takes nothing"},
		{"refuses a second message of a subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject, c.DiscardNewPerSubject = 1, true }, ""},
		{"keeps one message of a subject", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, "max_msgs_per_subject 1"},
		{"lasts a moment", func(c *jetstream.StreamConfig) { c.MaxAge = 1 }, "a maximum age of 1ns"},
		{"has other subjects beside its own", func(c *jetstream.StreamConfig) { c.Subjects = append([]string{"a"}, c.Subjects...) }, ""},
	}, misfits...) {
		cfg, _ := l.StreamConfig()
		subject := cfg.Subjects[0]
		tt.change(&cfg)
		got, want := natsauth.Misfit(&cfg, subject)
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") || (want == "") != (got == "") {
			t.Errorf("a stream that %s: got %q, want %q, reason %q", tt.name, got, want, tt.want)
		}
	}
}

// What a server leaves out of its answer is without a bound.
func TestMisfit_LeftOut(t *testing.T) {
	t.Parallel()
	revocations, _ := newLog(t, startNATS(t), natsauth.Config{}).StreamConfig()
	for most, want := range map[int64]bool{-1: true, 0: true, 1: false} {
		revocations.MaxMsgsPerSubject = most
		if got, _ := natsauth.Misfit(&revocations, revocations.Subjects[0]); (got == "") != want {
			t.Errorf("at most %d messages of a subject: fit = %t, want %t (%s)", most, got == "", want, got)
		}
	}
}

// A stream that exists is used, unless it would lose what it is given: then
// nothing is appended, and followers are told so.
func TestLog_Misfits(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	js := n.connect()
	for i, tt := range misfits {
		t.Run(tt.name, func(t *testing.T) {
			l := newLog(t, n, natsauth.Config{Stream: fmt.Sprintf("revoked-%d", i)})
			revocations, uses := l.StreamConfig()
			for _, cfg := range []jetstream.StreamConfig{revocations, uses} {
				tt.change(&cfg)
				if _, err := js.CreateStream(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
			added, err := l.Append(t.Context(), revocation("token-1"))
			checkMisfit(t, "Append", added, err, tt.want)
			first, err := l.FirstUse(t.Context(), [32]byte{1}, time.Now().Add(time.Minute))
			checkMisfit(t, "FirstUse", first, err, tt.want)
			follow(t, l).awaitCurrent(tt.want == "")
		})
	}
}

// A rival makes a stream of its own before this server does.
type rival struct {
	jetstream.JetStream
	t *testing.T
}

func (r rival) CreateStream(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error) {
	other := cfg
	other.MaxBytes = 1 << 20
	if _, err := r.JetStream.CreateStream(ctx, other); err != nil {
		r.t.Error(err)
	}
	return r.JetStream.CreateStream(ctx, cfg)
}

// Of servers that start at once one makes the stream. The others take it as it is.
func TestLog_AnotherWasFaster(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	l, err := natsauth.New(natsauth.Config{JetStream: rival{n.connect(), t}, Timeout: patience / 4})
	if err != nil {
		t.Fatal(err)
	}
	appendTokens(t, l, "token-1")
	if first, err := l.FirstUse(t.Context(), [32]byte{1}, time.Now().Add(time.Minute)); err != nil || !first {
		t.Errorf("FirstUse() = %v, %v, want true", first, err)
	}
}

func checkMisfit(t *testing.T, call string, done bool, err error, want string) {
	t.Helper()
	switch {
	case want == "":
		if !done || err != nil {
			t.Errorf("%s() = %v, %v, want true", call, done, err)
		}
	case done || !errors.Is(err, oidcauth.ErrNotStored) || !strings.Contains(err.Error(), want):
		t.Errorf("%s() = %v, %v, want %v with %q", call, done, err, oidcauth.ErrNotStored, want)
	}
}

// A stream that comes to lose what it is given is noticed by the heartbeat, at
// once also where there is a grace, and is not appended to.
func TestFollow_StreamChanged(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	js := n.connect()
	for i, change := range []func(*jetstream.StreamConfig){
		func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
	} {
		l := newLog(t, n, natsauth.Config{Stream: fmt.Sprintf("revoked-%d", i), Heartbeat: 20 * time.Millisecond, Grace: long})
		r := follow(t, l)
		appendTokens(t, l, "before")
		r.awaitCurrent(true)
		cfg, _ := l.StreamConfig()
		changed := cfg
		change(&changed)
		if _, err := js.UpdateStream(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		r.awaitCurrent(false)
		if added, err := l.Append(t.Context(), revocation("after")); added || !errors.Is(err, oidcauth.ErrNotStored) {
			t.Errorf("Append() = %v, %v, want %v", added, err, oidcauth.ErrNotStored)
		}
		if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		r.awaitCurrent(true)
		appendTokens(t, l, "after")
	}
}

// What NATS will never do is said at once, and that nothing is stored.
func TestLog_ReplicasWithoutCluster(t *testing.T) {
	t.Parallel()
	l := newLog(t, startNATS(t), natsauth.Config{Replicas: 3, Timeout: long})
	if added, err := l.Append(t.Context(), revocation("token-1")); added || !errors.Is(err, oidcauth.ErrNotStored) {
		t.Errorf("Append() = %v, %v, want %v", added, err, oidcauth.ErrNotStored)
	}
}

// One replica is said to be less than it could be, once for each stream.
func TestLog_OneReplica(t *testing.T) {
	t.Parallel()
	var lines lockedBuffer
	l := newLog(t, startNATS(t), natsauth.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	for i := range byte(3) {
		appendTokens(t, l, fmt.Sprint(i))
		firstUse(t, l, [32]byte{i}, true)
		follow(t, l).awaitCurrent(true)
	}
	if got := strings.Count(lines.String(), "has one replica"); got != 2 {
		t.Errorf("%d lines on one replica, want 2:\n%s", got, lines.String())
	}
}

// allowed is what the package comment allows the servers.
var allowed = server.Permissions{
	Publish: &server.SubjectPermission{Allow: []string{
		"oidcauth_revocations.>",
		"$JS.API.STREAM.INFO.oidcauth_revocations",
		"$JS.API.STREAM.INFO.oidcauth_revocations_uses",
		"$JS.API.STREAM.MSG.GET.oidcauth_revocations",
		"$JS.API.STREAM.MSG.GET.oidcauth_revocations_uses",
		"$JS.API.STREAM.CREATE.oidcauth_revocations",
		"$JS.API.STREAM.CREATE.oidcauth_revocations_uses",
		"$JS.API.CONSUMER.CREATE.oidcauth_revocations.>",
		"$JS.API.CONSUMER.MSG.NEXT.oidcauth_revocations.>",
	}},
	Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
}

// The permissions that the package comment names suffice for all that a server
// does, and for nothing that undoes a revocation.
func TestLog_Permissions(t *testing.T) {
	t.Parallel()
	password := said.NewSecret("password")
	n := newNATS(t)
	n.options.Users = []*server.User{
		{Username: "server", Password: password, Permissions: &allowed},
		{Username: "operator", Password: password},
	}
	n.start()
	refused := make(chan error, 64)
	asServer := []nats.Option{nats.UserInfo("server", password),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })}
	l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond}, asServer...)
	r := follow(t, l)
	r.awaitCurrent(true)
	appendTokens(t, l, "token-1")
	r.awaitTokens("token-1")
	if added, err := l.Append(t.Context(), revocation("token-1")); added || err != nil {
		t.Errorf("Append() again = %v, %v, want false", added, err)
	}
	firstUse(t, l, [32]byte{1}, true)
	firstUse(t, l, [32]byte{1}, false)
	awaitRequests(t, n.connect(nats.UserInfo("operator", password)), 10) // heartbeats
	select {
	case err := <-refused:
		t.Errorf("NATS refused: %v", err)
	default:
	}
	mayNotUndo(t, n, asServer)
	for _, name := range []string{"oidcauth_revocations", "oidcauth_revocations_uses"} {
		stream, err := n.connect(nats.UserInfo("operator", password)).Stream(t.Context(), name)
		if err != nil || messages(t, stream) != 1 {
			t.Errorf("stream %q: %d messages, %v, want 1", name, messages(t, stream), err)
		}
		// Who may do anything may not do this either.
		if err := stream.Purge(t.Context()); err == nil {
			t.Errorf("stream %q can be purged", name)
		}
		if err := stream.DeleteMsg(t.Context(), 1); err == nil {
			t.Errorf("message 1 of stream %q can be deleted", name)
		}
	}
}

// mayNotUndo tries what would lose a revocation or a use.
func mayNotUndo(t *testing.T, n *natsServer, options []nats.Option) {
	t.Helper()
	js := n.connect(options...)
	for _, name := range []string{"oidcauth_revocations", "oidcauth_revocations_uses"} {
		for _, api := range []string{"STREAM.PURGE.", "STREAM.DELETE.", "STREAM.MSG.DELETE.", "STREAM.UPDATE.", "STREAM.RESTORE."} {
			if err := js.Conn().Publish("$JS.API."+api+name, []byte(`{"seq":1}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	rollup := &nats.Msg{Subject: "oidcauth_revocations.r.x", Header: nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupAll}}}
	if _, err := js.PublishMsg(t.Context(), rollup); err == nil {
		t.Error("a rollup is taken")
	}
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
}

// firstUse uses something, and expects to be told whether that is the first use.
func firstUse(t testing.TB, l *natsauth.Log, id [32]byte, want bool) {
	t.Helper()
	if first, err := l.FirstUse(t.Context(), id, time.Now().Add(time.Hour)); err != nil || first != want {
		t.Fatalf("FirstUse(%x) = %v, %v, want %v", id[:2], first, err, want)
	}
}

// What keeps a follower from coming back is often another reason than what it lost contact
// by: who runs the server is told of both, once.
func TestFollow_ReasonsTold(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	js := n.connect()
	var lines lockedBuffer
	l := newLog(t, n, natsauth.Config{Heartbeat: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	revocations, uses := l.StreamConfig()
	for _, cfg := range []jetstream.StreamConfig{revocations, uses} {
		cfg.MaxAge = time.Hour
		if _, err := js.CreateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	n.stop()
	r := follow(t, l)
	awaitLines(t, &lines, "not connected to NATS", 1)
	n.start()
	awaitLines(t, &lines, "a maximum age of 1h0m0s", 1)
	if _, err := js.UpdateStream(t.Context(), revocations); err != nil {
		t.Fatal(err)
	}
	r.awaitCurrent(true)
	awaitLines(t, &lines, "uses cannot be recorded", 1)
	cfg := uses
	cfg.MaxAge = 2 * time.Hour
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	awaitLines(t, &lines, "a maximum age of 2h0m0s", 1)
}
