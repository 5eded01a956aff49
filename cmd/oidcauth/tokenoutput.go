package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/oauth2"
)

// tokenJSON is what --json prints.
type tokenJSON struct {
	AccessToken  string     `json:"access_token"`
	TokenType    string     `json:"token_type"`
	ExpiresAt    *time.Time `json:"expires_at"` // null when the provider did not say
	Scope        string     `json:"scope,omitempty"`
	IDToken      string     `json:"id_token,omitempty"`
	RefreshToken string     `json:"refresh_token,omitempty"`
}

// print writes the token in the form that the flags ask for.
func (f *tokenFlags) print(out io.Writer, token *oauth2.Token) error {
	if f.json {
		return writeTokenJSON(out, token)
	}
	name, text := "access token", token.AccessToken
	if f.idToken {
		name, text = "ID token", idTokenOf(token)
	}
	if text == "" {
		return errors.New("the provider's answer has no " + name)
	}
	if err := mustBePrintable(name, text); err != nil {
		return err
	}
	if f.export != "" {
		text = "export " + f.export + "=" + shellQuote(text)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

// writeTokenJSON writes the answer as a JSON object.
func writeTokenJSON(out io.Writer, token *oauth2.Token) error {
	answer := tokenJSON{
		AccessToken:  token.AccessToken,
		TokenType:    token.Type(),
		IDToken:      idTokenOf(token),
		RefreshToken: token.RefreshToken,
	}
	answer.Scope, _ = token.Extra("scope").(string)
	if !token.Expiry.IsZero() {
		expiry := token.Expiry.UTC().Truncate(time.Second)
		answer.ExpiresAt = &expiry
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answer)
}

// idTokenOf returns the ID token that came with an access token, if one did.
func idTokenOf(token *oauth2.Token) string {
	text, _ := token.Extra("id_token").(string)
	return text
}
