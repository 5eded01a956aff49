package oidcauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
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
