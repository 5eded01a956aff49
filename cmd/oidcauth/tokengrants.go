package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// longestInterval is the longest pause between two polls that a provider may
// ask for, in seconds.
const longestInterval = 300

// clientCredentials gets a token for the client itself.
func (c *tokenClient) clientCredentials(ctx context.Context, _ streams) (*oauth2.Token, error) {
	parameters, err := c.assertionParameters()
	if err != nil {
		return nil, err
	}
	for name, value := range c.parameter {
		parameters.Set(name, value)
	}
	config := clientcredentials.Config{
		ClientID: c.id, ClientSecret: c.secret, TokenURL: c.endpoint.TokenURL,
		Scopes: c.scopes, EndpointParams: parameters, AuthStyle: c.endpoint.AuthStyle,
	}
	return config.Token(ctx)
}

// assertionParameters authenticates a client that has a key.
func (c *tokenClient) assertionParameters() (url.Values, error) {
	parameters := url.Values{}
	if c.key == nil {
		return parameters, nil
	}
	assertion, err := c.key.assertion(c.id, c.assertionAudience(), time.Now())
	if err != nil {
		return nil, err
	}
	c.sent = append(c.sent, assertion)
	parameters.Set("client_assertion_type", assertionType)
	parameters.Set("client_assertion", assertion)
	return parameters, nil
}

// device gets a token for a person who enters a code elsewhere (RFC 8628). Some
// providers demand PKCE of a client in this flow, too; the others ignore it.
func (c *tokenClient) device(ctx context.Context, std streams) (*oauth2.Token, error) {
	if c.endpoint.DeviceAuthURL == "" {
		return nil, errors.New("the provider has no device authorization endpoint")
	}
	verifier := oauth2.GenerateVerifier()
	options := append(c.options(), oauth2.S256ChallengeOption(verifier))
	asking := ctx
	switch {
	case c.auth == authBasic:
		client := *c.http
		client.Transport = basicAuth{client.Transport, c.id, c.secret}
		asking = context.WithValue(ctx, oauth2.HTTPClient, &client)
	case c.secret != "":
		options = append(options, oauth2.SetAuthURLParam("client_secret", c.secret))
	}
	config := c.config("")
	code, err := config.DeviceAuth(asking, options...)
	if err != nil {
		return nil, err
	}
	if code.Interval < 0 || code.Interval > longestInterval {
		return nil, fmt.Errorf("the provider wants %d seconds between polls, want 0 to %d", code.Interval, longestInterval)
	}
	c.sent = append(c.sent, verifier, code.DeviceCode)
	c.announce(std, code)
	ctx, cancel := context.WithTimeoutCause(ctx, loginTimeout, fmt.Errorf("nobody signed in within %v", loginTimeout))
	defer cancel()
	token, err := config.DeviceAccessToken(ctx, code, append(c.options(), oauth2.VerifierOption(verifier))...)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case !code.Expiry.IsZero() && !time.Now().Before(code.Expiry):
		return nil, errors.New("the code expired before anybody signed in")
	default:
		return nil, err
	}
	return c.verified(ctx, token, "")
}

// announce says to the person where to go and what to enter.
func (c *tokenClient) announce(std streams, code *oauth2.DeviceAuthResponse) {
	fmt.Fprintf(std.err, "Open this address on any device and enter the code %s:\n  %s\n",
		printable(code.UserCode), printable(code.VerificationURI))
	if code.VerificationURIComplete != "" {
		fmt.Fprintf(std.err, "or this one, which has the code in it:\n  %s\n", printable(code.VerificationURIComplete))
	}
}
