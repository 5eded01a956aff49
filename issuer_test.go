package oidcauth_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestAuthenticate_IssuerSettings holds each setting of an issuer's description
// to what its comment says. A row without an error has a subject.
func TestAuthenticate_IssuerSettings(t *testing.T) {
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
