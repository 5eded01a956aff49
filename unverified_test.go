package oidcauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/oidcauth/oidcauth"
)

// wantsReplay fails the test unless the payload of live claims gives the same
// claims again, with nothing verified.
func wantsReplay(t *testing.T, a *oidcauth.Authenticator, live *oidcauth.Claims) {
	t.Helper()
	got, err := a.UnverifiedClaims(live.Payload(), nil)
	if err != nil {
		t.Fatalf("UnverifiedClaims() error = %v", err)
	}
	if got.Identity() != live.Identity() || got.Issuer() != live.Issuer() || got.Subject() != live.Subject() ||
		!got.Expiry().Equal(live.Expiry()) || got.KeyID() != "" ||
		!slices.Equal(slices.Collect(got.Roles()), slices.Collect(live.Roles())) ||
		!slices.Equal(slices.Collect(got.Scopes()), slices.Collect(live.Scopes())) {
		t.Errorf("of %s replayed: issuer %q, subject %q, roles %q, scopes %q, want %q, %q, %q, %q", live.Payload(),
			got.Issuer(), got.Subject(), slices.Collect(got.Roles()), slices.Collect(got.Scopes()),
			live.Issuer(), live.Subject(), slices.Collect(live.Roles()), slices.Collect(live.Scopes()))
	}
	s := a.NewSession(context.Background(), got)
	expectEnd(t, s, oidcauth.ErrSignature)
}

// A replay gives a stranger what the token had: no roles and scopes, unless
// AnyIssuer grants them; and a configured issuer's caller what its description
// says. It needs no issuer.
func TestAuthenticator_UnverifiedClaims(t *testing.T) {
	for _, grants := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuers, client := strangers(t, 2)
			settings := oidcauth.AnyIssuer{KeepScopes: grants}
			if grants {
				settings.Roles = []oidcauth.Path{{"roles"}}
			}
			cfg := open(client, settings)
			cfg.Issuers = []oidcauth.Issuer{{
				URL: issuers[1].URL(), Aliases: []string{"alias"}, Audiences: []string{testAudience},
				Roles: []oidcauth.Path{{"groups"}}, Subject: []oidcauth.Path{{"oid"}},
			}}
			a, later := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
			claims := map[string]any{
				"roles": []string{"admin"}, "groups": []string{"readers"}, "scope": "write", "oid": "object-1",
			}
			stranger := wants(t, a, issuers[0].Token(claims), nil)
			if stranger.HasRole("admin") != grants || stranger.HasScope("write") != grants {
				t.Fatal("the test's own expectation of AnyIssuer is wrong")
			}
			known := wants(t, a, issuers[1].Token(claims), nil)
			claims["iss"] = "alias"
			alias := wants(t, a, issuers[1].Token(claims), nil)
			fetches := issuers[0].Fetches()
			for _, live := range []*oidcauth.Claims{stranger, known, alias} {
				wantsReplay(t, a, live)
				wantsReplay(t, later, live)
			}
			if got := issuers[0].Fetches(); got != fetches {
				t.Errorf("a replay costs fetches: %+v, before %+v", got, fetches)
			}
			if known, _, _ := oidcauth.OpenIssuers(later); known != 0 {
				t.Errorf("a replay makes the server remember %d issuers", known)
			}
			a.Close()
			wantsReplay(t, a, stranger)
		})
	}
}

// Payloads that no accepted token can have had.
func TestAuthenticator_UnverifiedClaims_Refuses(t *testing.T) {
	trusted := oidcauth.Issuer{URL: "https://issuer.test", Audiences: []string{"x"}}
	closed := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	opened := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, AnyIssuer: &oidcauth.AnyIssuer{
		Audiences: []string{"x"}, Accept: func(string) bool { return false }, // is not asked
	}})
	tests := []struct {
		name, payload  string
		closed, opened error
	}{
		{"a configured issuer", `{"iss":"https://issuer.test","sub":"a","exp":1}`, nil, nil},
		{"a stranger's", `{"iss":"https://stranger.test","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, nil},
		{"a stranger's over http", `{"iss":"http://stranger.test","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a stranger's with a query", `{"iss":"https://stranger.test?a=b","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a stranger's with the separator", `{"iss":"https://stranger.test/|b","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"a bare word", `{"iss":"localhost","sub":"a","exp":1}`, oidcauth.ErrUnknownIssuer, oidcauth.ErrUnknownIssuer},
		{"no issuer", `{"sub":"a","exp":1}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
		{"no subject", `{"iss":"https://issuer.test","exp":1}`, oidcauth.ErrClaim, oidcauth.ErrClaim},
		{"not JSON", `{`, oidcauth.ErrMalformedToken, oidcauth.ErrMalformedToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := closed.UnverifiedClaims([]byte(tt.payload), nil); !errors.Is(err, tt.closed) {
				t.Errorf("error = %v, want %v", err, tt.closed)
			}
			if _, err := opened.UnverifiedClaims([]byte(tt.payload), nil); !errors.Is(err, tt.opened) {
				t.Errorf("with AnyIssuer: error = %v, want %v", err, tt.opened)
			}
		})
	}
}

// Each tenant is the issuer of its own callers in a replay too.
func TestAuthenticator_UnverifiedClaims_Tenant(t *testing.T) {
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{newTenantKeys(t).trusted}})
	c, err := a.UnverifiedClaims([]byte(`{"iss":"`+tenantURL(tenantB)+`","tid":"`+tenantB+`","sub":"a","exp":1}`), nil)
	if err != nil || c.Issuer() != tenantURL(tenantB) {
		t.Fatalf("got %v, %v, want claims of the tenant", c, err)
	}
	if _, err := a.UnverifiedClaims([]byte(`{"iss":"`+tenantURL(tenantB)+`","tid":"`+tenantA+`","sub":"a","exp":1}`), nil); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("of another tenant: error = %v, want %v", err, oidcauth.ErrClaim)
	}
}
