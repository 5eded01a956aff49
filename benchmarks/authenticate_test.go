package benchmarks_test

import (
	"testing"

	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// BenchmarkAuthenticate checks a token and reads its claims into a struct.
func BenchmarkAuthenticate(b *testing.B) {
	run(b, harness.Authenticate, idp.Algorithms(), harness.Cold, harness.Hot)
}

// BenchmarkAuthenticateParallel is BenchmarkAuthenticate on every core.
func BenchmarkAuthenticateParallel(b *testing.B) {
	run(b, harness.AuthenticateParallel, idp.Usual(), harness.Cold, harness.Hot)
}

// BenchmarkMiddleware passes a request to a handler that reads the claims.
func BenchmarkMiddleware(b *testing.B) {
	run(b, harness.Middleware, idp.Usual(), harness.Cold, harness.Hot)
}

// BenchmarkMiddlewareParallel is BenchmarkMiddleware on every core.
func BenchmarkMiddlewareParallel(b *testing.B) {
	run(b, harness.MiddlewareParallel, idp.Usual(), harness.Cold, harness.Hot)
}

// BenchmarkAlone checks a token and reads no claim, for a library that does
// not need to.
func BenchmarkAlone(b *testing.B) {
	run(b, harness.Alone, idp.Algorithms(), harness.Cold, harness.Hot)
}

// BenchmarkMiddlewareAlone passes a request to a handler that reads nothing.
func BenchmarkMiddlewareAlone(b *testing.B) {
	run(b, harness.MiddlewareAlone, []string{idp.RS256}, harness.Cold, harness.Hot)
}

// BenchmarkCrowd shows one of 100,000 tokens that have been seen before, in
// random order. They are as long as RS256 tokens but signed with EdDSA, so
// that making them does not take minutes; their signatures are not looked at.
func BenchmarkCrowd(b *testing.B) {
	b.Run("single", func(b *testing.B) {
		run(b, harness.Authenticate, []string{idp.EdDSA}, harness.Crowd)
	})
	b.Run("parallel", func(b *testing.B) {
		run(b, harness.AuthenticateParallel, []string{idp.EdDSA}, harness.Crowd)
	})
}

func run(b *testing.B, what string, algorithms []string, temperatures ...string) {
	b.Helper()
	suite, err := harness.NewSuite(testing.Short())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(suite.Close)
	for _, c := range suite.Cases(what, algorithms, temperatures...) {
		b.Run(c.Name(), c.Run)
	}
}
