package oidcauth_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A setClock is a clock that can be set.
type setClock struct{ ahead atomic.Int64 }

func (c *setClock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *setClock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }

// What was revoked stays revoked until its end, whatever the clock said
// meanwhile: at a server that started with its clock ahead, and at one whose
// clock went ahead and came back.
func TestRevocationLog_ClockWasAhead(t *testing.T) {
	tests := []struct {
		name  string
		start time.Duration // of the clock, ahead
		ahead time.Duration // a moment later
		stays time.Duration // for so long, until it is right
		until time.Duration // of the revocations, by the right clock
		soon  bool          // refused at once, not only after the log was read anew
	}{
		{"started two hours ahead", 2 * time.Hour, 2 * time.Hour, time.Minute, time.Hour, true},
		{"started two hours ahead, for hours", 2 * time.Hour, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour, false},
		{"started two hours ahead, over by then", 2 * time.Hour, 2 * time.Hour, 110 * time.Minute, 2*time.Hour + 5*time.Minute, false},
		{"went ahead by two hours", 0, 2 * time.Hour, 30 * time.Minute, time.Hour, true},
		{"went ahead by a year", 0, 365 * 24 * time.Hour, 30 * time.Minute, time.Hour, true},
		{"started two days ahead, for two days", 48 * time.Hour, 48 * time.Hour, 47 * time.Hour, 72 * time.Hour, false},
		{"always right", 0, 0, 30 * time.Minute, time.Hour, true},
	}
	for _, tt := range tests {
		for _, required := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, required %t", tt.name, required), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					issuer, trusted := newIssuer(t, oidctest.Config{})
					log := newMemoryLog()
					end := time.Now().Add(tt.until)
					const subjects = 20
					for n := range subjects {
						log.Add(oidcauth.Revocation{Subject: fmt.Sprint(n), Until: end.UTC()})
					}
					clock := new(setClock)
					clock.set(tt.start)
					a := newAuthenticator(t, oidcauth.Config{
						Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now,
						Revocations: log, RequireRevocations: required,
					})
					if err := a.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					clock.set(tt.ahead)
					time.Sleep(tt.stays)
					clock.set(0)
					refused := func(when string) {
						t.Helper()
						for n := range subjects {
							token := issuer.Token(map[string]any{"sub": fmt.Sprint(n), "exp": end.Unix()})
							if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRevoked) {
								t.Fatalf("%s: Authenticate() error = %v, want %v", when, err, oidcauth.ErrRevoked)
							}
						}
					}
					if tt.soon {
						refused("at once")
					}
					time.Sleep(20 * time.Second)
					if err := a.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
					refused("soon")
					time.Sleep(time.Until(end) - 1)
					refused("just before the end")
					time.Sleep(time.Second)
					wants(t, a, issuer.Token(map[string]any{"sub": "1"}), nil)
					time.Sleep(72 * time.Hour)
					synctest.Wait()
					if n := a.RevocationsKept(); n != 0 {
						t.Errorf("%d revocations are kept long after their end", n)
					}
					a.Close()
				})
			})
		}
	}
}

// A verdict that was right while the clock was ahead does not outlive that, nor
// does a session.
func TestRevocationLog_AcceptedWhileAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		clock := new(setClock)
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now, Revocations: newMemoryLog(),
		})
		revoke(t, a, oidcauth.Revocation{Subject: "alice", Until: time.Now().Add(time.Hour)})
		token := issuer.Token(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		wants(t, a, token, oidcauth.ErrRevoked)
		clock.set(2 * time.Hour)
		s := a.NewSession(t.Context(), wants(t, a, token, nil))
		wants(t, a, token, nil)
		time.Sleep(20 * time.Second)
		expectEnd(t, s, nil)
		clock.set(0)
		wants(t, a, token, oidcauth.ErrRevoked)
		time.Sleep(20 * time.Second)
		expectEnd(t, s, oidcauth.ErrRevoked)
		time.Sleep(time.Hour)
		wants(t, a, token, nil)
		a.Close()
	})
}

// A log that leaves nothing out does not fill the memory with what is over, and
// a clock that is corrected by little has nothing read anew.
func TestRevocationLog_OverForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log, clock := newMemoryLog(), new(setClock)
		over := time.Now().Add(-time.Hour).UTC()
		const kept = 1 << 16
		for n := range kept + 100 {
			log.Add(oidcauth.Revocation{TokenID: fmt.Sprint(n), Until: over})
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: clock.now, Revocations: log})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := a.RevocationsKept(); n != kept {
			t.Errorf("%d revocations are kept that are over, want %d", n, kept)
		}
		if n := a.RevocationCount(); n != 0 {
			t.Errorf("%d of them hold", n)
		}
		for range 4 {
			clock.set(-30 * time.Second)
			time.Sleep(time.Minute)
			clock.set(0)
			time.Sleep(time.Minute)
		}
		if _, _, follows := log.Counts(); follows != 1 {
			t.Errorf("the log was read %d times, want once", follows)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := a.RevocationsKept(); n != 0 {
			t.Errorf("%d revocations are kept a day later", n)
		}
		a.Close()
	})
}
