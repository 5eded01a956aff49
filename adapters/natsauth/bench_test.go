package natsauth_test

import (
	"fmt"
	"testing"

	"github.com/oidcauth/oidcauth/adapters/natsauth"
)

// One revocation, stored on disk by one NATS server on this machine.
func BenchmarkLog_Append(b *testing.B) {
	l := newLog(b, startNATS(b), natsauth.Config{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if added, err := l.Append(b.Context(), revocation(fmt.Sprintf("token-%d", i))); !added || err != nil {
			b.Fatalf("Append() = %v, %v", added, err)
		}
	}
}

// A server that joins reads 10,000 revocations.
func BenchmarkLog_Follow(b *testing.B) {
	n := startNATS(b)
	l := newLog(b, n, natsauth.Config{})
	for i := range 10_000 {
		if _, err := l.Append(b.Context(), revocation(fmt.Sprintf("token-%d", i))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		follow(b, l).awaitCurrent(true)
	}
}
