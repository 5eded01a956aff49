package operate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/examples/guide/operate"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A server that gets no token before it is ready becomes ready by the keys of one issuer.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := oidctest.NewIssuer(t, oidctest.Config{URL: "https://players.example.com"})
		down := oidctest.NewIssuer(t, oidctest.Config{URL: "https://staff.example.com"})
		down.Fail(oidctest.Discovery, oidctest.Fault{Refuse: true})
		auth, err := operate.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{
				{URL: down.URL(), Audiences: []string{"my-db"}}, {URL: up.URL(), Audiences: []string{"my-db"}},
			},
			Client:   oidctest.Client(up, down),
			KeepWarm: true,
		}, new(operate.Metrics))
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		if operate.Ready(auth, down.URL(), up.URL()) {
			t.Error("ready before any key is in hand")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !operate.Ready(auth, down.URL(), up.URL()) || operate.Ready(auth, down.URL()) {
			t.Errorf("not ready by one issuer, or by one that is down: %q is not", auth.Unready())
		}
	})
}

// TestMetrics sees an issuer's keys come, grow old in an outage, and go.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{})
		var m operate.Metrics
		auth, err := operate.New(oidcauth.Config{
			Issuers:  []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}},
			Client:   issuer.Client(),
			KeepWarm: true,
		}, &m)
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		if err := auth.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if fetches, failed, state := m.Of(issuer.URL()); fetches == 0 || failed != 0 || state != authtrace.Fresh {
			t.Errorf("at first: got %d fetches, %d failed, state %q", fetches, failed, state)
		}
		issuer.Fail(oidctest.JWKS, oidctest.Fault{Status: 500})
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if _, failed, state := m.Of(issuer.URL()); failed == 0 || state != authtrace.Gone {
			t.Errorf("after two days without: got %d failed, state %q, want some and %q", failed, state, authtrace.Gone)
		}
	})
}

// A halting is a log whose contact is lost when told.
type halting struct {
	oidcauth.RevocationLog
	current chan bool
}

func (h halting) Follow(ctx context.Context, _ func(oidcauth.Revocation), caughtUp func(bool)) error {
	for {
		select {
		case current := <-h.current:
			caughtUp(current)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A server refuses every token until it knows what others revoked, and again when it has
// lost contact, which the issuers' keys do not tell.
func TestFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
		told := make(chan bool)
		log := &operate.Followed{RevocationLog: halting{current: told}}
		auth, err := oidcauth.New(oidcauth.Config{
			Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{"my-db"}}}, Client: issuer.Client(),
			KeepWarm: true, Revocations: log, RequireRevocations: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer auth.Close()
		time.Sleep(time.Second)
		for _, current := range []bool{false, true, false, true} {
			told <- current
			synctest.Wait()
			_, err := auth.Authenticate(t.Context(), issuer.Token(nil))
			if !operate.Ready(auth, issuer.URL()) || log.Known.Load() != current || (err == nil) != current {
				t.Errorf("contact %t: known %t, Authenticate() error = %v", current, log.Known.Load(), err)
			}
		}
		auth.Close()
		if log.Known.Load() {
			t.Error("known after Close")
		}
	})
}
