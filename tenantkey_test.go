package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// A session lives on while its key may vouch for its tenant's tokens, whatever
// else is said of the key, and no longer.
func TestSession_KeyDescribedAnew(t *testing.T) {
	const other = "https://issuer.test/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0"
	for _, tt := range []struct {
		name   string
		before string
		change func(jwk map[string]any)
		want   error
	}{
		{"nothing but a name added", template, func(jwk map[string]any) { jwk["x5t"] = "AAAA" }, nil},
		{"use left out", template, func(jwk map[string]any) { delete(jwk, "use") }, nil},
		{"algorithm left out", template, func(jwk map[string]any) { delete(jwk, "alg") }, nil},
		{"operations added", template, func(jwk map[string]any) { jwk["key_ops"] = []string{"verify"} }, nil},
		{"given to its own tenant", template, func(jwk map[string]any) { jwk["issuer"] = tenantURL(tenantA) }, nil},
		{"given to all tenants", tenantURL(tenantA), func(jwk map[string]any) { jwk["issuer"] = template }, nil},
		{"given to another tenant", template, func(jwk map[string]any) { jwk["issuer"] = other }, oidcauth.ErrUnknownKey},
		{"moved to another tenant", tenantURL(tenantA), func(jwk map[string]any) { jwk["issuer"] = other }, oidcauth.ErrUnknownKey},
		{"of no tenant", template, func(jwk map[string]any) { delete(jwk, "issuer") }, oidcauth.ErrUnknownKey},
		{"for encryption now", template, func(jwk map[string]any) { jwk["use"] = "enc" }, oidcauth.ErrUnknownKey},
		{"for signing alone now", template, func(jwk map[string]any) { jwk["key_ops"] = []string{"sign"} }, oidcauth.ErrUnknownKey},
		{"for another algorithm now", template, func(jwk map[string]any) { jwk["alg"] = "ES384" }, oidcauth.ErrUnknownKey},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer, trusted := discoveredTenants(t, template)
				key, spare := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}), issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
				publish := func(change func(jwk map[string]any)) {
					jwk := map[string]any{}
					if err := json.Unmarshal(key.JWK(), &jwk); err != nil {
						t.Fatal(err)
					}
					jwk["issuer"] = tt.before
					change(jwk)
					issuer.RemoveKeys()
					issuer.AddJWK(jwk)
					publishFor(t, issuer, spare, template)
				}
				publish(func(map[string]any) {})
				a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
				claims, err := a.Authenticate(t.Context(), key.Token(map[string]any{
					"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience, "exp": time.Now().Add(100 * time.Hour).Unix(),
				}))
				if err != nil {
					t.Fatal(err)
				}
				s := a.NewSession(t.Context(), claims)
				defer s.Close()
				publish(tt.change)
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if cause := context.Cause(s.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("the session's cause is %v, want %v", cause, tt.want)
				}
				late := a.NewSession(t.Context(), claims)
				defer late.Close()
				if cause := context.Cause(late.Context()); !errors.Is(cause, tt.want) {
					t.Errorf("a session begun after that: its cause is %v, want %v", cause, tt.want)
				}
			})
		})
	}
}

// An issuer of one tenant may say whose its keys are, or not, as it likes.
func TestSession_KeyNamesItsIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
		key := issuer.Key()
		claims, err := a.Authenticate(t.Context(), key.Token(map[string]any{"exp": time.Now().Add(100 * time.Hour).Unix()}))
		if err != nil {
			t.Fatal(err)
		}
		s := a.NewSession(t.Context(), claims)
		defer s.Close()
		issuer.RemoveKeys()
		publishFor(t, issuer, key, issuer.URL())
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if err := s.Context().Err(); err != nil {
			t.Errorf("the session has ended: %v", context.Cause(s.Context()))
		}
	})
}
