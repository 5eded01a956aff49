package oidctest_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

func BenchmarkToken(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			iss := oidctest.NewIssuer(b, oidctest.Config{Algorithm: alg})
			b.ReportAllocs()
			for b.Loop() {
				iss.Token(nil)
			}
		})
	}
}

func BenchmarkFetch(b *testing.B) {
	iss := oidctest.NewIssuer(b, oidctest.Config{})
	client := iss.Client()
	b.ReportAllocs()
	for b.Loop() {
		if got := try(b.Context(), client, iss.JWKSURL()); got.err != nil {
			b.Fatal(got.err)
		}
	}
}
