package oidcauth_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// An issuerOption is one field of an Issuer at work: the same token meets an
// Authenticator that has the option and one that has not.
type issuerOption struct {
	name          string
	prepare       func(*oidctest.Issuer)
	token         func(*oidctest.Issuer) string
	set           func(*oidctest.Issuer, *oidcauth.Issuer)
	without, with error
	check         func(*oidctest.Issuer, *oidcauth.Claims) bool // of the accepted claims; nil accepts any
}

func tokenOf(claims map[string]any) func(*oidctest.Issuer) string {
	return func(i *oidctest.Issuer) string { return i.Token(claims) }
}

func discoveryDown(i *oidctest.Issuer) { i.Fail(oidctest.Discovery, oidctest.Fault{Status: 404}) }

func allDown(i *oidctest.Issuer) {
	for _, at := range []oidctest.Endpoint{oidctest.Discovery, oidctest.JWKS, oidctest.Other} {
		i.Fail(at, oidctest.Fault{Refuse: true})
	}
}

func issuerOptions() []issuerOption {
	return append(trustOptions(), sourceOptions()...)
}

// trustOptions decide whose tokens are accepted.
func trustOptions() []issuerOption {
	return []issuerOption{
		{
			name:  "Aliases, with the identity of the canonical name",
			token: tokenOf(map[string]any{"iss": "issuer.test"}),
			set:   func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Aliases = []string{"old.test", "issuer.test"} }, without: oidcauth.ErrUnknownIssuer,
			check: func(i *oidctest.Issuer, c *oidcauth.Claims) bool {
				return c.Issuer() == i.URL() && c.Identity() == identity.New(i.URL(), "alice")
			},
		},
		{
			name: "Audiences, the second of two", token: tokenOf(map[string]any{"aud": "second"}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Audiences = []string{"first", "second"} }, without: oidcauth.ErrAudience,
		},
		{
			name: "Audiences, replaced", token: tokenOf(nil),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Audiences = []string{"first", "second"} }, with: oidcauth.ErrAudience,
		},
		{
			name: "InsecureAnyAudience", token: tokenOf(map[string]any{"aud": "x"}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }, without: oidcauth.ErrAudience,
		},
		{
			name: "InsecureAnyAudience, no audience", token: tokenOf(map[string]any{"aud": nil}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }, without: oidcauth.ErrAudience,
		},
		{
			name: "AudienceClaim", token: tokenOf(map[string]any{"aud": nil, "client_id": testAudience}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.AudienceClaim = "client_id" }, without: oidcauth.ErrAudience,
		},
		{
			name: "AudienceClaim, so that aud counts no more", token: tokenOf(map[string]any{"client_id": "x"}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.AudienceClaim = "client_id" }, with: oidcauth.ErrAudience,
		},
		{
			name: "AudienceClaim of aud is the default", token: tokenOf(map[string]any{"client_id": "x"}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.AudienceClaim = "aud" },
		},
		{
			name: "Algorithms, narrowed", token: tokenOf(nil),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Algorithms = []string{"RS256", "EdDSA"} }, with: oidcauth.ErrAlgorithm,
		},
		{
			name: "Algorithms, by the new name of EdDSA",
			prepare: func(i *oidctest.Issuer) {
				k := i.NewKey(oidctest.KeyConfig{Algorithm: "EdDSA", JWK: map[string]any{"alg": nil}})
				i.Publish(k)
				i.SignWith(k)
			},
			token: func(i *oidctest.Issuer) string {
				return hostile.Sign(i.Key(), hostile.Header(i.Key()).Set("alg", `"Ed25519"`), hostile.Claims(i.URL()))
			},
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Algorithms = []string{"Ed25519"} }, without: oidcauth.ErrAlgorithm,
		},
		{
			name: "TokenTypes",
			token: func(i *oidctest.Issuer) string {
				return hostile.Sign(i.Key(), hostile.Header(i.Key()).Set("typ", `"at+jwt"`), hostile.Claims(i.URL()))
			},
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.TokenTypes = []string{"Application/AT+JWT"} }, without: oidcauth.ErrTokenType,
		},
		{
			name: "TokenTypes, so that JWT counts no more", token: tokenOf(nil),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.TokenTypes = []string{"at+jwt"} }, with: oidcauth.ErrTokenType,
		},
		{
			name: "Subject", token: tokenOf(map[string]any{"sub": nil, "tenant": "t", "user": map[string]any{"id": "u"}}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"tenant"}, {"user", "id"}} }, without: oidcauth.ErrClaim,
			check: func(i *oidctest.Issuer, c *oidcauth.Claims) bool {
				return c.Subject() == "t|u" && c.Identity() == identity.New(i.URL(), "t|u")
			},
		},
		{
			name: "Rules", token: tokenOf(nil),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{oidcauth.HasScope("db")} }, with: oidcauth.ErrRule,
		},
		{
			name: "Rules, the second of two", token: tokenOf(map[string]any{"scope": "db"}),
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) {
				i.Rules = []oidcauth.Rule{oidcauth.HasScope("db"), oidcauth.HasScope("write")}
			}, with: oidcauth.ErrRule,
		},
	}
}

// sourceOptions say where an issuer's keys come from.
func sourceOptions() []issuerOption {
	return []issuerOption{
		{
			name: "DiscoveryURL", prepare: discoveryDown, token: tokenOf(nil),
			set: func(s *oidctest.Issuer, i *oidcauth.Issuer) {
				i.Keys.DiscoveryURL = s.URL() + "/moved/.well-known/openid-configuration"
			}, without: oidcauth.ErrKeysUnavailable,
		},
		{
			name: "JWKSURL, no discovery", prepare: discoveryDown, token: tokenOf(nil),
			set:     func(s *oidctest.Issuer, i *oidcauth.Issuer) { i.Keys.JWKSURL = s.JWKSURL() },
			without: oidcauth.ErrKeysUnavailable,
		},
		{
			name: "JWKS, no network", prepare: allDown, token: tokenOf(nil),
			set:     func(s *oidctest.Issuer, i *oidcauth.Issuer) { i.Keys.JWKS = s.KeySet() },
			without: oidcauth.ErrKeysUnavailable,
		},
		{
			name: "JWKS of other keys", token: tokenOf(nil),
			set:  func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Keys.JWKS = json.RawMessage(fixedJWKS) },
			with: oidcauth.ErrUnknownKey,
		},
	}
}

func TestIssuer_Options(t *testing.T) {
	for _, option := range issuerOptions() {
		t.Run(option.name, func(t *testing.T) {
			if option.prepare == nil {
				option.prepare = func(*oidctest.Issuer) {}
			}
			for _, isSet := range []bool{false, true} {
				issuer, trusted := newIssuer(t, oidctest.Config{})
				option.prepare(issuer)
				want := option.without
				if isSet {
					option.set(issuer, &trusted)
					want = option.with
				}
				a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
				c, err := a.Authenticate(t.Context(), option.token(issuer))
				if !errors.Is(err, want) {
					t.Fatalf("set %v: Authenticate() error = %v, want %v", isSet, err, want)
				}
				if isSet && err == nil && option.check != nil && !option.check(issuer, c) {
					t.Errorf("accepted as subject %q of %q", c.Subject(), c.Issuer())
				}
			}
		})
	}
}

// A source of keys that makes another needless leaves that other alone.
func TestIssuer_SourcesAreNotAsked(t *testing.T) {
	tests := []struct {
		name string
		set  func(*oidctest.Issuer, *oidcauth.Issuer)
		want oidctest.Fetches
	}{
		{"discovery", func(*oidctest.Issuer, *oidcauth.Issuer) {}, oidctest.Fetches{Discovery: 1, JWKS: 1}},
		{"JWKSURL", func(s *oidctest.Issuer, i *oidcauth.Issuer) { i.Keys.JWKSURL = s.JWKSURL() }, oidctest.Fetches{JWKS: 1}},
		{"JWKS", func(s *oidctest.Issuer, i *oidcauth.Issuer) { i.Keys.JWKS = s.KeySet() }, oidctest.Fetches{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			tt.set(issuer, &trusted)
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
				t.Fatal(err)
			}
			got := issuer.Fetches()
			if got.NoCache = 0; got != tt.want {
				t.Errorf("fetches = %+v, want %+v", got, tt.want)
			}
			issuer.Rotate()
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			if fixed := tt.name == "JWKS"; fixed != errors.Is(err, oidcauth.ErrUnknownKey) {
				t.Errorf("Authenticate() error = %v after a rotation", err)
			} else if fixed && issuer.Fetches() != tt.want {
				t.Errorf("fetches = %+v for an unknown key ID, want none", issuer.Fetches())
			}
		})
	}
}

// Roles are taken from where the issuer's description says, and only from there.
func TestIssuer_Roles(t *testing.T) {
	issuer, plain := newIssuer(t, oidctest.Config{})
	mapped := plain
	mapped.Roles = []oidcauth.Path{{"realm_access", "roles"}, {"groups"}}
	tok := issuer.Token(map[string]any{"roles": "a", "realm_access": map[string]any{"roles": []string{"b"}}, "groups": []string{"c"}})
	for _, tt := range []struct {
		trusted oidcauth.Issuer
		want    []string
	}{{plain, []string{"a"}}, {mapped, []string{"b", "c"}}} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{tt.trusted}, Client: issuer.Client()})
		c, err := a.Authenticate(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Collect(c.Roles()); !slices.Equal(got, tt.want) {
			t.Errorf("Roles() = %q, want %q", got, tt.want)
		}
	}
}

// http is spoken to a loopback address, by an issuer that is allowed it and by
// no other.
func TestIssuer_InsecureHTTP(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": testAudience}})
	issuer.Start()
	trusted := oidcauth.Issuer{URL: issuer.URL(), Audiences: []string{testAudience}}
	if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}); err == nil {
		a.Close()
		t.Error("New() accepted an http address")
	}
	trusted.Keys.InsecureHTTP = true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	if n := issuer.Fetches(); n.PlainHTTP != 2 {
		t.Errorf("fetches = %+v, want two without TLS", n)
	}
}
