package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

const manySessions = 100_000

// A crowd is the claims of many tokens that have nothing but the login session
// and the expiry in common, at an Authenticator whose clock can be set.
type crowd struct {
	auth   *oidcauth.Authenticator
	claims []*oidcauth.Claims
	others []*oidcauth.Claims // their expiries follow at intervals of a millisecond
	expiry time.Time
	offset atomic.Int64
}

func newCrowd(b *testing.B) *crowd {
	b.Helper()
	const others = 1000
	c := &crowd{expiry: time.Now().Add(24 * time.Hour).Truncate(time.Second)}
	issuer, trusted := newIssuer(b, oidctest.Config{})
	c.auth = newAuthenticator(b, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1,
		Now: func() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) },
	})
	for i := range manySessions {
		c.claims = append(c.claims, authenticate(b, c.auth, issuer.Token(map[string]any{
			"sub": fmt.Sprintf("user-%d", i), "jti": fmt.Sprintf("token-%d", i), "sid": "login", "exp": c.expiry.Unix(),
		})))
	}
	for i := range others {
		at := c.expiry.Add(time.Duration(i+1) * time.Millisecond)
		c.others = append(c.others, authenticate(b, c.auth, issuer.Token(map[string]any{"exp": float64(at.UnixMilli()) / 1000})))
	}
	return c
}

func (c *crowd) setClock(t time.Time) { c.offset.Store(int64(time.Until(t))) }

func (c *crowd) open(claims []*oidcauth.Claims) []*oidcauth.Session {
	sessions := make([]*oidcauth.Session, len(claims))
	for i, c1 := range claims {
		sessions[i] = c.auth.NewSession(context.Background(), c1)
	}
	return sessions
}

// BenchmarkSessions measures 100,000 sessions: what memory they take, how long
// they take to end by one revocation, and how long by expiry at one instant.
func BenchmarkSessions(b *testing.B) {
	c := newCrowd(b)
	b.Run("memory", func(b *testing.B) { benchmarkMemory(b, c) })
	b.Run("revoke", func(b *testing.B) { benchmarkRevokeAll(b, c) })
	b.Run("expire", func(b *testing.B) { benchmarkExpireAll(b, c) })
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// benchmarkMemory counts the sessions' contexts and alarms and not their claims,
// which the cache of tokens shares.
func benchmarkMemory(b *testing.B, c *crowd) {
	for b.Loop() {
		before := heapInUse()
		sessions := c.open(c.claims)
		idle := heapInUse()
		for _, s := range sessions {
			s.Context().Done() // what waits for the end makes a channel
		}
		watched := heapInUse()
		b.ReportMetric(float64(idle-before)/manySessions, "B/session")
		b.ReportMetric(float64(watched-before)/manySessions, "B/watched-session")
		for _, s := range sessions {
			s.Close()
		}
	}
	runtime.KeepAlive(c)
}

func benchmarkRevokeAll(b *testing.B, c *crowd) {
	for b.Loop() {
		b.StopTimer()
		sessions := c.open(c.claims)
		until := c.auth.Now().Add(time.Minute)
		b.StartTimer()
		if err := c.auth.Revoke(b.Context(), oidcauth.Revocation{SessionID: "login", Until: until}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for _, s := range sessions {
			if !errors.Is(context.Cause(s.Context()), oidcauth.ErrRevoked) {
				b.Fatalf("cause = %v", context.Cause(s.Context()))
			}
		}
		c.setClock(until)
		b.StartTimer()
	}
}

// benchmarkExpireAll also measures how late other sessions end meanwhile.
func benchmarkExpireAll(b *testing.B, c *crowd) {
	for b.Loop() {
		b.StopTimer()
		sessions, others, delays := c.openBeforeExpiry()
		time.Sleep(c.expiry.Sub(c.auth.Now()))
		b.StartTimer()
		for live := manySessions; live > len(c.others); live, _, _ = c.auth.SessionCounts() {
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		b.ReportMetric(float64(c.auth.Now().Sub(c.expiry).Milliseconds()), "ms/all")
		var late []time.Duration
		for range others {
			late = append(late, <-delays)
		}
		slices.Sort(late)
		b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "ms-late-median")
		b.ReportMetric(float64(late[len(late)-1].Microseconds())/1000, "ms-late-worst")
		runtime.KeepAlive(sessions)
		b.StartTimer()
	}
}

// openBeforeExpiry opens all sessions, of which the others say how late they end.
// A machine that is too slow to do so before they end gets twice the time.
func (c *crowd) openBeforeExpiry() (sessions, others []*oidcauth.Session, delays chan time.Duration) {
	for lead := 5 * time.Second; ; lead *= 2 {
		c.setClock(c.expiry.Add(-lead))
		delays = make(chan time.Duration, len(c.others))
		others = c.open(c.others)
		for _, s := range others {
			end := s.Claims().Expiry()
			context.AfterFunc(s.Context(), func() { delays <- c.auth.Now().Sub(end) })
		}
		sessions = c.open(c.claims)
		if c.auth.Now().Before(c.expiry) {
			return sessions, others, delays
		}
		for _, s := range slices.Concat(sessions, others) {
			s.Close()
		}
	}
}

// BenchmarkSession_CallContext measures what each call on a connection pays.
func BenchmarkSession_CallContext(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(context.Background(), authenticate(b, a, issuer.Token(nil)))
	b.ReportAllocs()
	for b.Loop() {
		if s.CallContext().Err() != nil {
			b.Fatal("session ended")
		}
	}
}

// BenchmarkRevoke_Lookup measures Authenticate while every token has to be looked
// up among 100,000 revocations, because each call comes after a new one.
func BenchmarkRevoke_Lookup(b *testing.B) {
	issuer, trusted := newIssuer(b, oidctest.Config{})
	a := newAuthenticator(b, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	token := issuer.Token(map[string]any{"jti": "token", "sid": "login"})
	for i := range 100_000 {
		if err := a.Revoke(b.Context(), oidcauth.Revocation{TokenID: fmt.Sprint(i)}); err != nil {
			b.Fatal(err)
		}
	}
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		next++
		if err := a.Revoke(b.Context(), oidcauth.Revocation{SessionID: fmt.Sprint(next)}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := a.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
