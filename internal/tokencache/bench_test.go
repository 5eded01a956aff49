package tokencache_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/tokencache"
)

// claims has the size of verified claims, with their payload apart.
type claims struct {
	payload []byte
	_       [226]byte
}

const payloadBytes = 400

func newClaims() *claims { return &claims{payload: make([]byte, payloadBytes)} }

// manyTokens returns n tokens of 900 bytes.
func manyTokens(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s%08d", strings.Repeat("h", 892), i)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	return tokens
}

func filled(tokens []string) *tokencache.Cache[claims] {
	c := tokencache.New[claims](int64(len(tokens)+100)*1700+1<<20, nil)
	for i, tok := range tokens {
		c.Put(tok, newClaims(), payloadBytes+256, time.Now().Add(time.Hour), uint64(i))
	}
	return c
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		tokens := manyTokens(n)
		c := filled(tokens)
		b.Run(fmt.Sprintf("hit of %d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := c.Get(tokens[i]); !ok {
					b.Fatal("miss")
				}
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(fmt.Sprintf("parallel hit of %d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				i := rand.IntN(n)
				for pb.Next() {
					if _, ok := c.Get(tokens[i]); !ok {
						b.Error("miss")
						return
					}
					if i++; i == n {
						i = 0
					}
				}
			})
		})
	}
	b.Run("miss", func(b *testing.B) {
		c := filled(manyTokens(1000))
		absent := strings.Repeat("x", 900)
		b.ReportAllocs()
		for b.Loop() {
			c.Get(absent)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	tokens := manyTokens(100_000)
	for name, size := range map[string]int64{"all fit": 400 << 20, "evicting": 32 << 20} {
		b.Run(name, func(b *testing.B) {
			c := tokencache.New[claims](size, nil)
			v, expiry, i := newClaims(), time.Now().Add(time.Hour), 0
			b.ReportAllocs()
			for b.Loop() {
				c.Put(tokens[i], v, payloadBytes+256, expiry, uint64(i))
				if i++; i == len(tokens) {
					i = 0
				}
			}
		})
	}
}

// BenchmarkMemory reports what a token of 900 bytes costs with its claims of
// 256 bytes and a payload of 400, as the runtime counts memory and as the
// cache does.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	tokens := manyTokens(n)
	for b.Loop() {
		before := heap()
		c := filled(tokens)
		after := heap()
		if c.Len() != n {
			b.Fatalf("Len() = %d, want %d", c.Len(), n)
		}
		b.ReportMetric(float64(after-before)/n, "B/token")
		b.ReportMetric(float64(c.Bytes())/n, "counted-B/token")
		b.ReportMetric(float64(after-before)/n-900-416-256, "overhead-B/token")
	}
}

// heap returns the memory in use after a full collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
