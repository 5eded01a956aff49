package oidcauth_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAuthenticate_IssuerSettings holds each setting of an issuer's description
// to what its comment says. A row without an error has a subject.
func TestAuthenticate_IssuerSettings(t *testing.T) {
	t.Parallel()
	dedicated := func(audiences ...string) func(*oidcauth.Issuer) {
		return func(i *oidcauth.Issuer) { i.DedicatedKeys, i.Audiences = true, audiences }
	}
	elseName := func(i *oidcauth.Issuer) { i.SubjectElse = []oidcauth.Path{{"name"}} }
	twoElseName := func(i *oidcauth.Issuer) {
		i.Subject, i.SubjectElse = []oidcauth.Path{{"a"}, {"b", "c"}}, []oidcauth.Path{{"name"}}
	}
	or := func(i *oidcauth.Issuer) {
		i.ClaimRules = []oidcauth.ClaimRule{{
			Claim: oidcauth.Path{"scp"}, Present: true,
			Or: []oidcauth.ClaimRule{
				{Claim: oidcauth.Path{"roles"}, Present: true},
				{Claim: oidcauth.Path{"kind"}, In: []string{"x"}},
			},
		}}
	}
	null := json.RawMessage("null")
	tests := []struct {
		name    string
		change  func(*oidcauth.Issuer)
		claims  map[string]any
		subject string
		want    error
	}{
		{"dedicated keys, no audience", dedicated(), map[string]any{"aud": nil}, "alice", nil},
		{"dedicated keys, an audience", dedicated(), map[string]any{"aud": "x"}, "", oidcauth.ErrAudience},
		{"dedicated keys, an empty list", dedicated(), map[string]any{"aud": []string{}}, "", oidcauth.ErrAudience},
		{"dedicated keys, audience null", dedicated(), map[string]any{"aud": null}, "", oidcauth.ErrClaim},
		{"dedicated keys and a name, no audience", dedicated("x"), map[string]any{"aud": nil}, "alice", nil},
		{"dedicated keys and a name, that name", dedicated("x"), map[string]any{"aud": "x"}, "alice", nil},
		{"dedicated keys and a name, another", dedicated("x"), map[string]any{"aud": "y"}, "", oidcauth.ErrAudience},
		{"no dedicated keys, no audience", func(*oidcauth.Issuer) {}, map[string]any{"aud": nil}, "", oidcauth.ErrAudience},

		{"first subject", elseName, map[string]any{"name": "bot"}, "alice", nil},
		{"second subject for a missing one", elseName, map[string]any{"sub": nil, "name": "bot"}, "bot", nil},
		{"second subject for an empty one", elseName, map[string]any{"sub": "", "name": "bot"}, "bot", nil},
		{"neither subject", elseName, map[string]any{"sub": ""}, "", oidcauth.ErrClaim},
		{"second subject not a string", elseName, map[string]any{"sub": "", "name": 7}, "", oidcauth.ErrClaim},
		{"first subject null", elseName, map[string]any{"sub": null, "name": "bot"}, "", oidcauth.ErrClaim},
		{"both parts of the first", twoElseName, map[string]any{"a": "1", "b": map[string]any{"c": "2"}, "name": "bot"}, "1|2", nil},
		{"no part of the first", twoElseName, map[string]any{"a": "", "b": map[string]any{}, "name": "bot"}, "bot", nil},
		{"one part of the first", twoElseName, map[string]any{"a": "1", "name": "bot"}, "", oidcauth.ErrClaim},
		{"the other part of the first", twoElseName, map[string]any{"b": map[string]any{"c": "2"}, "name": "bot"}, "", oidcauth.ErrClaim},
		{"part of the first a number", twoElseName, map[string]any{"a": 1, "name": "bot"}, "", oidcauth.ErrClaim},
		{"part of the first null", twoElseName, map[string]any{"a": null, "name": "bot"}, "", oidcauth.ErrClaim},
		{"part of the first inside a string", twoElseName, map[string]any{"b": "x", "name": "bot"}, "", oidcauth.ErrClaim},

		{"the rule itself", or, map[string]any{"scp": "read"}, "alice", nil},
		{"the first beside it", or, map[string]any{"roles": []string{"r"}}, "alice", nil},
		{"the second beside it", or, map[string]any{"kind": "x"}, "alice", nil},
		{"all of them", or, map[string]any{"scp": "read", "roles": []string{"r"}, "kind": "x"}, "alice", nil},
		{"none of them", or, map[string]any{"kind": "y"}, "", oidcauth.ErrRule},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			tt.change(&trusted)
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
			c, err := a.Authenticate(t.Context(), issuer.Token(tt.claims))
			if !errors.Is(err, tt.want) {
				t.Fatalf("Authenticate() error = %v, want %v", err, tt.want)
			}
			if err == nil && (c.Subject() != tt.subject || c.Identity() != identity.New(issuer.URL(), tt.subject)) {
				t.Errorf("Subject() = %q, want %q", c.Subject(), tt.subject)
			}
		})
	}
}

func TestAuthenticate_RequireKeyID(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for _, required := range []bool{false, true} {
		trusted.Keys.RequireKeyID = required
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
			t.Errorf("required %v: Authenticate(with key ID) error = %v", required, err)
		}
		var want error
		if required {
			want = oidcauth.ErrUnknownKey
		}
		if _, err := a.Authenticate(t.Context(), issuer.Key().WithID("").Token(nil)); !errors.Is(err, want) {
			t.Errorf("required %v: Authenticate(without key ID) error = %v, want %v", required, err, want)
		}
	}
}

// New copies the description to its depth: what the caller does with its lists
// afterwards changes nothing.
func TestNew_CopiesIssuer(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	subject, or := oidcauth.Path{"name"}, []string{"x"}
	trusted.SubjectElse = []oidcauth.Path{subject}
	trusted.ClaimRules = []oidcauth.ClaimRule{{
		Claim: oidcauth.Path{"absent"}, Present: true,
		Or: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"kind"}, In: or}},
	}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	subject[0], or[0] = "admin", "y"
	c, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"sub": nil, "name": "bot", "admin": "root", "kind": "x"}))
	if err != nil || c.Subject() != "bot" {
		t.Errorf("Authenticate() error = %v, subject %v, want the description as it was given to New", err, c)
	}
}

// A report says what was asked of the audience, whatever took its place.
func TestExplain_WantedAudience(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*oidcauth.Issuer)
		want   string
	}{
		{"one audience", func(*oidcauth.Issuer) {}, `"my-db"`},
		{"another claim", func(i *oidcauth.Issuer) { i.AudienceClaim = "azp" }, `"my-db" in "azp"`},
		{"dedicated keys", func(i *oidcauth.Issuer) { i.DedicatedKeys, i.Audiences = true, nil }, "no audience (DedicatedKeys)"},
		{"dedicated keys and an audience", func(i *oidcauth.Issuer) { i.DedicatedKeys = true }, `no audience (DedicatedKeys), or "my-db"`},
	}
	for _, tt := range tests {
		issuer, trusted := newIssuer(t, oidctest.Config{})
		tt.change(&trusted)
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
		for _, claims := range []map[string]any{{"aud": "x", "azp": "x"}, {"aud": nil, "azp": testAudience}} {
			for _, step := range a.Explain(t.Context(), issuer.Token(claims)).Steps {
				if step.Check == "audience" && step.Want != tt.want {
					t.Errorf("%s, %v: audience %s, want %q, expected %q", tt.name, claims, step.Verdict, step.Want, tt.want)
				}
			}
		}
	}
}

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
			name: "Algorithms, without the new name of EdDSA",
			prepare: func(i *oidctest.Issuer) {
				k := i.NewKey(oidctest.KeyConfig{Algorithm: "EdDSA", JWK: map[string]any{"alg": nil}})
				i.Publish(k)
				i.SignWith(k)
			},
			token: func(i *oidctest.Issuer) string {
				return hostile.Sign(i.Key(), hostile.Header(i.Key()).Set("alg", `"Ed25519"`), hostile.Claims(i.URL()))
			},
			set: func(_ *oidctest.Issuer, i *oidcauth.Issuer) { i.Algorithms = []string{"EdDSA"} }, with: oidcauth.ErrAlgorithm,
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// rolesOf returns the roles that claims grant by an issuer's description.
func rolesOf(t *testing.T, claims string, trusted oidcauth.Issuer) []string {
	t.Helper()
	trusted.URL, trusted.Audiences = "https://issuer.test", []string{"x"}
	c, err := oidcauth.UnverifiedClaims([]byte(`{"iss":"https://issuer.test","sub":"alice","exp":1,`+claims+`}`), trusted)
	if err != nil {
		t.Fatal(err)
	}
	if c.HasRole("") {
		t.Error("the empty name is a role")
	}
	return slices.Collect(c.Roles())
}

func TestClaims_Roles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		paths  []oidcauth.Path
		claims string
		want   []string
	}{
		{"default path", nil, `"roles":["a","b"]`, []string{"a", "b"}},
		{"no roles", nil, `"role":["a"]`, nil},
		{"a string", nil, `"roles":"a"`, []string{"a"}},
		{"an object's member that is true", nil, `"roles":{"a":true}`, []string{"a"}},
		{"nested", []oidcauth.Path{{"realm_access", "roles"}}, `"realm_access":{"roles":["a"]},"roles":["b"]`, []string{"a"}},
		{"two paths", []oidcauth.Path{{"x"}, {"y", "z"}}, `"x":["a"],"y":{"z":"b"}`, []string{"a", "b"}},
		{"two paths, the first not understood", []oidcauth.Path{{"x"}, {"y", "z"}}, `"x":["c",1],"y":{"z":"b"}`, []string{"b"}},
		{"a dot in a name", []oidcauth.Path{{"kubernetes.io", "namespace"}}, `"kubernetes.io":{"namespace":"a"}`, []string{"a"}},
		{"path through a string", []oidcauth.Path{{"roles", "x"}}, `"roles":"x"`, nil},
		{"path to a member of an object", []oidcauth.Path{{"roles", "x"}}, `"roles":{"x":true}`, nil},
		{"another case", nil, `"Roles":["a"]`, nil},
		{"an escaped role", nil, `"roles":["\u0061\n"]`, []string{"a\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rolesOf(t, tt.claims, oidcauth.Issuer{Roles: tt.paths}); !slices.Equal(got, tt.want) {
				t.Errorf("Roles() = %q, want %q", got, tt.want)
			}
		})
	}
}

// What a role claim is made of never makes a role of something that the issuer
// did not grant, whatever the description says of the issuer's other forms.
func TestClaims_RolesNotGranted(t *testing.T) {
	t.Parallel()
	shapes := map[string]string{
		"null": `null`, "true": `true`, "false": `false`, "a number": `1`, "an empty string": `""`, "an empty array": `[]`, "an empty object": `{}`,
		"an array with a number": `["admin",1]`, "an array with null": `["admin",null]`, "an array with false": `["admin",false]`,
		"an array with true": `["admin",true]`, "an array with an array": `["admin",["a"]]`, "an array of arrays": `[["admin"]]`,
		"an array with an object": `["a",{"admin":true}]`, "an array of objects": `[{"name":"admin"}]`, "an array with an empty string": `[""]`,
		"denied": `{"admin":false}`, "denied, escaped": `{"\u0061dmin":false}`, "a member that is null": `{"admin":null}`,
		"a member that is 0": `{"admin":0}`, "a member that is 1": `{"admin":1}`, "a member that is -0.0": `{"admin":-0.0}`,
		"a member that is an empty string": `{"admin":""}`, "a member that is a string": `{"admin":"yes"}`, "a member that is the string true": `{"admin":"true"}`,
		"a member that is the string false": `{"admin":"false"}`, "a member that is an empty object": `{"admin":{}}`,
		"a member that says not": `{"admin":{"enabled":false}}`, "a member that says yes": `{"admin":{"enabled":true}}`,
		"a member that says null": `{"admin":{"id":null}}`, "a member that says nothing": `{"admin":{"id":""}}`,
		"a member that says and does not": `{"admin":{"id":"domain","enabled":false}}`, "a member that is an empty array": `{"admin":[]}`,
		"a member that is an array": `{"admin":[true]}`, "a member that is an array of strings": `{"admin":["id"]}`, "an object too deep": `{"a":{"admin":true}}`,
		"an empty name": `{"":true}`, "a member of a list of denials": `{"deny":["admin"]}`,
		"JSON text of an object": `"{\"admin\":true}"`, "JSON text of a string": `"\"admin\""`, "JSON text of a mixed array": `"[\"admin\",1]"`,
		"JSON text with more behind it": `"[\"admin\"] x"`, "JSON text that ends the object around it": `"[\"admin\"]}"`,
		"JSON text of two members": `"[\"admin\"],\"x\":[]"`, "JSON text of a name twice": `"[],\"\":[\"admin\"]"`, "JSON text without an end": `"[\"admin\""`,
		"JSON text with a lone surrogate": `"[\"admin\",\"\\ud800\"]"`, "JSON text of nothing": `"null"`, "blanks": `" "`,
	}
	forms := map[string]oidcauth.Issuer{
		"default": {}, "comma": {RoleSeparator: ","}, "space": {RoleSeparator: " "}, "JSON text": {RoleSeparator: "json"},
		"objects": {RoleObjects: true}, "objects and JSON text": {RoleObjects: true, RoleSeparator: "json"},
	}
	for name, shape := range shapes {
		for form, trusted := range forms {
			for _, role := range rolesOf(t, `"roles":`+shape, trusted) {
				// A string that is not JSON text to the description is its own name.
				if text := strings.HasPrefix(shape, `"`) && trusted.RoleSeparator != "json"; !text || role == "admin" {
					t.Errorf("%s, %s: %s grants %q", form, name, shape, role)
				}
			}
		}
	}
}

// Several roles in one string are told apart where the description names what is
// between them, and nowhere else.
func TestIssuer_RoleSeparator(t *testing.T) {
	t.Parallel()
	const ldap = "cn=admin,ou=groups,dc=example,dc=com"
	tests := []struct{ name, separator, roles, want string }{ // what is wanted, with | between
		{"one string", "", `"guests,admin"`, "guests,admin"},
		{"one string with blanks", "", `" guests admin "`, " guests admin "},
		{"one string of JSON text", "", `"[\"admin\"]"`, `["admin"]`},
		{"an LDAP name", "", `"` + ldap + `"`, ldap},
		{"an LDAP name in an array", ",", `["` + ldap + `"]`, ldap},
		{"comma", ",", `"guests,admin"`, "guests|admin"},
		{"comma and blanks", ",", `" a, b c,,d ,"`, "a|b c|d"},
		{"comma, blanks of another kind", ",", `"a,\u00a0b,\tc"`, "a|\u00a0b|\tc"},
		{"comma, one role", ",", `"admin"`, "admin"},
		{"comma, an array", ",", `["a,b","c"]`, "a,b|c"},
		{"comma, a member's name", ",", `{"a,b":true}`, "a,b"},
		{"space", " ", `"guests admin"`, "guests|admin"},
		{"many spaces", " ", `"  a  b,c "`, "a|b,c"},
		{"space, an array", " ", `["a b"]`, "a b"},
		{"JSON text", "json", `"[\"guests\",\"admin\"]"`, "guests|admin"},
		{"JSON text with blanks", "json", `" [ \"a\" , \"b, c\" ] "`, "a|b, c"},
		{"JSON text with escapes", "json", `"[\"\\u0061\"]"`, "a"},
		{"JSON text, an array", "json", `["[\"a\"]"]`, `["a"]`},
		{"JSON text, a plain string", "json", `"admin"`, ""},
		{"JSON text, an object", "json", `{"a":true}`, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(rolesOf(t, `"roles":`+tt.roles, oidcauth.Issuer{RoleSeparator: tt.separator}), "|"); got != tt.want {
				t.Errorf("Roles() = %q, want %q", got, tt.want)
			}
		})
	}
}

// The names of objects are roles where the description says so.
func TestIssuer_RoleObjects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, roles   string
		want, without []string
	}{
		{"one organization", `{"admin":{"1":"a.example"}}`, []string{"admin"}, nil},
		{"two organizations", `{"admin":{"1":"a.example","2":"b.example"}}`, []string{"admin"}, nil},
		{"two roles, one denied", `{"admin":false,"reader":{"1":"a.example"}}`, []string{"reader"}, nil},
		{"true is true", `{"admin":true,"reader":{"1":"a.example"}}`, []string{"admin", "reader"}, []string{"admin"}},
		{"one role of no organization", `{"admin":{},"reader":{"1":"a.example"}}`, []string{"reader"}, nil},
		{"an array", `["admin"]`, []string{"admin"}, []string{"admin"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for objects, want := range map[bool][]string{true: tt.want, false: tt.without} {
				if got := rolesOf(t, `"roles":`+tt.roles, oidcauth.Issuer{RoleObjects: objects}); !slices.Equal(got, want) {
					t.Errorf("RoleObjects %t: Roles() = %q, want %q", objects, got, want)
				}
			}
		})
	}
}

// An issuer that was renamed states its new name, and keeps its identities.
func TestAliases_Renamed(t *testing.T) {
	t.Parallel()
	const before, now = "https://www.issuer.test", "https://www.issuer.test/oauth"
	rows := []struct {
		name   string
		stated string
		change func(*oidcauth.Issuer)
		want   error
	}{
		{"the new name is an alias", now, func(i *oidcauth.Issuer) { i.Aliases = []string{now} }, nil},
		{"the old name is an alias", before, func(i *oidcauth.Issuer) { i.URL, i.Aliases = now, []string{before} }, nil},
		{"the new name is unknown", now, func(*oidcauth.Issuer) {}, oidcauth.ErrKeysUnavailable},
		{"it states a third name", now + "/", func(i *oidcauth.Issuer) { i.Aliases = []string{now} }, oidcauth.ErrKeysUnavailable},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			issuer, _ := newIssuer(t, oidctest.Config{URL: before})
			issuer.SetDiscovery(map[string]any{"issuer": row.stated})
			description := oidcauth.Issuer{
				URL: before, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{DiscoveryURL: issuer.DiscoveryURL()},
			}
			row.change(&description)
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{description}, Client: issuer.Client()})
			var identities []string
			for _, name := range append([]string{description.URL}, description.Aliases...) {
				token := issuer.Token(map[string]any{"iss": name})
				wants(t, a, token, row.want)
				if c, err := a.Authenticate(t.Context(), token); err == nil {
					identities = append(identities, c.Identity().String())
				}
			}
			if row.want == nil && (len(identities) != 2 || identities[0] != identities[1] ||
				identities[0] != identity.New(description.URL, "alice").String()) {
				t.Errorf("identities = %q, want the same by both names", identities)
			}
		})
	}
}

// TestNew_AllContradictions: a mistake in a description does not hide the next.
func TestNew_AllContradictions(t *testing.T) {
	t.Parallel()
	_, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{{
		URL: "https://a.example", Algorithms: []string{"HS256"}, LogoutBy: "jti", Leeway: time.Hour,
	}}})
	for _, want := range []string{"Audiences is empty", `"HS256"`, `"jti"`, "Leeway"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() error = %v, want it to say %q", err, want)
		}
	}
}
