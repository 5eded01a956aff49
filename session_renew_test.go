package oidcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/possession"
)

// A token that is revoked when it was judged already, and before the session lives by
// it, does not renew it: the session stays with the one that it had.
func TestSession_Renew_RevokedMeanwhile(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"jti": "token-1"})))
	defer s.Close()
	next := issuer.Token(map[string]any{"jti": "token-2"})
	renewed := make(chan error)
	s.Held(func() {
		go func() {
			c, err := s.Renew(t.Context(), next)
			if c != nil {
				t.Error("Renew() returns the claims of a token that it refuses")
			}
			renewed <- err
		}()
		awaitLock("oidcauth.(*Session).tryToLiveBy")
		revoke(t, a, oidcauth.Revocation{TokenID: "token-2"})
	})
	if err := <-renewed; !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("Renew() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if err := s.Context().Err(); err != nil || s.Claims().TokenID() != "token-1" {
		t.Errorf("the session lives by %q, %v, want token-1", s.Claims().TokenID(), err)
	}
}

// awaitLock returns when some goroutine waits for a lock in that function.
func awaitLock(function string) {
	stacks := make([]byte, 8<<20)
	for {
		for goroutine := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if head, frames, _ := strings.Cut(goroutine, "\n"); strings.Contains(head, "sync.Mutex.Lock") && strings.Contains(frames, function+"(") {
				return
			}
		}
		runtime.Gosched()
	}
}

// A warning whose alarm goes off although the session was renewed, or has ended, is none.
func TestSession_OnExpiring_RenewedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})))
		var warned atomic.Int32
		s.OnExpiring(time.Minute, func() { warned.Add(1) })
		warn := func(when string, want int32) {
			t.Helper()
			warned.Store(0)
			s.Warn()
			synctest.Wait()
			if got := warned.Load(); got != want {
				t.Errorf("%s: warned %d times, want %d", when, got, want)
			}
		}
		warn("an hour before", 0)
		time.Sleep(time.Until(s.Claims().Expiry().Add(30*time.Second - time.Minute - 1)))
		warn("a nanosecond before it is due", 0)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		warn("when it is due", 1)
		s.Close()
		warn("afterwards", 0)
	})
}

// A client that renews as soon as it is asked, with the token that it has, or with one that
// lives for less than is warned of, is asked again in time, and not without pause.
func TestSession_OnExpiring_SameToken(t *testing.T) {
	t.Parallel()
	var eachSecond []time.Duration
	for left := time.Minute; left > -30*time.Second; left -= time.Second {
		eachSecond = append(eachSecond, left)
	}
	for _, tt := range []struct {
		name  string
		lives float64         // in seconds; 0 for the same once more
		want  []time.Duration // before the end of the first token
	}{
		{"the same", 0, []time.Duration{60e9, 30e9, 15e9, 7.5e9, 3.75e9, 1.875e9, 0.875e9}},
		{"one that lives for 40 seconds", 40, []time.Duration{60e9, 40e9, 20e9, 0, -20e9}},
		{"one that lives for hardly more than a minute", 60.25, eachSecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Leeway: -1})
				first := issuer.Token(nil)
				s := a.NewSession(t.Context(), authenticate(t, a, first))
				end := s.Claims().Expiry()
				asked := make(chan time.Duration, 100)
				s.OnExpiring(time.Minute, func() {
					asked <- time.Until(end)
					next := first
					if tt.lives > 0 {
						next = issuer.Token(map[string]any{"exp": float64(time.Now().UnixMilli())/1000 + tt.lives})
					}
					if len(asked) < cap(asked) {
						s.Renew(t.Context(), next)
					}
				})
				time.Sleep(time.Until(end) + 29500*time.Millisecond)
				s.Close()
				synctest.Wait()
				close(asked)
				var got []time.Duration
				for left := range asked {
					got = append(got, left)
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("asked so long before the end: %v, want %v", got[:min(len(got), 9)], tt.want)
				}
			})
		})
	}
}

// A newer answer is no renewal: it warns of an end that is where it was no second time.
func TestSession_OnExpiring_NewerAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, func(cfg *oidcauth.Config) { cfg.Leeway = -1 })
		ends := time.Now().Add(time.Hour)
		say := func() { d.set(opaqueToken, d.answer(map[string]any{"exp": ends.Unix()}), nil) }
		say()
		s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
		var warned atomic.Int64
		s.OnExpiring(30*time.Minute, func() { warned.Add(1) })
		expect := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if n := warned.Load(); n != want {
				t.Errorf("%s: warned %d times, want %d", when, n, want)
			}
		}
		time.Sleep(29 * time.Minute)
		expect("before it is time", 0)
		time.Sleep(2 * time.Minute)
		expect("when it is", 1)
		time.Sleep(10 * time.Minute)
		expect("after ten more answers", 1)
		next := d.trusted
		next.Roles = []oidcauth.Path{{"groups"}}
		if err := d.auth.SetIssuers(next, d.local.Issuer()); err != nil {
			t.Fatal(err)
		}
		expect("by another description", 1)
		if _, err := s.Renew(t.Context(), opaqueToken); err != nil {
			t.Fatal(err)
		}
		expect("at a renewal by the same token", 1)
		time.Sleep(time.Until(ends)/2 + time.Second)
		expect("when half of what was left has passed", 2)
		ends = ends.Add(time.Hour)
		say()
		time.Sleep(2 * time.Minute)
		expect("with a later end", 2)
		time.Sleep(time.Until(ends) - 29*time.Minute)
		expect("half an hour before that", 3)
		expectEnd(t, s, nil)
	})
}

// A session that ends while the token of its renewal is judged says why it has ended, and
// not what else stands against that token by then.
func TestSession_Renew_EndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoundInspector(t)
		var judged atomic.Int64
		began, goOn := make(chan bool), make(chan bool)
		next := b.trusted
		next.Rules = []oidcauth.Rule{func(c *oidcauth.Claims) error {
			if c.TokenID() == "next" && judged.Add(1) == 1 {
				began <- true
				<-goOn
			}
			return nil
		}}
		if err := b.auth.SetIssuers(next, b.local.Issuer()); err != nil {
			t.Fatal(err)
		}
		s := b.sessions(t, 1)[0]
		b.set("op_next", b.answer(map[string]any{"jti": "next"}), nil)
		proof := possession.Proof{DPoP: b.client.Proof("POST", callURL, "op_next", map[string]any{"nonce": s.Nonce()})}
		renewed := make(chan error)
		go func() {
			_, err := s.Renew(possession.NewContext(t.Context(), proof), "op_next")
			renewed <- err
		}()
		<-began
		revoke(t, b.auth, oidcauth.Revocation{TokenID: "of " + opaqueToken})
		goOn <- true
		if err := <-renewed; !errors.Is(err, oidcauth.ErrRevoked) {
			t.Errorf("Renew() error = %v, want %v", err, oidcauth.ErrRevoked)
		}
		expectEnd(t, s, oidcauth.ErrRevoked)
	})
}

// A program's function that panics when a session is about to expire ends neither the
// process nor the session, and is a line without what it panicked with.
func TestSession_OnExpiring_Panics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		log := new(logBuffer)
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		var called atomic.Int32
		s.OnExpiring(time.Minute, func() {
			called.Add(1)
			panic("a secret")
		})
		s.OnExpiring(time.Minute, func() {
			called.Add(1)
			runtime.Goexit()
		})
		time.Sleep(time.Until(s.Claims().Expiry()))
		synctest.Wait()
		expectEnd(t, s, nil)
		text := log.String()
		if called.Load() != 2 || strings.Count(text, "OnExpiring panicked") != 1 || !strings.Contains(text, "session_renew_test.go:") || strings.Contains(text, "a secret") {
			t.Errorf("%d were called, logged %q, want both, and where one panicked", called.Load(), text)
		}
	})
}

// A renewal is on the account of whoever the session was begun for: a flood of callers
// whose address is not known keeps out nobody who has one, though the handler that reads
// the socket renews with a context that has none.
func TestSession_Renew_Account(t *testing.T) {
	for _, tt := range []struct {
		name         string
		begun, renew string // the addresses of the two contexts, if they have one
		want         error
	}{
		{"of the session", "198.51.100.7", "", nil},
		{"of the renewal itself", "192.0.2.1", "198.51.100.7", nil},
		{"of the renewal itself, which floods", "198.51.100.7", "192.0.2.1", oidcauth.ErrAnswerUnavailable},
		{"of nobody", "", "", oidcauth.ErrAnswerUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newInspector(t, nil)
				from := func(addr string) context.Context {
					if addr == "" {
						return t.Context()
					}
					return oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr(addr))
				}
				s := d.auth.NewSession(from(tt.begun), authenticate(t, d.auth, opaqueToken))
				defer s.Close()
				const next = "op_next"
				d.set(next, d.answer(nil), nil)
				d.takes.Store(int64(time.Second))
				var flood sync.WaitGroup
				for _, ctx := range []context.Context{from(""), from("192.0.2.1")} {
					for n := range 200 {
						flood.Go(func() { _, _ = d.auth.Authenticate(ctx, fmt.Sprintf("op_made_up_%d", n)) })
					}
				}
				synctest.Wait()
				if _, err := s.Renew(from(tt.renew), next); !errors.Is(err, tt.want) {
					t.Errorf("Renew() error = %v, want %v", err, tt.want)
				}
				flood.Wait()
			})
		})
	}
}
