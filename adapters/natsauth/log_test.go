package natsauth_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

func TestNew(t *testing.T) {
	js := startNATS(t).connect()
	for _, tt := range []struct {
		name string
		cfg  natsauth.Config
		ok   bool
	}{
		{"defaults", natsauth.Config{JetStream: js}, true},
		{"no JetStream", natsauth.Config{}, false},
		{"negative replicas", natsauth.Config{JetStream: js, Replicas: -1}, false},
		{"negative size", natsauth.Config{JetStream: js, MaxBytes: -1}, false},
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
	n := startNATS(t)
	writer := newLog(t, n, natsauth.Config{})
	var ids []string
	for i := range 1000 { // more than the watcher buffers
		ids = append(ids, fmt.Sprintf("token-%d", i))
	}
	appendTokens(t, writer, ids...)
	late := follow(t, newLog(t, n, natsauth.Config{}))
	late.awaitCurrent(true)
	late.mu.Lock()
	if len(late.got) != len(ids) || len(late.current) != 1 {
		t.Errorf("got %d revocations before caughtUp%v, want %d before caughtUp(true)", len(late.got), late.current, len(ids))
	}
	late.mu.Unlock()
	appendTokens(t, writer, "one more")
	late.awaitTokens("one more")
}

// What arrives is what was appended.
func TestLog_Content(t *testing.T) {
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

// Of many that append the same at once, one is told that it is new.
func TestLog_AppendOnce(t *testing.T) {
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

// An entry leaves the bucket when its revocation is over.
func TestLog_Expiry(t *testing.T) {
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Bucket: "revoked"})
	l.SetLateness(0)
	appendTokens(t, l, "lasting")
	kv, err := n.connect().KeyValue(t.Context(), "revoked")
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := kv.WatchAll(t.Context(), jetstream.UpdatesOnly())
	if err != nil {
		t.Fatal(err)
	}
	short := oidcauth.Revocation{TokenID: "short", Until: time.Now().Add(time.Second)}
	if added, err := l.Append(t.Context(), short); !added || err != nil {
		t.Fatalf("Append() = %v, %v", added, err)
	}
	limit := time.After(patience)
	for gone := false; !gone; {
		select {
		case e := <-watcher.Updates():
			gone = e != nil && e.Operation() != jetstream.KeyValuePut
		case <-limit:
			t.Fatal("the entry does not expire")
		}
	}
	if time.Now().Before(short.Until) {
		t.Error("the entry expired before the revocation ends")
	}
	late := follow(t, newLog(t, n, natsauth.Config{Bucket: "revoked", Heartbeat: 50 * time.Millisecond}))
	late.awaitCurrent(true)
	late.mu.Lock()
	if late.got["short"] != 0 || late.got["lasting"] != 1 {
		t.Errorf("got %v, want the lasting one alone", late.got)
	}
	late.mu.Unlock()
	if added, err := l.Append(t.Context(), short); added || err != nil {
		t.Errorf("Append() of one that is over = %v, %v, want false", added, err)
	}
}

func TestExpiry(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		until   time.Time
		options int
		over    bool
	}{
		{"an hour", now.Add(time.Hour), 1, false},
		{"a nanosecond", now.Add(1), 1, false},
		{"now", now, 0, true},
		{"in the past", now.Add(-time.Hour), 0, true},
		{"not said", time.Time{}, 1, false},
		{"a century", now.AddDate(100, 0, 0), 1, false},
		{"beyond what the server can count", now.AddDate(300, 0, 0), 0, false},
		{"the last year", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 0, false},
	} {
		options, over := natsauth.Expiry(oidcauth.Revocation{TokenID: "t", Until: tt.until}, now, time.Minute)
		if len(options) != tt.options || over != tt.over {
			t.Errorf("%s: got %d options, over %v, want %d, %v", tt.name, len(options), over, tt.options, tt.over)
		}
	}
}

// Ends as far away as can be written are stored and stay.
func TestLog_FarEnds(t *testing.T) {
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
	n := startNATS(t)
	l := newLog(t, n, natsauth.Config{Bucket: "revoked"})
	appendTokens(t, l, "before")
	kv, err := n.connect().KeyValue(t.Context(), "revoked")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"garbage": "\xff{", "empty": "", "list": "[]", "number": `{"subject":1}`, "cut": `{"subject":"al`, "tail": `{"subject":"alice"}x`,
	} {
		if _, err := kv.PutString(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := kv.PutString(t.Context(), "later-version", `{"token_id":"narrow","address":"192.0.2.1"}`); err != nil {
		t.Fatal(err)
	}
	appendTokens(t, l, "after")
	var lines lockedBuffer
	logged := newLog(t, n, natsauth.Config{Bucket: "revoked", Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	for range 3 {
		r := follow(t, logged)
		r.awaitCurrent(true)
		r.mu.Lock()
		if len(r.got) != 3 || r.got["before"] != 1 || r.got["after"] != 1 || r.got["narrow"] != 1 {
			t.Errorf("got %v, want the three that are whole", r.got)
		}
		r.mu.Unlock()
	}
	if got := strings.Count(lines.String(), "damaged revocation"); got != 6 {
		t.Errorf("%d lines on damaged entries, want 6:\n%s", got, lines.String())
	}
}

// A bucket that exists is used, unless it would lose revocations.
func TestLog_Bucket(t *testing.T) {
	n := startNATS(t)
	js := n.connect()
	for i, tt := range []struct {
		name string
		cfg  jetstream.KeyValueConfig
		want string
	}{
		{"as this package makes it", jetstream.KeyValueConfig{LimitMarkerTTL: time.Minute}, ""},
		{"in memory and compressed", jetstream.KeyValueConfig{LimitMarkerTTL: time.Hour, Storage: jetstream.MemoryStorage, Compression: true}, ""},
		{"forgets after an hour", jetstream.KeyValueConfig{LimitMarkerTTL: time.Minute, TTL: time.Hour}, "forgets after 1h0m0s"},
		{"keeps entries for ever", jetstream.KeyValueConfig{}, "without limit markers"},
	} {
		// A name each: NATS may still be clearing what was deleted under a name.
		tt.cfg.Bucket = fmt.Sprintf("revoked-%d", i)
		if _, err := js.CreateKeyValue(t.Context(), tt.cfg); err != nil {
			t.Fatal(err)
		}
		l := newLog(t, n, natsauth.Config{Bucket: tt.cfg.Bucket})
		added, err := l.Append(t.Context(), revocation("token-1"))
		if added != (tt.want == "") || (err == nil) != added || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Append() = %v, %v, want an error with %q", tt.name, added, err, tt.want)
		}
		follow(t, l).awaitCurrent(tt.want == "")
		if tt.want != "" {
			continue
		}
		if err := js.DeleteKeyValue(t.Context(), tt.cfg.Bucket); err != nil {
			t.Fatal(err)
		}
		// It is made anew, as soon as NATS lets it.
		deadline := time.Now().Add(patience)
		for added, err = l.Append(t.Context(), revocation("token-1")); err != nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
			added, err = l.Append(t.Context(), revocation("token-1"))
		}
		if !added || err != nil {
			t.Errorf("%s: Append() after the bucket was deleted = %v, %v", tt.name, added, err)
		}
	}
	l := newLog(t, n, natsauth.Config{Bucket: "no such name"})
	if _, err := l.Append(t.Context(), revocation("token-1")); !errors.Is(err, jetstream.ErrInvalidBucketName) {
		t.Errorf("Append() error = %v, want %v", err, jetstream.ErrInvalidBucketName)
	}
}

// A full bucket refuses to take more rather than forget.
func TestLog_Full(t *testing.T) {
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
		t.Fatalf("the bucket took %d of 100", len(taken))
	}
	follow(t, newLog(t, n, natsauth.Config{})).awaitTokens(taken...)
}

// The permissions that the package comment names suffice.
func TestLog_Permissions(t *testing.T) {
	n := newNATS(t)
	n.options.Users = []*server.User{{Username: "server", Password: "secret", Permissions: &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"$KV.oidcauth_revocations.>", "$JS.API.>", "$JS.FC.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}}}
	n.start()
	refused := make(chan error, 16)
	l := newLog(t, n, natsauth.Config{}, nats.UserInfo("server", "secret"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	r := follow(t, l)
	r.awaitCurrent(true)
	appendTokens(t, l, "token-1")
	r.awaitTokens("token-1")
	if added, err := l.Append(t.Context(), revocation("token-1")); added || err != nil {
		t.Errorf("Append() again = %v, %v, want false", added, err)
	}
	select {
	case err := <-refused:
		t.Errorf("NATS refused: %v", err)
	default:
	}
}

// A lockedBuffer collects the log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
