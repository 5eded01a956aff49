package peers

import (
	"context"
	"fmt"
	"strings"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// JWX is lestrrat-go/jwx: jwk.Cache for the keys and jwt.Parse with its
// validation.
func JWX() Peer {
	return Peer{
		Name:       "jwx",
		Modules:    []string{"github.com/lestrrat-go/jwx/v3"},
		About:      "jwk.Cache as a CachedSet, jwt.Parse with validation and required claims; middleware by hand",
		RemoteKeys: true,
		Unchecked: []string{
			refusals.TokenType, refusals.Critical, refusals.DuplicateName, refusals.ExpiryAsString,
			refusals.TrailingBits, refusals.LineBreak,
		},
		Open: openJWX,
	}
}

func openJWX(ctx context.Context, s Setup) (*Verifier, error) {
	ctx, cancel := context.WithCancel(ctx)
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		cancel()
		return nil, fmt.Errorf("jwx: %w", err)
	}
	if err := cache.Register(ctx, s.Issuer.JWKSURL(), jwk.WithHTTPClient(s.Issuer.Client())); err != nil {
		cancel()
		return nil, fmt.Errorf("jwx: %w", err)
	}
	keys, err := cache.CachedSet(s.Issuer.JWKSURL())
	if err != nil {
		cancel()
		return nil, fmt.Errorf("jwx: %w", err)
	}
	options := []jwt.ParseOption{
		jwt.WithKeySet(keys),
		jwt.WithIssuer(s.Issuer.URL),
		jwt.WithAudience(idp.Audience),
		jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithRequiredClaim(jwt.SubjectKey),
		jwt.WithAcceptableSkew(Leeway),
		jwt.WithPedantic(true),
		jwt.WithStrictStringClaims(true),
	}
	authenticate := func(_ context.Context, token string, user *User) error {
		parsed, err := jwt.ParseString(token, options...)
		if err != nil {
			return err
		}
		return readJWX(parsed, user)
	}
	return byHand(authenticate, cancel), nil
}

// readJWX reads the claims by their accessors, and those without one by name.
func readJWX(token jwt.Token, user *User) error {
	user.Issuer, _ = token.Issuer()
	user.Subject, _ = token.Subject()
	user.Audience, _ = token.Audience()
	user.Expiry, _ = token.Expiration()
	var scope string
	if err := token.Get("scope", &scope); err != nil {
		return err
	}
	user.Scopes = strings.Fields(scope)
	if err := token.Get("email", &user.Email); err != nil {
		return err
	}
	var roles []any
	if err := token.Get("roles", &roles); err != nil {
		return err
	}
	user.Roles = make([]string, 0, len(roles))
	for _, role := range roles {
		name, isString := role.(string)
		if !isString {
			return fmt.Errorf("jwx: role is not a string: %v", role)
		}
		user.Roles = append(user.Roles, name)
	}
	return nil
}
