package natsauth_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// What a leader says of the stream of uses is believed where it was the leader when it said
// so: one copy has no other, and of several a majority has followed it since.
func TestLedger_Survey(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	led := func(leader string, heard time.Duration) *jetstream.ClusterInfo {
		return &jetstream.ClusterInfo{Leader: leader, Replicas: []*jetstream.PeerInfo{
			{Name: "b", Current: true, Active: heard}, {Name: "c", Current: true, Active: heard},
		}}
	}
	alone := &jetstream.ClusterInfo{Leader: "a"}
	type said struct {
		cluster *jetstream.ClusterInfo
		last    uint64
		used    uint64 // acknowledged before it was asked for; zero for nothing more
	}
	for _, tt := range []struct {
		name  string
		used  uint64 // acknowledged before
		said  []said // five seconds apart
		known bool   // whether a thing was used before
		last  uint64
	}{
		{"nothing was used", 0, []said{{nil, 0, 0}}, true, 0},
		{"as far as before", 7, []said{{nil, 7, 0}}, true, 7},
		{"others used more", 7, []said{{nil, 9, 0}}, true, 9},
		{"less than before", 7, []said{{nil, 6, 0}}, false, 6},
		{"less than others had used", 7, []said{{nil, 9, 0}, {nil, 8, 0}}, false, 8},
		{"one copy in a cluster", 7, []said{{alone, 6, 0}}, false, 6},
		{"a leader that nobody may follow", 7, []said{{led("a", 0), 6, 0}}, true, 7},
		{"a leader that was followed since", 7, []said{{led("a", 0), 6, 0}, {led("a", time.Second), 6, 0}}, false, 6},
		{"a leader that was followed before", 7, []said{{led("a", 0), 6, 0}, {led("a", 6*time.Second), 6, 0}}, true, 7},
		{"another leader", 7, []said{{led("a", 0), 6, 0}, {led("d", time.Second), 6, 0}}, true, 7},
		{"a leader that showed the rest", 7, []said{{led("a", 0), 6, 0}, {led("a", time.Second), 7, 0}}, true, 7},
		{"a leader that may not have the last", 7, []said{{led("a", 0), 7, 0}, {led("a", time.Second), 7, 8}}, true, 8},
		{"a leader that got more", 7, []said{{led("a", 0), 8, 0}, {led("a", time.Second), 9, 0}}, true, 9},
	} {
		g := new(natsauth.Ledger)
		if tt.used > 0 {
			g.Judge(now, now, 0, tt.used)
		}
		for i, s := range tt.said {
			if s.used > 0 {
				g.Judge(now, now, s.used-1, s.used)
			}
			g.Survey(now, now.Add(time.Duration(i)*5*time.Second), g.Begin(0), s.last, s.cluster)
		}
		last := g.Begin(0)
		if err := g.Judge(now, now.Add(time.Minute), last, last+1); (err == nil) != tt.known || last != tt.last {
			t.Errorf("%s: Judge() = %v after %d, want known %v after %d", tt.name, err, last, tt.known, tt.last)
		}
	}
}
