package main

import (
	"context"
	"fmt"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
)

// serviceToken gets a service its token by the client credentials grant. A
// service that runs for long uses Config.Client instead, which renews by itself.
func serviceToken(ctx context.Context, p *provider.Provider, clientID string) (string, error) {
	config := clientcredentials.Config{ClientID: clientID, ClientSecret: demoSecret, TokenURL: p.TokenURL()}
	token, err := config.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("service %s gets its token: %w", clientID, err)
	}
	return token.AccessToken, nil
}
