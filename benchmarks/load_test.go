package benchmarks_test

import (
	"context"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/peers"
)

// BenchmarkFlood counts the fetches of the key set that 1000 forged tokens
// with random key IDs cause, and whether the first good token of a new key is
// accepted at once afterwards (1) or not (0).
func BenchmarkFlood(b *testing.B) {
	for _, p := range peers.All() {
		if !p.RemoteKeys {
			continue
		}
		for _, arrival := range harness.Arrivals() {
			b.Run(arrival.Name+"/"+p.Name, func(b *testing.B) {
				var fetches, accepted float64
				for b.Loop() {
					result, err := harness.Flood(context.Background(), p, arrival.Workers, 0)
					if err != nil {
						b.Fatal(err)
					}
					if result.Passed != 0 {
						b.Fatalf("%d forged tokens were accepted", result.Passed)
					}
					fetches += float64(result.Fetches)
					if result.Rotated.Accepted {
						accepted++
					}
				}
				b.ReportMetric(fetches/float64(b.N), "fetches")
				b.ReportMetric(accepted/float64(b.N), "rotated-accepted")
			})
		}
	}
}

// BenchmarkStorm lets 20,000 clients return in the same moment, and then once
// more with the same tokens.
func BenchmarkStorm(b *testing.B) {
	clients := harness.StormClients
	if testing.Short() {
		clients /= 20
	}
	i := issuer(b)
	tokens := i.Tokens(idp.RS256, clients)
	for _, p := range peers.All() {
		b.Run(p.Name, func(b *testing.B) {
			var cold, hot harness.StormResult
			for b.Loop() {
				v, err := p.Open(context.Background(), peers.Setup{Issuer: i})
				if err != nil {
					b.Fatal(err)
				}
				for _, result := range []*harness.StormResult{&cold, &hot} {
					r, err := harness.Storm(context.Background(), v, tokens)
					if err != nil {
						b.Fatal(err)
					}
					result.Wall += r.Wall
					result.P99 += r.P99
				}
				v.Close()
			}
			milliseconds := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
			b.ReportMetric(milliseconds(cold.Wall), "cold-wall-ms")
			b.ReportMetric(milliseconds(cold.P99), "cold-p99-ms")
			b.ReportMetric(milliseconds(hot.Wall), "hot-wall-ms")
			b.ReportMetric(milliseconds(hot.P99), "hot-p99-ms")
		})
	}
}

// BenchmarkMemory weighs what is kept for each of 100,000 verified tokens of
// about 900 bytes.
func BenchmarkMemory(b *testing.B) {
	count := 100_000
	if testing.Short() {
		count /= 50
	}
	for _, p := range peers.All() {
		if !p.KeepsTokens {
			continue
		}
		b.Run(p.Name, func(b *testing.B) {
			var kept float64
			for b.Loop() {
				bytes, err := harness.MemoryPerToken(context.Background(), p, count)
				if err != nil {
					b.Fatal(err)
				}
				kept += bytes
			}
			b.ReportMetric(kept/float64(b.N), "B/token")
		})
	}
}
