package keyset_test

import (
	"context"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/internal/jws"
	"github.com/oidcauth/oidcauth/internal/keyset"
)

func BenchmarkKeys(b *testing.B) {
	s := start(b, keyset.Config{Issuer: issuerURL, Fixed: []byte(jwks(key("first-signing-key", 0), key("second-signing-key", 1)))})
	benchmarkKeys(b, s)
	b.Run("fetched", func(b *testing.B) {
		i := newIssuer(key("first-signing-key", 0), key("second-signing-key", 1))
		s := start(b, i.config(b))
		mustKeys(b, s, "second-signing-key")
		benchmarkKeys(b, s)
	})
}

func benchmarkKeys(b *testing.B, s *keyset.Set) {
	ctx := context.Background()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if keys, _ := s.Keys(ctx, jws.Named("second-signing-key")); len(keys) != 1 {
				b.Fatal("key not found")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if keys, _ := s.Keys(ctx, jws.Named("second-signing-key")); len(keys) != 1 {
					b.Error("key not found")
					return
				}
			}
		})
	})
}

func BenchmarkLive(b *testing.B) {
	i := newIssuer(key("a", 0))
	s := start(b, i.config(b))
	k := mustKeys(b, s, "a")[0]
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if !k.Live(now) {
			b.Fatal("key is not live")
		}
	}
}
