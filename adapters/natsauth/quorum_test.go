package natsauth_test

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
	"github.com/oidcauth/oidcauth/internal/ports"
)

// clusterNATS starts three NATS servers that keep copies of each other's.
func clusterNATS(t *testing.T) [3]*natsServer {
	t.Helper()
	var members [3]*natsServer
	var routes []*url.URL
	for i := range members {
		n, port := newNATS(t), ports.ReserveFor(t)
		n.options.ServerName = fmt.Sprintf("nats-%d", i)
		n.options.Cluster = server.ClusterOpts{Name: "cluster", Host: "127.0.0.1", Port: port.Number, PoolSize: -1}
		routes = append(routes, &url.URL{Scheme: "nats", Host: port.Address()})
		members[i] = n
	}
	for _, n := range members {
		n.options.Routes = routes
		n.start()
	}
	return members
}

// A NATS server that has lost the others takes part in nothing any longer, while
// the connection to it works. The heartbeat shows it.
func TestFollow_QuorumLost(t *testing.T) {
	t.Parallel()
	members := clusterNATS(t)
	l := newLog(t, members[0], natsauth.Config{Replicas: 3, Heartbeat: 100 * time.Millisecond, Timeout: 2 * time.Second},
		nats.IgnoreDiscoveredServers())
	r := follow(t, l)
	r.awaitCurrent(true)
	appendToCluster(t, l, "before")
	r.awaitTokens("before")
	members[1].stop()
	members[2].stop()
	r.awaitCurrent(false)
	appendInVain(t, l)
	members[1].start()
	members[2].start()
	r.awaitCurrent(true)
	appendToCluster(t, newLog(t, members[1], natsauth.Config{Replicas: 3}), "after")
	r.awaitTokens("after")
}

// appendToCluster revokes a token. A cluster that elects a leader takes nothing
// for that time, and what failed may have been stored nevertheless.
func appendToCluster(t testing.TB, l *natsauth.Log, id string) {
	t.Helper()
	for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		_, err := l.Append(t.Context(), revocation(id))
		if err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

func TestIsLed(t *testing.T) {
	t.Parallel()
	up, down := &jetstream.PeerInfo{}, &jetstream.PeerInfo{Offline: true}
	for _, tt := range []struct {
		name    string
		cluster *jetstream.ClusterInfo
		want    bool
	}{
		{"not clustered", nil, true},
		{"one copy", &jetstream.ClusterInfo{Leader: "a"}, true},
		{"all three", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{up, up}}, true},
		{"two of three", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{up, down}}, true},
		{"one of three", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{down, down}}, false},
		{"two of four", &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{up, down, down}}, false},
		{"no leader", &jetstream.ClusterInfo{Replicas: []*jetstream.PeerInfo{up, up}}, false},
	} {
		if got := natsauth.IsLed(tt.cluster); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestFollowedWithin(t *testing.T) {
	t.Parallel()
	heard := func(ago ...time.Duration) *jetstream.ClusterInfo {
		c := &jetstream.ClusterInfo{Leader: "a"}
		for _, d := range ago {
			c.Replicas = append(c.Replicas, &jetstream.PeerInfo{Active: d})
		}
		return c
	}
	offline := heard(1, 1)
	offline.Replicas[0].Offline, offline.Replicas[1].Offline = true, true
	for _, tt := range []struct {
		name    string
		cluster *jetstream.ClusterInfo
		want    bool
	}{
		{"both at once", heard(1, 1), true},
		{"one just in time", heard(time.Second, time.Hour), true},
		{"one just too late", heard(time.Second+1, time.Hour), false},
		{"one never heard from", heard(0, time.Hour), false},
		{"never heard from either", heard(0, 0), false},
		{"one of four others", heard(1, 2*time.Second, 2*time.Second, 2*time.Second), false},
		{"two of four others", heard(1, 1, 2*time.Second, 2*time.Second), true},
		{"both known to be gone", offline, false},
	} {
		if got := natsauth.FollowedWithin(tt.cluster, time.Second); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What a leader says is believed once a majority has followed it since.
func TestConfirm(t *testing.T) {
	t.Parallel()
	const ms, heartbeat = time.Millisecond, 5 * time.Second
	since := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	later := since.Add(time.Second)
	led := func(name string, since *time.Time, heard ...time.Duration) *jetstream.ClusterInfo {
		c := &jetstream.ClusterInfo{Leader: name, LeaderSince: since}
		for _, d := range heard {
			c.Replicas = append(c.Replicas, &jetstream.PeerInfo{Active: d})
		}
		return c
	}
	for _, tt := range []struct {
		name    string
		answers []natsauth.Answer
		want    uint64
		known   bool
		err     error
	}{
		{"one copy is believed at once", []natsauth.Answer{{0, nil, 7}}, 7, true, nil},
		{"one copy in a cluster is, too", []natsauth.Answer{{0, led("a", &since), 7}}, 7, true, nil},
		{"one of two is not", []natsauth.Answer{{0, led("a", &since, ms), 7}}, 0, false, nil},
		{"one answer is not enough", []natsauth.Answer{{0, led("a", &since, ms, ms), 7}}, 0, false, nil},
		{"followed since", []natsauth.Answer{{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &since, 400*ms, time.Hour), 9}}, 7, true, nil},
		{"followed on and on", []natsauth.Answer{
			{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &since, ms, ms), 9}, {1000 * ms, led("a", &since, ms, ms), 11},
		}, 9, true, nil},
		{"followed once, and not since", []natsauth.Answer{
			{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &since, ms, ms), 9}, {1000 * ms, led("a", &since, 501*ms, 501*ms), 11},
		}, 7, true, nil},
		{"followed before, and not since", []natsauth.Answer{{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &since, 501*ms, 501*ms), 9}}, 0, false, nil},
		{"followed since, a while later", []natsauth.Answer{
			{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &since, 501*ms, 501*ms), 8}, {1000 * ms, led("a", &since, 300*ms, 1001*ms), 9},
		}, 7, true, nil},
		{"another leader", []natsauth.Answer{{0, led("a", &since, ms, ms), 7}, {500 * ms, led("b", &since, ms, ms), 9}}, 0, false, nil},
		{"another leader, followed since", []natsauth.Answer{
			{0, led("a", &since, ms, ms), 7}, {500 * ms, led("b", &later, ms, ms), 9}, {1000 * ms, led("b", &later, ms, ms), 9},
		}, 9, true, nil},
		{"the same, deposed meanwhile", []natsauth.Answer{{0, led("a", &since, ms, ms), 7}, {500 * ms, led("a", &later, ms, ms), 9}}, 0, false, nil},
		{"nobody followed for long", []natsauth.Answer{
			{0, led("a", &since, ms, ms), 7}, {5000 * ms, led("a", &since, 5001*ms, 5001*ms), 7},
		}, 0, false, natsauth.ErrNoQuorum},
		{"of a NATS server that does not say since when", []natsauth.Answer{{0, led("a", nil, ms, ms), 7}, {500 * ms, led("a", nil, ms, ms), 9}}, 7, true, nil},
	} {
		got, known, err := natsauth.Confirm(heartbeat, tt.answers)
		if got != tt.want || known != tt.known || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %d, known %v, %v, want %d, %v, %v", tt.name, got, known, err, tt.want, tt.known, tt.err)
		}
	}
}

// A leader that nobody follows is given up after a heartbeat, and after four seconds at
// least: for so long the servers keep to one that they do not hear.
func TestConfirm_Lease(t *testing.T) {
	t.Parallel()
	alone := &jetstream.ClusterInfo{Leader: "a", Replicas: []*jetstream.PeerInfo{{Active: time.Hour}, {Active: time.Hour}}}
	for heartbeat, lease := range map[time.Duration]time.Duration{
		time.Millisecond: 4 * time.Second, 4 * time.Second: 4 * time.Second, time.Minute: time.Minute,
	} {
		for after, want := range map[time.Duration]error{lease - 1: nil, lease: natsauth.ErrNoQuorum} {
			if _, _, err := natsauth.Confirm(heartbeat, []natsauth.Answer{{0, alone, 7}, {after, alone, 7}}); !errors.Is(err, want) {
				t.Errorf("heartbeat %v: after %v: error = %v, want %v", heartbeat, after, err, want)
			}
		}
	}
}
