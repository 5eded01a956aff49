package natsauth

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A survey is what a leader said of the stream of uses: up to where it goes. So a server
// that uses little knows how far the others have come, and that the stream has lost what
// they had used, as one copy does whose machine loses power.
type survey struct {
	leader         string
	before         uint64 // the sequence that was known of when it was asked
	last           uint64 // that there ever was
	sent, received time.Time
}

// survey notes what a leader said. What is stored is stored for all, whoever says it. That
// something is not is believed of a stream with one copy, and else of a leader whom a
// majority has followed since it said so the last time: it may have been deposed, or be
// about to show the rest.
func (g *ledger) survey(now time.Time, s survey, cluster *jetstream.ClusterInfo) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.leader = leaderOf(cluster)
	previous := g.heard
	g.heard = s
	known := s.before
	if !alone(cluster) {
		known = previous.before
		if previous.leader != s.leader || !followedWithin(cluster, s.sent.Sub(previous.received)) {
			known = 0
		}
	}
	if s.last < known {
		g.last = s.last
		g.replaced(now)
	}
	g.last = max(g.last, s.last)
}
