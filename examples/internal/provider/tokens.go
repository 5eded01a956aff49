package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// ClientCredentials checks a service's ID and secret.
func (s *storage) ClientCredentials(_ context.Context, id, secret string) (op.Client, error) {
	client, ok := s.clients[id]
	if !ok || !client.isService() || !client.hasSecret(secret) {
		return nil, fmt.Errorf("client %q or its secret: %w", id, errNotKnown)
	}
	return registration{client}, nil
}

// ClientCredentialsTokenRequest grants a service what its registration says.
// The subject of its tokens is its client ID.
func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	client, ok := s.clients[id]
	if !ok {
		return nil, fmt.Errorf("client %q: %w", id, errNotKnown)
	}
	for _, scope := range scopes {
		if !slices.Contains(client.Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("scope not allowed: %q", scope)
		}
	}
	return &grant{clientID: id, subject: id, audience: client.Audiences, scopes: scopes}, nil
}

// CreateAccessToken records an access token and says when it expires.
func (s *storage) CreateAccessToken(_ context.Context, request op.TokenRequest) (string, time.Time, error) {
	g, err := s.grantOf(request)
	if err != nil {
		return "", time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, expires := s.issue(g)
	return id, expires, nil
}

// CreateAccessAndRefreshTokens records both; a refresh token that was used is
// spent and replaced.
func (s *storage) CreateAccessAndRefreshTokens(_ context.Context, request op.TokenRequest, current string) (string, string, time.Time, error) {
	g, err := grantOf(request)
	if err != nil {
		return "", "", time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if current != "" {
		if s.refresh[current] == nil {
			return "", "", time.Time{}, op.ErrInvalidRefreshToken
		}
		delete(s.refresh, current)
	}
	next := rand.Text()
	s.refresh[next] = &issued{grant: g, expires: time.Now().Add(refreshLifetime)}
	id, expires := s.issue(g)
	return id, next, expires, nil
}

// issue records an access token; the caller holds the lock.
func (s *storage) issue(g grant) (id string, expires time.Time) {
	s.sweep()
	id = rand.Text()
	expires = time.Now().Add(s.clients[g.clientID].tokenLifetime())
	s.tokens[id] = &issued{grant: g, expires: expires}
	return id, expires
}

func grantOf(request op.TokenRequest) (grant, error) {
	switch request := request.(type) {
	case *authRequest:
		return request.grant, nil
	case *refreshRequest:
		return request.grant, nil
	case *grant:
		return *request, nil
	}
	return grant{}, fmt.Errorf("provider: no grant in a %T", request)
}

// TokenRequestByRefreshToken finds the grant a refresh token stands for.
func (s *storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.refresh[token]
	if !ok || time.Now().After(found.expires) {
		return nil, op.ErrInvalidRefreshToken
	}
	return &refreshRequest{found.grant}, nil
}

// GetRefreshTokenInfo returns whose a refresh token is.
func (s *storage) GetRefreshTokenInfo(_ context.Context, clientID, token string) (string, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.refresh[token]
	if !ok || found.clientID != clientID {
		return "", "", op.ErrInvalidRefreshToken
	}
	return found.subject, token, nil
}

// RevokeToken removes a token of that client.
func (s *storage) RevokeToken(_ context.Context, token, _, clientID string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, held := range []map[string]*issued{s.tokens, s.refresh} {
		if found, ok := held[token]; ok && found.clientID == clientID {
			delete(held, token)
		}
	}
	return nil
}
