package tokencache_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
	"weak"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// verdict stands for what a verified token said.
type verdict struct {
	subject string
	_       [29]uint64
}

const verdictBytes = 248 + 400

// token returns the n-th token, of the length an RS256 token usually has.
func token(n int) string {
	return fmt.Sprintf("eyJhbGciOiJSUzI1NiJ9.%s.%08d", strings.Repeat("s", 870), n)
}

func later() time.Time { return time.Now().Add(time.Hour) }

func put(c *tokencache.Cache[verdict], n int) {
	tok := token(n)
	c.Put(tok, &verdict{subject: tok}, verdictBytes, later(), uint64(n))
}

// has reports whether the n-th token is held, with its own value.
func has(t testing.TB, c *tokencache.Cache[verdict], n int) bool {
	t.Helper()
	tok := token(n)
	v, ok := c.Get(tok)
	if ok && v.subject != tok {
		t.Fatalf("Get(%d) returns the value of another token", n)
	}
	return ok
}

func check(t testing.TB, c *tokencache.Cache[verdict]) {
	t.Helper()
	if wrong := c.Check(); wrong != "" {
		t.Fatal(wrong)
	}
}

func TestCache(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	if has(t, c, 1) {
		t.Error("an empty cache has the token")
	}
	put(c, 1)
	put(c, 2)
	if !has(t, c, 1) || !has(t, c, 2) || has(t, c, 3) {
		t.Error("want tokens 1 and 2 held, and not 3")
	}
	if c.Len() != 2 {
		t.Errorf("Len() = %d, want 2", c.Len())
	}
	c.Delete(token(1))
	c.Delete(token(3))
	if has(t, c, 1) || !has(t, c, 2) || c.Len() != 1 {
		t.Error("after Delete(1), want token 2 alone")
	}
	check(t, c)
}

func TestCache_PutReplaces(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	first, second := &verdict{}, &verdict{}
	c.Put("token", first, 100, later(), 0)
	before := c.Bytes()
	c.Put("token", second, 300, later(), 0)
	if v, _ := c.Get("token"); v != second {
		t.Error("Get() does not return what was put last")
	}
	if c.Len() != 1 || c.Bytes() != before+192 {
		t.Errorf("Len() = %d, Bytes() = %d, want 1, %d", c.Len(), c.Bytes(), before+192)
	}
	c.Put("token", second, 1<<20, later(), 0)
	if _, ok := c.Get("token"); ok {
		t.Error("a value larger than its share replaced another and stayed")
	}
	check(t, c)
}

func TestCache_NilHoldsNothing(t *testing.T) {
	for _, size := range []int64{0, -1} {
		c := tokencache.New[verdict](size, nil)
		put(c, 1)
		c.Delete(token(1))
		c.DeleteFunc(func(*verdict) bool { return true })
		if has(t, c, 1) || c.Len() != 0 || c.Bytes() != 0 {
			t.Errorf("New(%d) holds something", size)
		}
	}
}

// TestCache_ExactToken puts one token and asks for its neighbours.
func TestCache_ExactToken(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	tok := token(1)
	c.Put(tok, &verdict{}, verdictBytes, later(), 0)
	for i := range len(tok) {
		other := tok[:i] + string(tok[i]^1) + tok[i+1:]
		if _, ok := c.Get(other); ok {
			t.Fatalf("Get() accepts a token that differs at byte %d", i)
		}
		if _, ok := c.Get(tok[:i]); ok {
			t.Fatalf("Get() accepts the first %d bytes", i)
		}
	}
	if _, ok := c.Get(tok + "A"); ok {
		t.Error("Get() accepts a longer token")
	}
	if _, ok := c.Get(tok); !ok {
		t.Error("Get() does not find the token itself")
	}
}

// TestCache_SameHash gives all tokens one hash: only the comparison of the
// whole token keeps them apart.
func TestCache_SameHash(t *testing.T) {
	const fit = tokencache.MaxChain
	for _, hash := range []uint64{0, 1, 1<<64 - 1} {
		c := tokencache.New[verdict](1<<30, nil)
		for n := range fit {
			c.PutHashed(hash, token(n), &verdict{subject: token(n)})
		}
		for n := range fit {
			if v, ok := c.GetHashed(hash, token(n)); !ok || v.subject != token(n) {
				t.Fatalf("hash %x: token %d is lost or another's", hash, n)
			}
		}
		if _, ok := c.GetHashed(hash, token(fit)); ok {
			t.Errorf("hash %x: a token that was never put is found", hash)
		}
		check(t, c)
	}
}

// TestCache_CollidingTokens presents valid tokens whose signatures were chosen
// to end alike. They must neither be mixed up nor make anyone wait.
func TestCache_CollidingTokens(t *testing.T) {
	c := tokencache.New[verdict](64<<20, nil)
	for n := range 1000 {
		tok := fmt.Sprintf("eyJhbGciOiJFUzI1NiJ9.%08d.%s", n, strings.Repeat("s", 86))
		c.Put(tok, &verdict{subject: tok}, verdictBytes, later(), 0)
		if v, ok := c.Get(tok); !ok || v.subject != tok {
			t.Fatalf("token %d is not found right after it was put", n)
		}
	}
	if c.Len() > tokencache.MaxChain {
		t.Errorf("%d tokens with one hash are held, want at most %d", c.Len(), tokencache.MaxChain)
	}
	check(t, c)
}

// TestCache_CopiesToken makes sure that the cache does not keep the request, of
// which the token is a part, in memory.
func TestCache_CopiesToken(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	request := strings.Repeat("Bearer ", 10_000)
	memory := weak.Make(unsafe.StringData(request))
	c.Put(request[7:107], &verdict{}, verdictBytes, later(), 0)
	runtime.KeepAlive(request)
	runtime.GC()
	if memory.Value() != nil {
		t.Error("the cache keeps the memory the token was cut from")
	}
	if c.Len() != 1 {
		t.Error("the token is not held")
	}
}

func TestCache_GetDoesNotAllocate(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	put(c, 1)
	hit, miss := token(1), token(2)
	if n := testing.AllocsPerRun(100, func() { c.Get(hit); c.Get(miss) }); n != 0 {
		t.Errorf("Get() allocates %v times", n)
	}
}

func TestCache_Sizes(t *testing.T) {
	for _, size := range []int64{1, 100, 4 << 10, 64 << 10, 1 << 20, 20 << 20, 64 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := tokencache.New[verdict](size, nil)
			kept := 0
			for n := range 2000 {
				put(c, n)
				if has(t, c, n) {
					kept++
				}
			}
			if size >= 64<<10 && kept < 1990 {
				t.Errorf("%d of 2000 tokens were found right after they were put", kept)
			}
			if got := c.Bytes(); got > size && c.Len() > 0 {
				t.Errorf("Bytes() = %d with %d tokens, want at most %d", got, c.Len(), size)
			}
			check(t, c)
		})
	}
}

// TestCache_Bounded does what callers do, at random, and counts the books
// again and again.
func TestCache_Bounded(t *testing.T) {
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
	const size, fresh = 2 << 20, 25_000
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
			if missed, of := tt.misses(t); missed*100 > of {
				t.Errorf("%d of %d presentations of live tokens missed, want at most 1%%", missed, of)
			}
		})
	}
}

// TestCache_OneOwnerAlone: a cache that serves one owner only has use for all
// its memory.
func TestCache_OneOwnerAlone(t *testing.T) {
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
		if c.Len() != 1001 {
			t.Fatalf("Len() = %d before anything expired, want 1001", c.Len())
		}
		time.Sleep(time.Second)
		put(c, 5001)
		if c.Len() != 502 {
			t.Errorf("Len() = %d after half of the tokens expired, want 502", c.Len())
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

func TestCache_Expiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			expiry time.Time
			after  time.Duration
			stays  bool
		}{
			{"no expiry", time.Time{}, 50 * 365 * 24 * time.Hour, true},
			{"far future", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 50 * 365 * 24 * time.Hour, true},
			{"one second left", time.Now().Add(time.Minute), 59 * time.Second, true},
			{"just expired", time.Now().Add(time.Minute), time.Minute, false},
			{"half a second is rounded up", time.Now().Add(59*time.Second + 500*time.Millisecond), 59 * time.Second, true},
			{"before 1970", time.Unix(-5, 0), 0, false},
		} {
			start := time.Now()
			c := tokencache.New[verdict](1<<20, func() time.Time { return start })
			c.Put("token", &verdict{}, verdictBytes, tt.expiry, 0)
			start = start.Add(tt.after)
			c.Put("other", &verdict{}, verdictBytes, time.Time{}, 0)
			if _, ok := c.Get("token"); ok != tt.stays {
				t.Errorf("%s: held: %v, want %v", tt.name, ok, tt.stays)
			}
		}
	})
}

func TestCache_DeleteFunc(t *testing.T) {
	c := tokencache.New[verdict](64<<20, nil)
	for n := range 5000 {
		put(c, n)
	}
	gone := token(4000)
	c.DeleteFunc(func(v *verdict) bool { return v.subject >= gone })
	for n := range 5000 {
		if got, want := has(t, c, n), n < 4000; got != want {
			t.Fatalf("token %d held: %v, want %v", n, got, want)
		}
	}
	check(t, c)
	c.DeleteFunc(func(*verdict) bool { return true })
	if c.Len() != 0 {
		t.Errorf("Len() = %d after everything was dropped", c.Len())
	}
	if empty := tokencache.New[verdict](64<<20, nil).Bytes(); c.Bytes() != empty {
		t.Errorf("Bytes() = %d after everything was dropped, want %d as at first", c.Bytes(), empty)
	}
}

// TestCache_Concurrent is for the race detector: all methods at once, on few
// tokens and little memory, so that entries are moved and evicted under readers.
func TestCache_Concurrent(t *testing.T) {
	const size, tokens = 512 << 10, 600
	c := tokencache.New[verdict](size, nil)
	all := make([]string, tokens)
	for n := range all {
		all[n] = token(n)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 2))
			for step := range 5000 {
				tok := all[min(random.IntN(tokens), random.IntN(tokens))]
				v, ok := c.Get(tok)
				switch {
				case ok && v.subject != tok:
					t.Error("Get() returns the value of another token")
				case !ok:
					c.Put(tok, &verdict{subject: tok}, verdictBytes, time.Now().Add(time.Duration(random.IntN(3))*time.Second), uint64(worker))
				case random.IntN(50) == 0:
					c.Delete(tok)
				}
				if step%1000 == 0 {
					c.DeleteFunc(func(v *verdict) bool { return random.IntN(10) == 0 })
				}
				if step%500 == 0 && c.Bytes() > size {
					t.Error("Bytes() exceeds the bound")
				}
			}
		})
	}
	wg.Wait()
	check(t, c)
}

// TestCache_DeletedStaysDeleted: once Delete has returned, no Get finds the
// token, whatever else moves about.
func TestCache_DeletedStaysDeleted(t *testing.T) {
	c := tokencache.New[verdict](256<<10, nil)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				put(c, 100+n%500)
				c.Get(token(100 + n%250))
			}
		}
	})
	for range 3000 {
		put(c, 1)
		c.Get(token(1))
		c.Delete(token(1))
		if has(t, c, 1) {
			t.Error("Get() finds a token after Delete()")
			break
		}
	}
	close(stop)
	wg.Wait()
}
