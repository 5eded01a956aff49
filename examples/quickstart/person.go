package main

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
)

// person is somebody at a browser and the app they use: the app signs them in
// by the authorization code flow with PKCE and calls the database for them.
type person struct {
	name    string
	browser *signin.Browser
	tokens  *signin.Tokens
}

// signInPerson opens the provider's login page and fills it in. The refresh
// token lets the app go on without the person.
func signInPerson(ctx context.Context, p *provider.Provider, clientID, name, password string) (*person, error) {
	who := &person{name: name, browser: signin.NewBrowser(name, password)}
	flow := signin.Flow{Issuer: p.Issuer(), ClientID: clientID, Scopes: []string{"email", "offline_access"}}
	var err error
	if who.tokens, err = flow.Run(ctx, who.browser); err != nil {
		return nil, fmt.Errorf("%s signs in: %w", name, err)
	}
	return who, nil
}

func (p *person) accessToken() string { return p.tokens.OAuth.AccessToken }

// refreshed returns a new access token, got with the refresh token.
func (p *person) refreshed(ctx context.Context) (string, error) {
	spent := &oauth2.Token{RefreshToken: p.tokens.OAuth.RefreshToken}
	token, err := p.tokens.Config.TokenSource(ctx, spent).Token()
	if err != nil {
		return "", fmt.Errorf("%s refreshes: %w", p.name, err)
	}
	p.tokens.OAuth = token
	return token.AccessToken, nil
}

// signOut opens the provider's address for signing out, as the app's button
// does. The provider tells the database before the page comes up.
func (p *person) signOut(ctx context.Context, from *provider.Provider) error {
	if err := p.browser.Open(ctx, from.SignOutURL(p.tokens.IDToken, "")); err != nil {
		return fmt.Errorf("%s signs out: %w", p.name, err)
	}
	return nil
}
