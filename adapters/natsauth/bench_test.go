package natsauth_test

import (
	"fmt"
	"testing"
	"time"

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

// Revoking a subject at one of three servers ends its 1500 sockets, 500 at each,
// among as many others: the time until the last is closed.
func BenchmarkCluster_Revoke(b *testing.B) {
	n, issuer := startNATS(b), newIssuer(b)
	nodes := []*node{newNode(b, n, issuer, true), newNode(b, n, issuer, true), newNode(b, n, issuer, true)}
	for _, v := range nodes {
		v.awaitReady(b, nil)
	}
	var sum time.Duration
	rounds := 0
	for b.Loop() {
		sum += revokeOne(b, issuer, nodes, 1000, fmt.Sprintf("mallory-%d", rounds))
		rounds++
	}
	b.ReportMetric(float64(sum.Milliseconds())/float64(rounds), "ms-to-last")
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
