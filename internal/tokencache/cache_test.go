package tokencache_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
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
	t.Parallel()
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
	t.Parallel()
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

// A value counts in units of 16 bytes, begun ones included.
func TestCache_ValueBytes(t *testing.T) {
	t.Parallel()
	bytes := func(valueBytes int) int64 {
		c := tokencache.New[verdict](1<<20, nil)
		c.Put("token", &verdict{}, valueBytes, later(), 0)
		return c.Bytes()
	}
	without := bytes(0)
	for valueBytes, want := range map[int]int64{-1: 0, 1: 16, 16: 16, 17: 32, 32: 32} {
		if got := bytes(valueBytes) - without; got != want {
			t.Errorf("a value of %d bytes counts %d, want %d", valueBytes, got, want)
		}
	}
}

// A token and its value may take a tenth of the memory, and no more.
func TestCache_Largest(t *testing.T) {
	t.Parallel()
	const tenth = 100_000
	for valueBytes, want := range map[int]bool{tenth - 5: true, tenth - 4: false} {
		c := tokencache.New[verdict](10*tenth, nil)
		c.Put("token", &verdict{}, valueBytes, later(), 0)
		if _, ok := c.Get("token"); ok != want {
			t.Errorf("with a value of %d bytes, held: %v, want %v", valueBytes, ok, want)
		}
	}
}

// Tokens that fill a segment to its last byte lie in one: 4 KiB, or the 128th part of
// the memory.
func TestCache_FullSegment(t *testing.T) {
	t.Parallel()
	for size, tokens := range map[int64]int{64 << 10: 4, 1 << 20: 8} {
		c := tokencache.New[verdict](size, nil)
		var bytes []int64
		for n := range tokens + 1 {
			c.Put(fmt.Sprintf("%01024d", n), &verdict{}, 0, later(), 0)
			bytes = append(bytes, c.Bytes())
		}
		if bytes[tokens-1] != bytes[0] || bytes[tokens] <= bytes[tokens-1] {
			t.Errorf("Bytes() = %d with tokens of 1 KiB in a cache of %d, want a second segment after %d", bytes, size, tokens)
		}
	}
}

// However large the cache, a segment takes 64 KiB and its first entries.
func TestCache_LargestSegment(t *testing.T) {
	t.Parallel()
	c := tokencache.New[verdict](15<<20, nil)
	empty := c.Bytes()
	c.Put("token", &verdict{}, 0, later(), 0)
	if got := c.Bytes() - empty; got < 64<<10 || got > 65<<10 {
		t.Errorf("the first segment takes %d bytes, want 64 KiB and its first entries", got)
	}
}

func TestCache_NilHoldsNothing(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// TestCache_FullChainMoves keeps one chain full while its entries are evicted,
// moved and replaced.
func TestCache_FullChainMoves(t *testing.T) {
	t.Parallel()
	for size := int64(12 << 10); size < 96<<10; size += 4 << 10 {
		c := tokencache.New[verdict](size, nil)
		random := rand.New(rand.NewPCG(3, uint64(size)))
		for step := range 3000 {
			n := min(random.IntN(40), random.IntN(40))
			v, ok := c.GetHashed(5, token(n))
			if ok && v.subject != token(n) {
				t.Fatalf("token %d has the value of another", n)
			}
			if !ok {
				c.PutHashed(5, token(n), &verdict{subject: token(n)})
			}
			if step%100 == 0 {
				check(t, c)
			}
		}
	}
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
	t.Parallel()
	for _, size := range []int64{1, 100, 4 << 10, 64 << 10, 1 << 20, 20 << 20, 64 << 20, 1 << 50, math.MaxInt64} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			c := tokencache.New[verdict](size, nil)
			kept := 0
			for n := range 2000 {
				put(c, n)
				if has(t, c, n) {
					kept++
				}
			}
			for n := range 100 {
				c.Put(fmt.Sprint(n), &verdict{}, 0, later(), 0)
			}
			c.DeleteFunc(func(*verdict) bool { return false })
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

func TestCache_DeleteFunc(t *testing.T) {
	t.Parallel()
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
	// The buckets that 5000 tokens needed stay, and nothing else.
	emptied := c.Bytes()
	for n := range 5000 {
		put(c, n)
	}
	c.DeleteFunc(func(*verdict) bool { return true })
	if c.Bytes() != emptied {
		t.Errorf("Bytes() = %d after everything was dropped again, want %d as before", c.Bytes(), emptied)
	}
}

// Whoever drops nothing moves nothing.
func TestCache_DeleteFuncOfNothing(t *testing.T) {
	c := tokencache.New[verdict](1<<20, nil)
	nothing := func() { c.DeleteFunc(func(*verdict) bool { return false }) }
	for _, tokens := range []int{0, 1, 100} {
		for n := range tokens {
			put(c, n)
		}
		if n := testing.AllocsPerRun(10, nothing); n != 0 || c.Len() != tokens {
			t.Errorf("with %d tokens, DeleteFunc() allocates %v times, and leaves %d", tokens, n, c.Len())
		}
	}
}

// All that fits to the byte is held. What DeleteFunc moves together may take a block of
// entries more than before: the bound holds at once.
func TestCache_FullToTheByte(t *testing.T) {
	t.Parallel()
	// Each segment of 4 KiB has ten tokens, the last some bytes left.
	fill := func(size int64) *tokencache.Cache[verdict] {
		c := tokencache.New[verdict](size, nil)
		for n := range 100 {
			c.Put(fmt.Sprintf("%0409d", n), &verdict{subject: fmt.Sprint(n)}, 0, later(), 0)
		}
		for n := range 10 {
			c.Put(fmt.Sprintf("%0340d", n), &verdict{}, 0, later(), 0)
		}
		return c
	}
	full := int64(1 << 16)
	for fill(full).Bytes() < full { // whose tables are smaller
		full = fill(full).Bytes()
	}
	for size := full; size < full+1000; size += 50 {
		c := fill(size)
		if c.Len() != 110 {
			t.Fatalf("with %d bytes, %d tokens are held, want 110", size, c.Len())
		}
		c.DeleteFunc(func(v *verdict) bool { return v.subject != "" && v.subject < "6" && len(v.subject) == 1 })
		if got := c.Bytes(); got > size {
			t.Errorf("Bytes() = %d, want at most %d", got, size)
		}
		check(t, c)
	}
}

// TestCache_Concurrent is for the race detector: all methods at once, on few
// tokens and little memory, so that entries are moved and evicted under readers.
func TestCache_Concurrent(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
