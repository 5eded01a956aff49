package natsauth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// A follower may be given entries by a NATS server that is itself catching up. It
// has all when it is told so.
func TestFollow_ReplicaBehind(t *testing.T) {
	t.Parallel()
	const entries = 4000
	c := newCluster(t)
	writer := newLog(t, c.members[0], clusterConfig(), nats.IgnoreDiscoveredServers())
	appendToCluster(t, writer, "0")
	js := c.members[0].connect(nats.IgnoreDiscoveredServers())
	for i := 1; i < entries; i++ {
		key, value, err := natsauth.Encode(revocation(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.PublishAsync("oidcauth_revocations.r."+key, value); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(longPatience):
		t.Fatal("entries are not stored")
	}
	leader := c.leader("oidcauth_revocations")
	behind := (leader + 1) % 3
	c.members[behind].stop()
	if err := os.RemoveAll(filepath.Join(c.members[behind].options.StoreDir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	for from := range c.members {
		if from != behind {
			c.slow(from, behind, 20*time.Millisecond)
		}
	}
	c.members[behind].start()

	var wg sync.WaitGroup
	var mu sync.Mutex // guards short
	short := map[int]int{}
	// A heartbeat of seconds, as is usual: by a shorter one a busy machine has lost contact
	// before it has read all, and begins anew.
	usual := natsauth.Config{Replicas: 3}
	for round := range 20 {
		l := newLog(t, c.members[[]int{leader, behind}[round%2]], usual, nats.IgnoreDiscoveredServers())
		wg.Go(func() {
			followWith(t, l, func(r *reader) {
				if len(r.got) < entries {
					mu.Lock()
					short[round] = entries - len(r.got)
					mu.Unlock()
				}
			}).awaitCurrent(true)
		})
		time.Sleep(100 * time.Millisecond)
	}
	wg.Wait()
	if len(short) > 0 {
		t.Errorf("%d of 20 followers were told that they have all, without so many entries: %v", len(short), short)
	}
}

// A stream of one replica whose server was set back to an older copy of its files,
// while everybody's connection lives, is read from its beginning: what is
// appended after that comes under sequences that were seen already.
func TestFollow_SetBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cfg := natsauth.Config{Replicas: 1, Heartbeat: time.Second, Timeout: 5 * time.Second}
	appendToCluster(t, newLog(t, c.members[0], cfg, nats.IgnoreDiscoveredServers()), "kept")
	keeper := c.leader("oidcauth_revocations")
	living := c.members[(keeper+1)%3]
	l := newLog(t, living, cfg, nats.IgnoreDiscoveredServers())
	readers := []*reader{follow(t, l), follow(t, l)}
	for _, r := range readers {
		r.awaitCurrent(true)
	}
	files := filepath.Join(c.members[keeper].options.StoreDir, "jetstream", "$G", "streams", "oidcauth_revocations")
	older := filepath.Join(t.TempDir(), "older")
	c.members[keeper].stop()
	if err := os.CopyFS(older, os.DirFS(files)); err != nil {
		t.Fatal(err)
	}
	c.members[keeper].start()
	for i := range 6 {
		appendToCluster(t, l, fmt.Sprint("lost-", i))
	}
	for _, r := range readers {
		r.awaitTokens("lost-5")
		r.awaitCurrent(true)
	}

	c.members[keeper].stop()
	if err := os.RemoveAll(files); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(files, os.DirFS(older)); err != nil {
		t.Fatal(err)
	}
	c.members[keeper].start()
	for i := range 6 {
		appendToCluster(t, l, fmt.Sprint("after-", i))
	}
	for _, r := range append(readers, follow(t, newLog(t, living, cfg, nats.IgnoreDiscoveredServers()))) {
		for i := range 6 {
			r.awaitTokens(fmt.Sprint("after-", i))
		}
		r.awaitCurrent(true)
	}
}

// Of equal ones that are appended or used at once, at any member, one is new, and
// nobody is told of an error because the first is still on its way.
func TestCluster_AtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var logs []*natsauth.Log
	for _, n := range c.members {
		cfg := clusterConfig()
		cfg.Timeout = patience / 4
		logs = append(logs, newLog(t, n, cfg, nats.IgnoreDiscoveredServers()))
	}
	appendToCluster(t, logs[0], "before")
	until := time.Now().Add(time.Hour)
	for round := range 30 {
		id := fmt.Sprint("token-", round)
		oneIsNew(t, "Append", logs, func(l *natsauth.Log) (bool, error) { return l.Append(t.Context(), revocation(id)) })
		oneIsNew(t, "FirstUse", logs, func(l *natsauth.Log) (bool, error) { return l.FirstUse(t.Context(), useID(round), until) })
	}
}

func oneIsNew(t *testing.T, name string, logs []*natsauth.Log, call func(*natsauth.Log) (bool, error)) {
	t.Helper()
	var mu sync.Mutex // guards count
	var wg sync.WaitGroup
	count := 0
	for i := range 12 {
		wg.Go(func() {
			done, err := call(logs[i%len(logs)])
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s() error = %v", name, err)
			}
			if done {
				count++
			}
		})
	}
	wg.Wait()
	if count != 1 {
		t.Errorf("%s(): %d were told that theirs is new, want 1", name, count)
	}
}
