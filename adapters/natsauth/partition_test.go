package natsauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// clusterConfig is of three replicas, with times that suit a test.
func clusterConfig() natsauth.Config {
	return natsauth.Config{Replicas: 3, Heartbeat: time.Second, Timeout: 3 * time.Second}
}

// A leader that has lost the others goes on for a while. It says of an equal
// write while the first is in process that something is stored: nothing is, and
// nobody may be told so. What was acknowledged, at whatever side, is everywhere
// when the partition is over.
func TestPartition_LeaderAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var logs [3]*natsauth.Log
	var readers [3]*reader
	for i, n := range c.members {
		logs[i] = newLog(t, n, clusterConfig(), nats.IgnoreDiscoveredServers())
	}
	appendToCluster(t, logs[0], "before")
	for i := range logs {
		readers[i] = follow(t, logs[i])
	}
	for _, r := range readers {
		r.awaitCurrent(true)
		r.awaitTokens("before")
	}
	alone := c.leader("oidcauth_revocations")
	other := (alone + 1) % 3
	c.isolate(alone)

	// The queue of waiting revocations tries again in the same way.
	stored := map[string]bool{"before": true}
	for try := range 4 {
		for _, id := range []string{"alone-1", "alone-2"} {
			if added, err := appendFor(t, logs[alone], time.Second, id); err == nil {
				t.Errorf("try %d: Append(%q) at the leader that is alone = %v, nil: want an error", try, id, added)
				stored[id] = true
			}
		}
	}
	if first, err := logs[alone].FirstUse(t.Context(), useID(1), time.Now().Add(time.Hour)); err == nil {
		t.Errorf("FirstUse() at the leader that is alone = %v, nil: want an error", first)
	}
	readers[alone].awaitCurrent(false)
	appendToCluster(t, logs[other], "majority")
	readers[(alone+2)%3].awaitTokens("majority")

	c.heal()
	for _, id := range []string{"alone-1", "alone-2"} { // as who was told of an error does
		appendToCluster(t, logs[alone], id)
		stored[id] = true
	}
	stored["majority"] = true
	late := follow(t, newLog(t, c.members[other], clusterConfig(), nats.IgnoreDiscoveredServers()))
	for _, r := range append(readers[:], late) {
		r.awaitCurrent(true)
		for id := range stored {
			r.awaitTokens(id)
		}
	}
	firsts := 0
	for _, l := range logs {
		if first, err := l.FirstUse(t.Context(), useID(1), time.Now().Add(time.Hour)); err != nil {
			t.Errorf("FirstUse() after the partition: %v", err)
		} else if first {
			firsts++
		}
	}
	if firsts > 1 {
		t.Errorf("%d were told that theirs is the first use", firsts)
	}
}

// appendFor appends with no more than a time.
func appendFor(t *testing.T, l *natsauth.Log, d time.Duration, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return l.Append(ctx, revocation(id))
}

// A leader that hears from nobody is given up long before it knows that itself,
// which takes NATS ten seconds and more.
func TestPartition_Noticed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	cfg := clusterConfig()
	cfg.Heartbeat = 0 // as it is
	l := newLog(t, c.members[0], cfg, nats.IgnoreDiscoveredServers())
	appendToCluster(t, l, "before")
	leader := c.leader("oidcauth_revocations")
	r := follow(t, newLog(t, c.members[leader], cfg, nats.IgnoreDiscoveredServers()))
	r.awaitCurrent(true)
	began := time.Now()
	c.isolate(leader)
	r.awaitCurrent(false)
	r.mu.Lock()
	defer r.mu.Unlock()
	// A second heartbeat, and time for a busy machine.
	if took := r.told.Sub(began); took > 12*time.Second {
		t.Errorf("noticed after %v, want no more than twice the heartbeat of 5s", took)
	} else {
		t.Logf("noticed after %v", took.Round(time.Millisecond))
	}
}

// The same with servers that authenticate: a revocation that was made where the
// leader is alone is said not to be shared, holds there, and is shared when the
// partition is over.
func TestPartition_Revoke(t *testing.T) {
	t.Parallel()
	c, issuer := newCluster(t), newIssuer(t)
	var nodes [3]*node
	for i, n := range c.members {
		nodes[i] = newNodeWith(t, newLog(t, n, clusterConfig(), nats.IgnoreDiscoveredServers()), issuer, true)
	}
	for _, v := range nodes {
		v.awaitReady(t, nil)
	}
	alone := c.leader("oidcauth_revocations")
	other := (alone + 1) % 3
	c.isolate(alone)
	for try := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := nodes[alone].auth.Revoke(ctx, oidcauth.Revocation{Subject: "mallory", Until: time.Now().Add(time.Hour).Truncate(time.Hour).Add(time.Hour)})
		cancel()
		if !errors.Is(err, oidcauth.ErrRevocationsUnavailable) {
			t.Errorf("try %d: Revoke() error = %v, want %v", try, err, oidcauth.ErrRevocationsUnavailable)
		}
	}
	// Ready says so earlier, because revocations wait to be shared.
	nodes[alone].awaitRefused(t, issuer, "alice", oidcauth.ErrRevocationsUnavailable)
	for limit := time.Now().Add(patience); ; {
		if err := nodes[other].auth.Revoke(t.Context(), oidcauth.Revocation{Subject: "eve"}); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	c.heal()
	late := newNodeWith(t, newLog(t, c.members[other], clusterConfig(), nats.IgnoreDiscoveredServers()), issuer, true)
	for _, v := range append(nodes[:], late) {
		v.awaitReady(t, nil)
		for _, subject := range []string{"mallory", "eve"} {
			v.awaitRefused(t, issuer, subject, oidcauth.ErrRevoked)
		}
		refused(t, v, issuer, "alice", nil)
	}
}

// awaitRefused waits until a node refuses the subject's tokens for a reason.
func (v *node) awaitRefused(t *testing.T, issuer *oidctest.Issuer, subject string, want error) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := v.auth.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": subject}))
		if errors.Is(err, want) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("Authenticate(token of %q) error = %v, want %v; log:\n%s", subject, err, want, v.lines)
		}
	}
}

// A follower whose NATS server is cut off in one direction, or slowly, is told so,
// and not that it has all while it does not.
func TestPartition_FollowerServer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	writer := newLog(t, c.members[0], clusterConfig(), nats.IgnoreDiscoveredServers())
	appendToCluster(t, writer, "before")
	leader := c.leader("oidcauth_revocations")
	far := (leader + 1) % 3
	r := follow(t, newLog(t, c.members[far], clusterConfig(), nats.IgnoreDiscoveredServers()))
	r.awaitCurrent(true)
	near := newLog(t, c.members[leader], clusterConfig(), nats.IgnoreDiscoveredServers())
	for round, lose := range []func(other int){
		func(other int) { c.hold(other, far) },
		func(other int) { c.hold(far, other) },
		func(other int) { c.cut(far, other) },
	} {
		for other := range c.members {
			if other != far {
				lose(other)
			}
		}
		r.awaitCurrent(false)
		id := fmt.Sprint("missed-", round)
		appendToCluster(t, near, id)
		c.heal()
		r.await("to have all when caught up", func(got map[string]int, current bool) bool {
			if current && got[id] == 0 {
				t.Fatal("caught up without what was missed")
			}
			return current
		})
	}
}
