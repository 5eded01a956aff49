package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oidcauth/oidcauth"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// OIDCAuth is this library.
func OIDCAuth() Peer {
	return Peer{
		Name:        "oidcauth",
		Modules:     []string{"github.com/oidcauth/oidcauth"},
		About:       "Authenticator and its own middleware; accessors of Claims, Lookup for the email address",
		RemoteKeys:  true,
		KeepsTokens: true,
		Open:        openOIDCAuth,
	}
}

func openOIDCAuth(ctx context.Context, s Setup) (*Verifier, error) {
	cacheBytes := s.CacheBytes
	if s.NoCache {
		cacheBytes = -1
	}
	a, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{
			URL:          s.Issuer.URL,
			Audiences:    []string{idp.Audience},
			InsecureHTTP: s.Issuer.Loopback(),
		}},
		Leeway:     Leeway,
		Client:     s.Issuer.Client(),
		CacheBytes: cacheBytes,
	})
	if err != nil {
		return nil, fmt.Errorf("oidcauth: %w", err)
	}
	if err := a.Ready(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return &Verifier{
		Authenticate: func(ctx context.Context, token string, user *User) error {
			claims, err := a.Authenticate(ctx, token)
			if err != nil {
				return err
			}
			return readOIDCAuth(claims, user)
		},
		Alone: func(ctx context.Context, token string) error {
			_, err := a.Authenticate(ctx, token)
			return err
		},
		Middleware: a.Middleware,
		FromContext: func(ctx context.Context, user *User) bool {
			claims, found := oidcauth.FromContext(ctx)
			return found && readOIDCAuth(claims, user) == nil
		},
		// The process ends soon after; nothing is lost with an error.
		Close: func() { _ = a.Close() },
	}, nil
}

func readOIDCAuth(claims *oidcauth.Claims, user *User) error {
	*user = User{
		Issuer:   claims.Issuer(),
		Subject:  claims.Subject(),
		Audience: claims.Audience(),
		Expiry:   claims.Expiry(),
		Scopes:   claims.Scopes(),
		Roles:    claims.Roles(),
	}
	email, found := claims.Lookup("email")
	if !found {
		return nil
	}
	return json.Unmarshal(email, &user.Email)
}
