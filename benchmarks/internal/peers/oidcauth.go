package peers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/oidcauth/oidcauth"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

// OIDCAuth is this library.
func OIDCAuth() Peer {
	return Peer{
		Name:        "oidcauth",
		Modules:     []string{"github.com/oidcauth/oidcauth"},
		About:       "Authenticator and its own middleware; accessors of Claims",
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
			URL:       s.Issuer.URL,
			Audiences: []string{idp.Audience},
			Keys:      oidcauth.KeysFrom{InsecureHTTP: s.Issuer.Loopback()},
		}},
		Leeway:      Leeway,
		Client:      s.Issuer.Client(),
		CacheBytes:  cacheBytes,
		KeyCacheDir: s.KeyDir,
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
			readOIDCAuth(claims, user)
			return nil
		},
		Alone: func(ctx context.Context, token string) error {
			_, err := a.Authenticate(ctx, token)
			return err
		},
		Middleware: a.Middleware,
		FromContext: func(ctx context.Context, user *User) bool {
			claims, found := oidcauth.FromContext(ctx)
			if found {
				readOIDCAuth(claims, user)
			}
			return found
		},
		// The process ends soon after; nothing is lost with an error.
		Close: func() { _ = a.Close() },
	}, nil
}

// readOIDCAuth fills user, and uses the memory of its slices again.
func readOIDCAuth(claims *oidcauth.Claims, user *User) {
	user.Issuer, user.Subject = claims.Issuer(), claims.Subject()
	user.Audience = slices.AppendSeq(user.Audience[:0], claims.Audience())
	user.Expiry = claims.Expiry()
	user.Scopes = slices.AppendSeq(user.Scopes[:0], claims.Scopes())
	user.Email, _ = claims.LookupString("email")
	user.Roles = slices.AppendSeq(user.Roles[:0], claims.Roles())
}
