package oidcauth_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// BenchmarkMillionSessions measures very many live sessions: what memory they take
// beside their claims, how long they take to begin and to end by one revocation,
// and for how long one that ends none of them holds others up. They are of one
// subject, the worst case, under few tokens or under one each.
func BenchmarkMillionSessions(b *testing.B) {
	for _, row := range []struct {
		name             string
		tokens, sessions int
	}{
		{"2000 tokens", 2000, 1_000_000},
		{"a token each", 300_000, 300_000},
	} {
		b.Run(row.name, func(b *testing.B) {
			m := newMultitude(b, row.tokens, row.sessions)
			b.Run("begin", m.benchmarkBegin)
			b.Run("revoke", m.benchmarkRevoke)
			b.Run("in vain", m.benchmarkInVain)
		})
	}
}

// A multitude is the claims of many tokens of one subject at one Authenticator.
type multitude struct {
	auth     *oidcauth.Authenticator
	issuer   *oidctest.Issuer
	claims   []*oidcauth.Claims
	sessions []*oidcauth.Session
}

func newMultitude(b *testing.B, tokens, sessions int) *multitude {
	b.Helper()
	issuer, trusted := newIssuer(b, oidctest.Config{Algorithm: "EdDSA"})
	m := &multitude{issuer: issuer, sessions: make([]*oidcauth.Session, sessions)}
	m.auth = newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: -1})
	for i := range tokens {
		m.claims = append(m.claims, authenticate(b, m.auth, issuer.Token(map[string]any{
			"jti": fmt.Sprintf("token-%d", i), "sid": fmt.Sprintf("login-%d", i), "exp": time.Now().Add(24 * time.Hour).Unix(),
		})))
	}
	return m
}

// begin begins all sessions, each in a context of its own, as those of requests are.
func (m *multitude) begin(ctx context.Context) {
	for i := range m.sessions {
		m.sessions[i] = m.auth.NewSession(ctx, m.claims[i%len(m.claims)])
	}
}

func (m *multitude) close() {
	for _, s := range m.sessions {
		s.Close()
	}
	clear(m.sessions)
}

func (m *multitude) benchmarkBegin(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for b.Loop() {
		before := heapInUse()
		start := time.Now()
		m.begin(ctx)
		b.ReportMetric(time.Since(start).Seconds(), "s/all")
		b.ReportMetric(float64(heapInUse()-before)/float64(len(m.sessions)), "B/session")
		m.close()
	}
	runtime.KeepAlive(m)
}

func (m *multitude) benchmarkRevoke(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		m.begin(b.Context())
		runtime.GC()
		// Times of issue are in whole seconds, and the revocation is over before
		// the next round.
		until := time.Now().Add(5 * time.Second)
		b.StartTimer()
		start := time.Now()
		if err := m.auth.Revoke(b.Context(), oidcauth.Revocation{Subject: "alice", Until: until}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/all")
		b.StopTimer()
		for _, s := range m.sessions {
			if s.Context().Err() == nil {
				b.Fatal("a session is alive")
			}
		}
		time.Sleep(time.Until(until))
		b.StartTimer()
	}
}

// benchmarkInVain measures the longest that another's session takes to begin, with
// and without a revocation at work that looks at all sessions and ends none.
func (m *multitude) benchmarkInVain(b *testing.B) {
	other := authenticate(b, m.auth, m.issuer.Token(map[string]any{"sub": "bob"}))
	m.begin(b.Context())
	runtime.GC()
	longest := func(during func()) float64 {
		var over atomic.Bool
		worst := make(chan time.Duration)
		go func() {
			var most time.Duration
			for !over.Load() {
				start := time.Now()
				m.auth.NewSession(b.Context(), other).Close()
				most = max(most, time.Since(start))
			}
			worst <- most
		}()
		during()
		over.Store(true)
		return float64((<-worst).Microseconds()) / 1000
	}
	old := time.Now().Add(-24 * time.Hour)
	for b.Loop() {
		var took time.Duration
		held := longest(func() {
			start := time.Now()
			old = old.Add(time.Second)
			if err := m.auth.Revoke(b.Context(), oidcauth.Revocation{Subject: "alice", IssuedBefore: old}); err != nil {
				b.Fatal(err)
			}
			took = time.Since(start)
		})
		b.ReportMetric(held, "ms-held-up")
		b.ReportMetric(float64(took.Microseconds())/1000, "ms-revoke")
		b.ReportMetric(longest(func() { time.Sleep(took) }), "ms-held-up-by-nothing")
	}
	m.close()
}
