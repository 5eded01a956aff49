package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// GetKeyByIDAndClientID finds the key with which a client signs assertions.
func (s *storage) GetKeyByIDAndClientID(_ context.Context, keyID, clientID string) (*jose.JSONWebKey, error) {
	client, ok := s.clients[clientID]
	if !ok || client.Key == nil || client.Key.KeyID != keyID {
		return nil, fmt.Errorf("key %q of client %q: %w", keyID, clientID, errNotKnown)
	}
	return client.Key, nil
}

// ValidateJWTProfileScopes checks what a client with an assertion asks for.
func (s *storage) ValidateJWTProfileScopes(_ context.Context, clientID string, scopes []string) ([]string, error) {
	client, ok := s.clients[clientID]
	if !ok {
		return nil, fmt.Errorf("client %q: %w", clientID, errNotKnown)
	}
	for _, scope := range scopes {
		if !slices.Contains(client.Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("scope not allowed: %q", scope)
		}
	}
	return scopes, nil
}

// grantOf returns what a token is to be made from. A client that has shown an
// assertion gets what its registration says, and not what the assertion does.
func (s *storage) grantOf(request op.TokenRequest) (grant, error) {
	assertion, ok := request.(*oidc.JWTTokenRequest)
	if !ok {
		return grantOf(request)
	}
	client, ok := s.clients[assertion.Issuer]
	if !ok || assertion.Subject != assertion.Issuer {
		return grant{}, fmt.Errorf("client %q: %w", assertion.Issuer, errNotKnown)
	}
	return grant{clientID: client.ID, subject: client.ID, audience: client.Audiences, scopes: assertion.Scopes}, nil
}
