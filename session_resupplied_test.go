package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What was supplied about an opaque token was about whom its issuer said that it is: where
// the issuer's next answer says otherwise, the program is asked about that.
func TestIntrospect_SuppliedForWhomItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name   string
			change map[string]any
			want   string
		}{
			{"another caller's", map[string]any{"sub": "mallory"}, "own+mallory+"},
			{"with other claims", map[string]any{"tenant": "lesser"}, "own+alice+lesser"},
		} {
			d := newInspector(t, func(cfg *oidcauth.Config) {
				cfg.Issuers[0].Supplement = func(_ context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
					tenant, _ := c.LookupString("tenant")
					return json.RawMessage(fmt.Sprintf(`{"roles":[%q]}`, c.Subject()+"+"+tenant)), nil
				}
			})
			s := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			time.Sleep(25 * time.Second)
			d.set(opaqueToken, d.answer(tt.change), nil)
			d.nextQuestion() // for the sake of the session, while what was supplied counts
			synctest.Wait()
			if got := roles(authenticate(t, d.auth, opaqueToken)); got != tt.want {
				t.Errorf("%s: the roles are %q, want %q", tt.name, got, tt.want)
			}
			s.Close()
			d.auth.Close()
		}
	})
}

// So it is where the question about the first is under way when the issuer says otherwise.
func TestIntrospect_SuppliedForWhomItIsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newInspector(t, func(cfg *oidcauth.Config) {
			cfg.Issuers[0].Supplement = func(_ context.Context, c *oidcauth.Claims, _ string) (json.RawMessage, error) {
				time.Sleep(3 * time.Second)
				return json.RawMessage(fmt.Sprintf(`{"roles":[%q]}`, c.Subject())), nil
			}
		})
		go d.auth.Authenticate(t.Context(), opaqueToken)
		time.Sleep(2 * time.Second)
		d.set(opaqueToken, d.answer(map[string]any{"sub": "mallory"}), nil)
		if got, want := roles(authenticate(t, d.auth, opaqueToken)), "own+mallory"; got != want {
			t.Errorf("the roles are %q, want %q", got, want)
		}
	})
}

// A subscription goes on when nobody can tell the roles for a while, with the change that
// came meanwhile, and ends with its session also where that ends for the same reason.
func TestExampleSubscription_Outage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, opaque := range []bool{false, true} {
			var down atomic.Bool
			answer := func() (json.RawMessage, error) {
				if down.Load() {
					return nil, errors.New("the directory is down")
				}
				return json.RawMessage(`{"roles":"reader"}`), nil
			}
			d := newInspector(t, func(cfg *oidcauth.Config) {
				ask := cfg.Issuers[0].Introspect
				cfg.Issuers[0].Introspect = func(ctx context.Context, token string) (json.RawMessage, error) {
					if _, err := answer(); opaque && err != nil {
						return nil, err
					}
					return ask(ctx, token)
				}
				cfg.Issuers[0].Supplement = func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return answer() }
			})
			d.set(opaqueToken, d.answer(map[string]any{"exp": time.Now().Add(oidctest.TokenLifetime).Unix()}), nil)
			session := d.auth.NewSession(t.Context(), authenticate(t, d.auth, opaqueToken))
			changes, ended := make(chan string, 2), make(chan error, 1)
			var sent atomic.Int32
			go func() { ended <- push(session, oidcauth.HasRole("reader"), changes, func(string) { sent.Add(1) }) }()
			changes <- "before"
			time.Sleep(2 * time.Minute)
			down.Store(true)
			time.Sleep(time.Minute) // until the last answer counts no more
			changes <- "meanwhile"
			time.Sleep(time.Minute)
			if sent.Load() != 1 || len(ended) > 0 {
				t.Errorf("opaque %t: %d changes sent in an outage, %d subscriptions ended", opaque, sent.Load(), len(ended))
			}
			if !opaque {
				down.Store(false)
				time.Sleep(10 * time.Second)
				if sent.Load() != 2 {
					t.Errorf("%d changes sent after the outage", sent.Load())
				}
				session.Close()
			}
			time.Sleep(10 * time.Minute) // in which a session of an opaque token has no answer any more
			select {
			case err := <-ended:
				if want := context.Cause(session.Context()); !errors.Is(err, want) || opaque != errors.Is(want, oidcauth.ErrAnswerUnavailable) {
					t.Errorf("opaque %t: push() = %v, want %v", opaque, err, want)
				}
			default:
				t.Errorf("opaque %t: a subscription goes on without its session", opaque)
			}
			d.auth.Close()
		}
	})
}
