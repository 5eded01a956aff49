package keyring_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/keyring"
)

const (
	leeway  = 5 * time.Minute // for which a token is accepted that has expired
	maxSkew = 2 * time.Minute // by which a server's clock is off
)

// A cluster is a directory that several servers share for years, each with a clock of its
// own, and the copies that were made of it. Some cannot read it for a while.
type cluster struct {
	t       *testing.T
	seed    uint64
	random  *rand.Rand
	now     time.Time
	disk    keyring.Ring
	copies  []keyring.Ring
	servers []*clusterServer
	signed  []clusterToken
	removed map[string]bool
}

type clusterServer struct {
	known    keyring.Ring
	skew     time.Duration
	longest  time.Duration // of the tokens that it issues
	lastRead time.Time
	cutUntil time.Time // from the directory
}

// A clusterToken is what is known of a token: who signed it with which key, and when it
// is accepted no more.
type clusterToken struct {
	server int
	key    string
	at     time.Time
	ends   time.Time
}

func (c *cluster) clock(s *clusterServer) time.Time { return c.now.Add(s.skew) }

// update does what a server does that changes the directory.
func (c *cluster) update(s *clusterServer, change func(keyring.Ring) (keyring.Ring, bool)) {
	c.t.Helper()
	if c.now.Before(s.cutUntil) {
		return
	}
	r, rejoined, err := c.disk.Merge(s.known, c.clock(s))
	if err != nil {
		c.t.Fatalf("seed %d: Merge() error = %v", c.seed, err)
	}
	r, changed := change(r)
	if rejoined || changed {
		r.Generation = max(r.Generation, c.disk.Generation) + 1
		c.disk = r
	}
	s.known, s.lastRead = r, c.now
}

func (c *cluster) poll(s *clusterServer) {
	c.t.Helper()
	c.update(s, func(r keyring.Ring) (keyring.Ring, bool) { return r, false })
}

// pollAll has all read what all have written.
func (c *cluster) pollAll() {
	c.t.Helper()
	for range 2 {
		for _, s := range c.servers {
			c.poll(s)
		}
	}
}

// serves reports whether a server signs and accepts tokens.
func (c *cluster) serves(s *clusterServer) bool { return c.now.Sub(s.lastRead) < keyring.UnreadLimit }

// sign has a server issue a token.
func (c *cluster) sign(n int) {
	s := c.servers[n]
	if !c.serves(s) {
		return
	}
	c.signed = append(c.signed, clusterToken{n, s.known.Active().ID, c.now, c.clock(s).Add(s.longest).Add(leeway - maxSkew)})
}

// admit has a server begin, with what it knows its tokens to be.
func (c *cluster) admit(s *clusterServer, longest time.Duration) {
	c.t.Helper()
	if c.now.Before(s.cutUntil) {
		return
	}
	c.poll(s)
	s.known = c.disk // of what it knew nothing is left
	c.update(s, func(r keyring.Ring) (keyring.Ring, bool) {
		r, changed, err := r.Admit("", longest, false)
		if err != nil {
			c.t.Fatal(err)
		}
		return r, changed
	})
	s.longest = longest
}

func (c *cluster) rotate(s *clusterServer) {
	c.t.Helper()
	c.update(s, func(r keyring.Ring) (keyring.Ring, bool) {
		next, err := r.Rotate(c.clock(s))
		if err != nil {
			c.t.Fatalf("seed %d: Rotate() error = %v", c.seed, err)
		}
		return next, true
	})
}

// step does one thing that can happen.
func (c *cluster) step() {
	c.t.Helper()
	n := c.random.IntN(len(c.servers))
	s := c.servers[n]
	switch c.random.IntN(14) {
	case 0, 1, 2, 3:
		c.sign(n)
	case 4, 5:
		for range 1 + c.random.IntN(2) {
			c.rotate(s)
		}
	case 6:
		c.update(s, func(r keyring.Ring) (keyring.Ring, bool) {
			k := r.Keys[c.random.IntN(len(r.Keys))]
			next, err := r.Remove(k.ID)
			if err != nil {
				return r, false // it is not retired
			}
			c.removed[k.ID] = true
			return next, true
		})
	case 7:
		c.copies = append(c.copies, c.disk)
	case 8:
		c.disk = c.copies[c.random.IntN(len(c.copies))]
		if c.random.IntN(2) == 0 { // by a command, which knows nothing else
			c.rotate(&clusterServer{known: c.disk})
		}
		c.sign(n) // by what it knows
	case 9:
		longest := c.disk.Longest
		if c.random.IntN(4) == 0 {
			longest = time.Duration(1+c.random.IntN(40*24)) * time.Hour
		}
		c.admit(s, longest)
	case 10: // who does not hear of a rotation signs with the former key
		s.cutUntil = c.now.Add(time.Duration(c.random.Int64N(int64(40 * time.Hour))))
		c.rotate(c.servers[c.random.IntN(len(c.servers))])
		c.passTo(c.now.Add(time.Duration(c.random.Int64N(int64(keyring.UnreadLimit)))))
		c.sign(n)
	case 11: // a command whose clock is far behind, and which all servers can hear of
		if slices.ContainsFunc(c.servers, func(s *clusterServer) bool { return c.now.Before(s.cutUntil) }) {
			return
		}
		c.rotate(&clusterServer{known: c.disk, skew: -time.Duration(c.random.IntN(90)) * 24 * time.Hour})
	default:
		c.poll(s)
	}
}

// pass lets time go by: a moment, or until shortly before a token ends.
func (c *cluster) pass() {
	c.t.Helper()
	to := c.now.Add(time.Duration(c.random.IntN(6)) * time.Second)
	switch c.random.IntN(3) {
	case 0:
		to = c.now.Add(time.Duration(c.random.Int64N(int64(24 * time.Hour))))
	case 1:
		if n := len(c.signed); n > 0 {
			to = c.signed[c.random.IntN(n)].ends.Add(-time.Second)
		}
	}
	c.passTo(to)
}

// passTo lets time go by until then. Who can read the directory does so, and who is cut off
// stops in time.
func (c *cluster) passTo(to time.Time) {
	c.t.Helper()
	const step = 20 * time.Hour
	for soon := c.now.Add(5 * time.Second); c.now.Before(to); {
		if c.now = c.now.Add(min(step, to.Sub(c.now))); c.now.After(soon) {
			c.pollAll()
		}
	}
	c.signed = slices.DeleteFunc(c.signed, func(t clusterToken) bool { return c.now.After(t.ends) })
}

// isUnsaid reports whether only servers know a key, or that it is gone, that cannot say so.
func (c *cluster) isUnsaid(key string) bool {
	knows := func(r keyring.Ring) bool {
		if c.removed[key] {
			return slices.Contains(r.Gone, key)
		}
		return slices.ContainsFunc(r.Keys, func(k keyring.Key) bool { return k.ID == key })
	}
	return !knows(c.disk) && !slices.Contains(c.disk.Gone, key) &&
		slices.ContainsFunc(c.servers, func(s *clusterServer) bool { return c.now.Before(s.cutUntil) && knows(s.known) })
}

// check holds what a cluster promises, of servers that have just read the directory: what
// was signed and has not ended is good, what was removed is not, and nobody signs with a
// key that the others cannot know.
func (c *cluster) check() {
	c.t.Helper()
	c.pollAll()
	for n, s := range c.servers {
		if c.now.Before(s.cutUntil) {
			continue
		}
		has := map[string]bool{}
		for _, k := range s.known.Current(c.clock(s)).Keys {
			has[k.ID] = true
			if c.removed[k.ID] && !c.isUnsaid(k.ID) {
				c.t.Errorf("seed %d: server %d trusts a removed key", c.seed, n)
			}
		}
		for _, token := range c.signed {
			if !has[token.key] && !c.removed[token.key] && c.now.Before(token.ends) && !c.isUnsaid(token.key) {
				c.t.Errorf("seed %d: server %d lost a key at %v, by which server %d signed at %v until %v", c.seed, n, c.now, token.server, token.at, token.ends)
			}
		}
		if s.known.Active().ID != c.disk.Active().ID {
			c.t.Errorf("seed %d: server %d signs with another key than the directory's", c.seed, n)
		}
	}
}

// Servers that share a directory for years rotate, remove keys, restart with other lifetimes
// and sign, by clocks that differ; older copies are put back; and some cannot read it for a
// while. All the same a token is good until it ends, at each that can.
func TestMerge_Years(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		first, err := keyring.New(start)
		must(t, err)
		c := &cluster{
			t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 7)), now: start,
			disk: first, copies: []keyring.Ring{first}, removed: map[string]bool{},
		}
		for range 2 + c.random.IntN(3) {
			skew := time.Duration(c.random.Int64N(int64(2*maxSkew))) - maxSkew
			s := &clusterServer{known: first, skew: skew, lastRead: start}
			c.servers = append(c.servers, s)
			c.admit(s, time.Hour)
		}
		for range 200 {
			c.step()
			c.pass()
			c.check()
			if t.Failed() {
				return
			}
		}
	}
}
