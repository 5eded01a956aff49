package keycloak_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
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
