package browser

import (
	"crypto/rand"
	"testing"

	"golang.org/x/oauth2"
)

// SignIn has a person sign in by the authorization code flow with PKCE. Forms fills
// in the pages between the authorization endpoint and [Callback], which has to be the
// client's redirect URI.
func (b *Browser) SignIn(t *testing.T, client oauth2.Config, forms func(*Browser), options ...oauth2.AuthCodeOption) *oauth2.Token {
	t.Helper()
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	client.RedirectURL = Callback
	options = append(options, oauth2.S256ChallengeOption(verifier))
	b.Open(t, client.AuthCodeURL(state, options...))
	if b.Page != "" {
		forms(b)
	}
	answer := b.At.Query()
	if b.Page != "" || answer.Get("code") == "" || answer.Get("state") != state {
		t.Fatalf("no code: the browser is at %s:\n%s", b.At, b.Page)
	}
	token, err := client.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// IDToken returns the ID token of a sign-in.
func IDToken(t *testing.T, token *oauth2.Token) string {
	t.Helper()
	text, _ := token.Extra("id_token").(string)
	if text == "" {
		t.Fatal("no ID token")
	}
	return text
}
