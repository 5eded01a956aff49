package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Close waits for a function that is asked about an opaque token.
func TestIntrospect_CloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Bool
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].Introspect = func(ctx context.Context, _ string) (json.RawMessage, error) {
				running.Store(true)
				defer running.Store(false)
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil, ctx.Err()
			}
		})
		go func() { _, _ = d.auth.Authenticate(context.Background(), opaqueToken) }()
		synctest.Wait()
		if !running.Load() {
			t.Fatal("nobody is asked")
		}
		if d.auth.Close(); running.Load() {
			t.Error("the function runs after Close")
		}
	})
}

// Functions that do not return when they are told to hold up Close for as long as one of
// them does, however many issuers they are of.
func TestIntrospect_CloseWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const issuers = 8
		var running atomic.Int32
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Issuers = nil
			for n := range issuers {
				cfg.Issuers = append(cfg.Issuers, oidcauth.Issuer{
					URL: fmt.Sprintf("https://issuer%d.test", n), Audiences: []string{testAudience}, OpaquePrefix: fmt.Sprintf("op%d_", n),
					Introspect: func(context.Context, string) (json.RawMessage, error) {
						running.Add(1)
						time.Sleep(time.Hour)
						return nil, nil
					},
				})
			}
		})
		for n := range issuers {
			go func() { _, _ = d.auth.Authenticate(context.Background(), fmt.Sprintf("op%d_token", n)) }()
		}
		synctest.Wait()
		if n := running.Load(); n != issuers {
			t.Fatalf("%d are asked, want %d", n, issuers)
		}
		began := time.Now()
		d.auth.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v, want %v", took, 5*time.Second)
		}
		time.Sleep(time.Hour) // until they have returned
	})
}

// So it is with functions that supplement tokens.
func TestSupplement_CloseWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const descriptions = 4
		issuer, trusted := newIssuer(t, oidctest.Config{})
		cfg := oidcauth.Config{Client: issuer.Client()}
		var running atomic.Int32
		var tokens []string
		for n := range descriptions {
			audience := fmt.Sprintf("db%d", n)
			trusted.Name, trusted.Audiences = audience, []string{audience}
			trusted.Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) {
				running.Add(1)
				time.Sleep(time.Hour)
				return nil, nil
			}
			cfg.Issuers = append(cfg.Issuers, trusted)
			tokens = append(tokens, issuer.Token(map[string]any{"aud": audience}))
		}
		a := newAuthenticator(t, cfg)
		for _, token := range tokens {
			go func() { _, _ = a.Authenticate(context.Background(), token) }()
		}
		synctest.Wait()
		if n := running.Load(); n != descriptions {
			t.Fatalf("%d are asked, want %d", n, descriptions)
		}
		began := time.Now()
		a.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("Close took %v, want %v", took, 5*time.Second)
		}
		time.Sleep(time.Hour) // until they have returned
	})
}

// Sessions end as Close begins, and not behind what that waits for: no revocation reaches
// them any more.
func TestSession_EndsAsCloseBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		trusted.Supplement = func(_ context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
			if c.Subject() == "bob" {
				time.Sleep(time.Hour)
			}
			return nil, nil
		}
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		s := a.NewSession(t.Context(), authenticate(t, a, issuer.Token(nil)))
		go func() { _, _ = a.Authenticate(context.Background(), issuer.Token(map[string]any{"sub": "bob"})) }()
		synctest.Wait()
		began := time.Now()
		go a.Close()
		<-s.Context().Done()
		if took := time.Since(began); took != 0 || !errors.Is(context.Cause(s.Context()), oidcauth.ErrClosed) {
			t.Errorf("ended after %v with %v, want at once with ErrClosed", took, context.Cause(s.Context()))
		}
		time.Sleep(time.Hour) // until the question has returned
	})
}

// A token that was good stands in no line with those that nobody knows, until it was
// found to be good no more: then its bearer is one of many.
func TestIntrospect_NoLongerGood(t *testing.T) {
	for _, turned := range []bool{false, true} {
		t.Run(fmt.Sprintf("found to be good no more %t", turned), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newInspector(t, nil)
				authenticate(t, d.auth, opaqueToken)
				time.Sleep(time.Minute)
				if turned {
					d.set(opaqueToken, `{"active":false}`, nil)
					wants(t, d.auth, opaqueToken, oidcauth.ErrRevoked)
					time.Sleep(2 * time.Second)
				}
				d.takes.Store(int64(4 * time.Second))
				mallory := oidcauth.WithCallerAddr(t.Context(), netip.MustParseAddr("192.0.2.1"))
				var flood sync.WaitGroup
				for n := range 80 {
					flood.Go(func() { _, _ = d.auth.Authenticate(mallory, fmt.Sprintf("op_made_up%d", n)) })
				}
				synctest.Wait()
				before := d.asked.Load()
				flood.Go(func() { _, _ = d.auth.Authenticate(mallory, opaqueToken) })
				synctest.Wait()
				if asked := d.asked.Load() - before; (asked == 0) != turned {
					t.Errorf("asked %d times at once about the token", asked)
				}
				flood.Wait()
			})
		})
	}
}
