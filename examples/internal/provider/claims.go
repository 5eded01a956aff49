package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// claims returns what every token made from g says beside the registered
// claims: the roles as they stand now and the session.
func (s *storage) claims(g grant) map[string]any {
	claims := make(map[string]any)
	roles := []string(nil)
	if user, ok := s.users[g.subject]; ok && g.sessionID != "" {
		roles = user.Roles
	} else if client, ok := s.clients[g.clientID]; ok {
		roles = client.Roles
	}
	if len(roles) > 0 {
		claims["roles"] = slices.Clone(roles)
	}
	if g.sessionID != "" {
		claims["sid"] = g.sessionID
	}
	return claims
}

// SetUserinfoFromRequest fills an ID token.
func (s *storage) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, request op.IDTokenRequest, scopes []string) error {
	g, err := grantOf(request)
	if err != nil {
		return err
	}
	s.describe(info, g, scopes)
	return nil
}

// SetUserinfoFromToken answers the userinfo endpoint.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, tokenID, _, _ string) error {
	found, err := s.live(tokenID)
	if err != nil {
		return err
	}
	s.describe(info, found.grant, found.scopes)
	return nil
}

// SetIntrospectionFromToken answers the introspection endpoint.
func (s *storage) SetIntrospectionFromToken(_ context.Context, answer *oidc.IntrospectionResponse, tokenID, _, clientID string) error {
	found, err := s.live(tokenID)
	if err != nil {
		return err
	}
	if found.clientID != clientID && !slices.Contains(found.audience, clientID) {
		return fmt.Errorf("token of another client: %w", errNotKnown)
	}
	answer.Expiration = oidc.FromTime(found.expires)
	answer.Subject, answer.ClientID, answer.Scope = found.subject, found.clientID, found.scopes
	return nil
}

// SetUserinfoFromScopes does nothing: SetUserinfoFromRequest replaces it.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// GetPrivateClaimsFromRequest fills a JWT access token.
func (s *storage) GetPrivateClaimsFromRequest(_ context.Context, request op.TokenRequest, _ []string) (map[string]any, error) {
	g, err := grantOf(request)
	if err != nil {
		return nil, err
	}
	return s.claims(g), nil
}

// GetPrivateClaimsFromScopes does nothing: GetPrivateClaimsFromRequest replaces
// it.
func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s *storage) describe(info *oidc.UserInfo, g grant, scopes []string) {
	info.Subject = g.subject
	for name, value := range s.claims(g) {
		info.AppendClaims(name, value)
	}
	user, ok := s.users[g.subject]
	if !ok {
		return
	}
	if slices.Contains(scopes, oidc.ScopeProfile) {
		info.PreferredUsername = user.Name
	}
	if slices.Contains(scopes, oidc.ScopeEmail) {
		info.Email = user.Email
	}
}

func (s *storage) live(tokenID string) (*issued, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.tokens[tokenID]
	if !ok || time.Now().After(found.expires) {
		return nil, fmt.Errorf("access token: %w", errNotKnown)
	}
	return found, nil
}

// accessTokens decides the text of access tokens for clients that want those of
// RFC 9068. The protocol library signs every JWT with the type "JWT", but lets
// its operator choose the text of what it calls opaque tokens, through the
// cipher it makes them with; codes still go to the cipher itself.
type accessTokens struct {
	op.Crypto
	issuer  string
	storage *storage
	keys    *keyRing
}

// Encrypt makes the token for "token ID:subject", and encrypts anything else.
func (a *accessTokens) Encrypt(plain string) (string, error) {
	tokenID, _, isToken := strings.Cut(plain, ":")
	if !isToken {
		return a.Crypto.Encrypt(plain)
	}
	found, err := a.storage.live(tokenID)
	if err != nil {
		return "", err
	}
	return a.sign(tokenID, found)
}

func (a *accessTokens) sign(tokenID string, token *issued) (string, error) {
	audience := token.audience
	if len(audience) == 0 {
		audience = []string{token.clientID}
	}
	claims := map[string]any{
		"iss": a.issuer, "sub": token.subject, "aud": audience, "client_id": token.clientID,
		"iat": time.Now().Unix(), "exp": token.expires.Unix(), "jti": tokenID,
	}
	if len(token.scopes) > 0 {
		claims["scope"] = strings.Join(token.scopes, " ")
	}
	maps.Copy(claims, a.storage.claims(token.grant))
	return a.keys.sign("at+jwt", claims)
}
