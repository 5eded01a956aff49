package natsauth_test

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// clusterNATS starts three NATS servers that keep copies of each other's.
func clusterNATS(t *testing.T) [3]*natsServer {
	t.Helper()
	var members [3]*natsServer
	var routes []*url.URL
	for i := range members {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		n := newNATS(t)
		n.options.ServerName = fmt.Sprintf("nats-%d", i)
		n.options.Cluster = server.ClusterOpts{Name: "cluster", Host: "127.0.0.1", Port: port, PoolSize: -1}
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
		members[i] = n
	}
	for _, n := range members {
		n.options.Routes = routes
		n.start()
	}
	return members
}

// A NATS server that has lost the others takes part in nothing any longer, while
// the connection to it is sound. The heartbeat tells.
func TestFollow_QuorumLost(t *testing.T) {
	members := clusterNATS(t)
	l := newLog(t, members[0], natsauth.Config{Replicas: 3, Heartbeat: 100 * time.Millisecond, Timeout: time.Second, Grace: -1},
		nats.IgnoreDiscoveredServers())
	r := follow(t, l)
	r.awaitCurrent(true)
	appendTokens(t, l, "before")
	r.awaitTokens("before")
	members[1].stop()
	members[2].stop()
	r.awaitCurrent(false)
	if added, err := l.Append(t.Context(), revocation("unsent")); added || err == nil {
		t.Errorf("Append() without a quorum = %v, %v, want an error", added, err)
	}
	members[1].start()
	members[2].start()
	r.awaitCurrent(true)
	appendTokens(t, newLog(t, members[1], natsauth.Config{Replicas: 3, Timeout: patience}), "after")
	r.awaitTokens("after")
}

func TestHasQuorum(t *testing.T) {
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
		if got := natsauth.HasQuorum(tt.cluster); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
