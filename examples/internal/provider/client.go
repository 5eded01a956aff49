package provider

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// User is a person who can sign in.
type User struct {
	// Name and Password are what the login page asks for.
	Name, Password string
	// Subject is what the tokens call the person, for ever; empty means Name.
	Subject string
	// Email and Roles go into the tokens.
	Email string
	Roles []string
}

// Client is a program that may ask for tokens. One with redirect URIs may use
// the authorization code flow; one with a secret and no redirect URI is a
// service, which may use client credentials.
type Client struct {
	ID string
	// Secret is empty for a program that can keep none, an app on somebody's
	// machine; such a client must use PKCE.
	Secret string
	// Key is the public key of a service that authenticates by signing (RFC 7523,
	// section 2.1), as a Google service account does. Its access tokens are those
	// of RFC 9068.
	Key *jose.JSONWebKey
	// RedirectURIs may be plain http on loopback, where any port matches.
	RedirectURIs []string
	// PostLogoutRedirectURIs are where a browser may go on once its person has
	// signed out.
	PostLogoutRedirectURIs []string
	// Audiences are whom its tokens are for. An ID token is for the client
	// besides; an access token is for the client only if this is empty.
	Audiences []string
	// BackChannelLogoutURI is told when somebody who came by this client signs
	// out; empty means that nobody is.
	BackChannelLogoutURI string
	// Roles are the service's own, in tokens from client credentials.
	Roles []string
	// Scopes may be asked for beside those of OpenID Connect.
	Scopes []string
	// TokenLifetime is that of access tokens and ID tokens; 0 means 5 minutes.
	// Tokens count in whole seconds, so a lifetime of 2 s ends after 1 to 2 s.
	TokenLifetime time.Duration
	// RFC9068 gives access tokens the type "at+jwt" of RFC 9068. Without it they
	// have the type "JWT", as the protocol library and many providers make them.
	RFC9068 bool
}

func (c *Client) isService() bool { return c.Secret != "" && len(c.RedirectURIs) == 0 }

func (c *Client) hasSecret(secret string) bool {
	return c.Secret != "" && subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) == 1
}

func (c *Client) tokenLifetime() time.Duration {
	if c.TokenLifetime > 0 {
		return c.TokenLifetime
	}
	return 5 * time.Minute
}

// registration is a Client as the protocol library wants to see it.
type registration struct{ client *Client }

var _ op.Client = registration{}

func (r registration) GetID() string                    { return r.client.ID }
func (r registration) RedirectURIs() []string           { return r.client.RedirectURIs }
func (r registration) PostLogoutRedirectURIs() []string { return r.client.PostLogoutRedirectURIs }
func (r registration) LoginURL(request string) string   { return "/login?request=" + request }
func (r registration) IDTokenLifetime() time.Duration   { return r.client.tokenLifetime() }
func (r registration) ClockSkew() time.Duration         { return 0 }
func (r registration) DevMode() bool                    { return false }

func (r registration) ApplicationType() op.ApplicationType {
	if r.client.Secret == "" {
		return op.ApplicationTypeNative
	}
	return op.ApplicationTypeWeb
}

func (r registration) AuthMethod() oidc.AuthMethod {
	if r.client.Secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (r registration) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (r registration) GrantTypes() []oidc.GrantType {
	if r.client.isService() {
		return []oidc.GrantType{oidc.GrantTypeClientCredentials}
	}
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

// AccessTokenType asks for opaque access tokens when the client wants RFC 9068:
// their text is then chosen by [accessTokens].
func (r registration) AccessTokenType() op.AccessTokenType {
	if r.client.RFC9068 {
		return op.AccessTokenTypeBearer
	}
	return op.AccessTokenTypeJWT
}

func (r registration) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (r registration) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (r registration) IsScopeAllowed(scope string) bool {
	return slices.Contains(r.client.Scopes, scope)
}

func (r registration) IDTokenUserinfoClaimsAssertion() bool { return true }
