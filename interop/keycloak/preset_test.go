package keycloak_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

// The description in package issuers accepts the real server's access tokens, of
// people and of services, and nothing else that it signs.
func TestPreset(t *testing.T) {
	s := running(t)
	issuer := issuers.Keycloak(s.issuer(), database)
	issuer.Keys.InsecureHTTP = strings.HasPrefix(issuer.URL, "http://")
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()

	token := s.alice(t)
	idToken, _ := token.Extra("id_token").(string)
	tests := []struct {
		name, token string
		want        error
	}{
		{"a person's access token", token.AccessToken, nil},
		{"a service's access token", s.service(t, "importer"), nil},
		{"ID token", idToken, oidcauth.ErrRule},
		{"refresh token", token.RefreshToken, oidcauth.ErrAlgorithm},
		{"token of another realm", s.masterToken(t), oidcauth.ErrUnknownIssuer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.token == "" {
				t.Fatal("the server gave none")
			}
			if _, err := auth.Authenticate(t.Context(), tt.token); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
			}
		})
	}

	c, err := auth.Authenticate(t.Context(), token.AccessToken)
	if err != nil || len(slices.Collect(c.Roles())) == 0 {
		t.Errorf("Authenticate() error = %v; want roles of the realm and the client", err)
	}
}

// A client's settings make other access tokens: of the type at+jwt, or lightweight ones,
// which say of a person nobody's name unless a mapper adds it.
func TestPreset_Kinds(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	alice := accepts(t, auth, s.alice(t).AccessToken)
	for _, row := range []struct {
		name, token string
		person      bool
		want        error
	}{
		{"type at+jwt", s.aliceBy(t, "rfc9068").AccessToken, true, nil},
		{"lightweight, of a person", s.aliceBy(t, "light").AccessToken, true, oidcauth.ErrClaim},
		{"lightweight, of a person, with the mapper", s.aliceBy(t, "light-with-sub").AccessToken, true, nil},
		{"lightweight, of a service", s.service(t, "light-service"), false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			claims, err := auth.Authenticate(t.Context(), row.token)
			if !errors.Is(err, row.want) {
				t.Fatalf("Authenticate() error = %v, want %v", err, row.want)
			}
			if err == nil && row.person != (claims.Identity() == alice.Identity()) {
				t.Errorf("it is of %q", claims.Subject())
			}
			if isRFC9068 := row.name == "type at+jwt"; strings.Contains(trial.Header(t, row.token), "at+jwt") != isRFC9068 {
				t.Errorf("the token is %s", trial.Header(t, row.token))
			}
		})
	}
}

// The realm's ID tokens and access tokens, which have the same header and the same
// caller, are accepted by a description each, with roles of their own.
func TestPreset_Both(t *testing.T) {
	s := running(t)
	described := []oidcauth.Issuer{issuers.Keycloak(s.issuer(), database), issuers.KeycloakID(s.issuer(), "app")}
	for n := range described {
		described[n].Keys.InsecureHTTP = strings.HasPrefix(s.issuer(), "http://")
	}
	described[1].Roles = []oidcauth.Path{{"preferred_username"}}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: described})
	if err != nil {
		t.Fatal(err)
	}
	defer auth.Close()

	token := s.alice(t)
	idToken, _ := token.Extra("id_token").(string)
	access, err := auth.Authenticate(t.Context(), token.AccessToken)
	if err != nil {
		t.Fatalf("access token: error = %v", err)
	}
	if access.Description() != "access" || !access.HasRole("player") {
		t.Errorf("access token: by %q, without the role of a player", access.Description())
	}
	id := tried.Accepts(t, trial.IDToken, auth, idToken)
	wantRoles(t, id, "alice")
	if id.Description() != "id" || id.Identity() != access.Identity() {
		t.Errorf("ID token: by %q, identity %v, want by \"id\" that of the access token", id.Description(), id.Identity())
	}
	if _, err := auth.Authenticate(t.Context(), token.RefreshToken); !errors.Is(err, oidcauth.ErrAlgorithm) {
		t.Errorf("refresh token: error = %v, want %v", err, oidcauth.ErrAlgorithm)
	}
	session := auth.NewSession(t.Context(), access)
	defer session.Close()
	if err := auth.SetIssuers(described[1]); err != nil {
		t.Fatal(err)
	}
	if cause := context.Cause(session.Context()); !errors.Is(cause, oidcauth.ErrAudience) && !errors.Is(cause, oidcauth.ErrRule) {
		t.Errorf("session of an access token that is accepted no more ended with %v", cause)
	}
	if _, err := auth.Authenticate(t.Context(), idToken); err != nil {
		t.Errorf("ID token after the change: error = %v", err)
	}
}
