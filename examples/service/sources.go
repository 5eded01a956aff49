package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	oauth2jwt "golang.org/x/oauth2/jwt"
)

// sourceFunc is an [oauth2.TokenSource] that gets a new token at each call.
type sourceFunc func() (*oauth2.Token, error)

// Token gets a token.
func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

// renewing returns a source that keeps a token until it has no longer than
// early to live. Its own default would be ten seconds, which is longer than the
// tokens of this story live; with tokens of minutes it may be left at that.
func renewing(early time.Duration, get sourceFunc) oauth2.TokenSource {
	return oauth2.ReuseTokenSourceWithExpiry(nil, get, early)
}

// clientCredentials gets tokens with a client's ID and secret.
func clientCredentials(ctx context.Context, early time.Duration, config clientcredentials.Config) oauth2.TokenSource {
	return renewing(early, func() (*oauth2.Token, error) { return config.Token(ctx) })
}

// keyFile is the file that a Google service account is given, as far as it is
// needed.
type keyFile struct {
	Type         string `json:"type"`
	ClientEmail  string `json:"client_email"`
	PrivateKeyID string `json:"private_key_id"`
	PrivateKey   string `json:"private_key"`
	TokenURI     string `json:"token_uri"`
}

// serviceAccount gets tokens by signing an assertion with the key in a file
// (RFC 7523, section 2.1).
func serviceAccount(ctx context.Context, early time.Duration, file, audience string) (oauth2.TokenSource, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var key keyFile
	if err := json.Unmarshal(text, &key); err != nil {
		return nil, fmt.Errorf("%s: not a service account's key", file)
	}
	if key.Type != "service_account" {
		return nil, fmt.Errorf("%s: type: got %q, want \"service_account\"", file, key.Type)
	}
	config := oauth2jwt.Config{
		Email: key.ClientEmail, Subject: key.ClientEmail, // nobody else's: it asks for itself
		PrivateKey: []byte(key.PrivateKey), PrivateKeyID: key.PrivateKeyID,
		TokenURL: key.TokenURI, Audience: audience, Expires: time.Minute,
	}
	return renewing(early, func() (*oauth2.Token, error) { return config.TokenSource(ctx).Token() }), nil
}

// projectedFile gets tokens from a file that somebody else keeps fresh, as the
// kubelet does with projected service account tokens.
func projectedFile(early time.Duration, file string) oauth2.TokenSource {
	return renewing(early, func() (*oauth2.Token, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		token := strings.TrimSpace(string(text))
		expiry, err := statedExpiry(token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return &oauth2.Token{AccessToken: token, TokenType: "Bearer", Expiry: expiry}, nil
	})
}

// algorithms are what the file's token may be signed with. Nothing depends on
// it: the signature is the server's to check.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.PS256, jose.EdDSA}

// statedExpiry reads when a token says that it expires, to know when to look
// for the next one.
func statedExpiry(token string) (time.Time, error) {
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return time.Time{}, errors.New("not a token")
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil || claims.Expiry == nil {
		return time.Time{}, errors.New("a token without an expiry")
	}
	return claims.Expiry.Time(), nil
}
