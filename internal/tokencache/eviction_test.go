package tokencache_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// TestCache_Bounded does what callers do, at random, and counts the books
// again and again.
func TestCache_Bounded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 1))
		size := int64(100<<10 + random.IntN(4<<20))
		c := tokencache.New[verdict](size, nil)
		for step := range 20_000 {
			tok := token(random.IntN(4000))[random.IntN(700):]
			switch random.IntN(10) {
			case 0, 1, 2, 3:
				c.Put(tok, &verdict{}, random.IntN(2000), time.Now().Add(time.Duration(random.IntN(7200)-60)*time.Second), uint64(random.IntN(50)))
			case 4:
				c.Delete(tok)
			default:
				c.Get(tok)
			}
			if got := c.Bytes(); got > size {
				t.Fatalf("seed %d, step %d: Bytes() = %d, want at most %d", seed, step, got, size)
			}
			if step%2000 == 0 {
				c.DeleteFunc(func(*verdict) bool { return random.IntN(3) == 0 })
				check(t, c)
			}
		}
		check(t, c)
	}
}

// flood says how tokens in use are presented among many times the cache's size
// in fresh ones.
type flood struct {
	live, every int // one of so many live tokens, after every so many fresh ones
	hits        int // further presentations of each fresh token
	owner       func(n int) uint64
}

// misses runs the flood and returns how many presentations of live tokens
// missed, of how many, in the second half of it.
func (f flood) misses(t *testing.T) (missed, of int) {
	const size, fresh = 2 << 20, 40_000
	c := tokencache.New[verdict](size, nil)
	for n := range fresh {
		tok := token(f.live + n)
		c.Put(tok, &verdict{subject: tok}, verdictBytes, later(), f.owner(n))
		for range f.hits {
			c.Get(tok)
		}
		if n%f.every != 0 {
			continue
		}
		late := n > fresh/2
		if late {
			of++
		}
		if next := n / f.every % f.live; !has(t, c, next) {
			put(c, next)
			if late {
				missed++
			}
		}
	}
	check(t, c)
	if of == 0 {
		t.Fatal("no live token was presented")
	}
	return missed, of
}

// TestCache_Flood holds the promise that tokens in use, even if they come in
// the middle of it, find and keep a place while others present fresh tokens in
// numbers.
func TestCache_Flood(t *testing.T) {
	t.Parallel()
	anyone := func(n int) uint64 { return uint64(1_000_000 + n) }
	oneMill := func(int) uint64 { return 1_000_000 }
	for _, tt := range []struct {
		name string
		flood
	}{
		{"anyone's, presented once", flood{live: 250, every: 5, hits: 0, owner: anyone}},
		{"anyone's, presented twice", flood{live: 250, every: 5, hits: 1, owner: anyone}},
		{"one owner's, presented once", flood{live: 250, every: 5, hits: 0, owner: oneMill}},
		{"one owner's, presented four times", flood{live: 250, every: 5, hits: 3, owner: oneMill}},
		{"one owner's, presented ten times, live ones rarely", flood{live: 250, every: 20, hits: 9, owner: oneMill}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if missed, of := tt.misses(t); missed*50 > of {
				t.Errorf("%d of %d presentations of live tokens missed, want at most 2%%", missed, of)
			}
		})
	}
}

// steps builds a history for a cache of 2 MiB, which holds some 1200
// tokens of as many owners.
type steps struct {
	t    *testing.T
	c    *tokencache.Cache[verdict]
	next int
}

// present puts n new tokens, presents each so many times again, and returns
// the number of the first.
func (s *steps) present(n, again int) (first int) {
	first = s.next
	for ; s.next < first+n; s.next++ {
		put(s.c, s.next)
		for range again {
			has(s.t, s.c, s.next)
		}
	}
	return first
}

// held returns how many of n tokens are held, without presenting them.
func (s *steps) held(first, n int) (held int) {
	subjects := map[string]bool{}
	s.c.DeleteFunc(func(v *verdict) bool { subjects[v.subject] = true; return false })
	for i := range n {
		if subjects[token(first+i)] {
			held++
		}
	}
	return held
}

// TestCache_Credit holds what presentations buy a token that is not presented
// again: a place in the main part, and there a number of rounds.
func TestCache_Credit(t *testing.T) {
	t.Parallel()
	const many = 5000
	for _, tt := range []struct {
		name    string
		history func(s *steps) (first int)
		stay    bool
	}{
		{"presented once, then a flood", func(s *steps) int {
			first := s.present(300, 0)
			s.present(many, 0)
			return first
		}, false},
		{"presented twice, then a flood", func(s *steps) int {
			first := s.present(300, 1)
			s.present(many, 0)
			return first
		}, false},
		{"presented three times, then a flood", func(s *steps) int {
			first := s.present(300, 2)
			s.present(many, 0)
			return first
		}, true},
		{"presented three times, put again, then a flood", func(s *steps) int {
			first := s.present(300, 2)
			for n := range 300 {
				put(s.c, first+n)
			}
			s.present(many, 0)
			return first
		}, true},
		{"presented three times, put again, then two rounds of tokens presented three times", func(s *steps) int {
			first := s.present(300, 2)
			for n := range 300 {
				put(s.c, first+n)
			}
			s.present(2300, 2)
			return first
		}, true},
		{"presented three times, then as many as fit, presented three times", func(s *steps) int {
			first := s.present(300, 2)
			s.present(1300, 2)
			return first
		}, true},
		{"left the main part, presented once more, then a flood", func(s *steps) int {
			first := s.present(300, 2)
			s.present(many, 2)
			for n := range 300 {
				put(s.c, first+n)
			}
			s.present(many, 0)
			return first
		}, false},
		{"presented four times, then a round of tokens presented three times", func(s *steps) int {
			first := s.present(300, 3)
			s.present(1800, 2)
			return first
		}, true},
		{"presented four times, then many rounds of tokens presented three times", func(s *steps) int {
			first := s.present(300, 3)
			s.present(2*many, 2)
			return first
		}, false},
		{"the memory full of tokens in use, then new ones", func(s *steps) int {
			first := s.present(1100, 3)
			s.present(600, 0)
			return first
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &steps{t: t, c: tokencache.New[verdict](2<<20, nil)}
			first := tt.history(s)
			held := s.held(first, 300)
			if tt.stay && held < 295 || !tt.stay && held > 5 {
				t.Errorf("%d of 300 tokens are held, want them to stay: %v", held, tt.stay)
			}
			check(t, s.c)
		})
	}
}

// TestCache_OneOwnerAlone: a cache that serves one owner only has use for all
// its memory.
func TestCache_OneOwnerAlone(t *testing.T) {
	t.Parallel()
	const tokens = 3000
	c := tokencache.New[verdict](8<<20, nil)
	for range 3 {
		for n := range tokens {
			if tok := token(n); !has(t, c, n) {
				c.Put(tok, &verdict{subject: tok}, verdictBytes, later(), 7)
			}
		}
	}
	if c.Len() != tokens {
		t.Errorf("Len() = %d, want all %d that fit", c.Len(), tokens)
	}
}

func TestCache_ExpiredLeaveFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 4 << 20
		c := tokencache.New[verdict](size, nil)
		for n := range 1000 {
			tok := token(n)
			expiry := time.Now().Add(time.Minute)
			if n%2 == 0 {
				expiry = time.Now().Add(time.Hour)
			}
			c.Put(tok, &verdict{subject: tok}, verdictBytes, expiry, 0)
			has(t, c, n)
		}
		full := c.Bytes()

		time.Sleep(59 * time.Second)
		put(c, 5000)
		if c.Len() != 1001 || c.SweepsAt(time.Now()) {
			t.Fatalf("Len() = %d before anything expired, want 1001, and no search for what has", c.Len())
		}
		time.Sleep(time.Second)
		put(c, 5001)
		if c.Len() != 502 {
			t.Errorf("Len() = %d after half of the tokens expired, want 502", c.Len())
		}
		if c.SweepsAt(time.Now()) || !c.SweepsAt(time.Now().Add(time.Hour)) {
			t.Error("want what has expired looked for once, and again when more has")
		}
		for n := range 1000 {
			if got, want := has(t, c, n), n%2 == 0; got != want {
				t.Fatalf("token %d held: %v, want %v", n, got, want)
			}
		}
		if c.Bytes() > full*8/10 {
			t.Errorf("Bytes() = %d, want well below %d", c.Bytes(), full)
		}
		check(t, c)

		time.Sleep(time.Hour)
		put(c, 5002)
		if c.Len() != 1 {
			t.Errorf("Len() = %d after all others expired, want 1", c.Len())
		}
		check(t, c)
	})
}

// A clock that stands at the beginning of time is one as any other.
func TestCache_ClockOf1970(t *testing.T) {
	t.Parallel()
	c := tokencache.New[verdict](1<<20, func() time.Time { return time.Unix(0, 0) })
	for expiry, want := range map[int64]bool{-1: false, 0: false, 1: true} {
		c.Put("token", &verdict{}, verdictBytes, time.Unix(expiry, 0), 0)
		if _, ok := c.Get("token"); ok != want {
			t.Errorf("expires at %d, held: %v, want %v", expiry, ok, want)
		}
		c.Delete("token")
	}
}

func TestCache_Expiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			expiry time.Time
			after  time.Duration
			stays  bool
		}{
			{"no expiry", time.Time{}, 50 * 365 * 24 * time.Hour, true},
			{"far future", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 50 * 365 * 24 * time.Hour, true},
			{"no expiry, long after what 32 bits hold", time.Time{}, 200 * 365 * 24 * time.Hour, true},
			{"expired long after what 32 bits hold", time.Now().Add(time.Hour), 200 * 365 * 24 * time.Hour, false},
			{"one second left", time.Now().Add(time.Minute), 59 * time.Second, true},
			{"just expired", time.Now().Add(time.Minute), time.Minute, false},
			{"half a second is rounded up", time.Now().Add(59*time.Second + 500*time.Millisecond), 59 * time.Second, true},
			{"expired before", time.Now(), 0, false},
			{"before 1970", time.Unix(-5, 0), 0, false},
		} {
			start := time.Now()
			c := tokencache.New[verdict](1<<20, func() time.Time { return start })
			c.Put("token", &verdict{}, verdictBytes, tt.expiry, 0)
			if _, ok := c.Get("token"); ok != (tt.stays || tt.after > 0) {
				t.Errorf("%s: held at first: %v", tt.name, ok)
			}
			start = start.Add(tt.after)
			c.Put("other", &verdict{}, verdictBytes, time.Time{}, 0)
			if _, ok := c.Get("token"); ok != tt.stays {
				t.Errorf("%s: held: %v, want %v", tt.name, ok, tt.stays)
			}
		}
	})
}
