package peers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v3"
	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// GoJWTMiddleware is auth0/go-jwt-middleware: a caching provider, a
// validator and its own middleware.
func GoJWTMiddleware() Peer {
	return Peer{
		Name:       "go-jwt-middleware",
		Modules:    []string{"github.com/auth0/go-jwt-middleware/v3"},
		About:      "jwks.CachingProvider, validator with custom claims, its own middleware",
		RemoteKeys: true,
		Unchecked: []string{
			refusals.NoExpiry, refusals.NoSubject, refusals.TokenType, refusals.Critical,
			refusals.DuplicateName, refusals.ExpiryAsString, refusals.TrailingBits, refusals.LineBreak,
		},
		Open: openGoJWTMiddleware,
	}
}

// auth0Claims are what the validator reads beside the registered claims.
type auth0Claims privateClaims

// Validate is where a program would check its own claims.
func (*auth0Claims) Validate(context.Context) error { return nil }

func openGoJWTMiddleware(ctx context.Context, s Setup) (*Verifier, error) {
	issuer, err := url.Parse(s.Issuer.URL)
	if err != nil {
		return nil, fmt.Errorf("go-jwt-middleware: %w", err)
	}
	provider, err := jwks.NewCachingProvider(
		jwks.WithIssuerURL(issuer), jwks.WithCustomClient(s.Issuer.Client()))
	if err != nil {
		return nil, fmt.Errorf("go-jwt-middleware: %w", err)
	}
	v, err := validator.New(
		validator.WithKeyFunc(provider.KeyFunc),
		validator.WithAlgorithms([]validator.SignatureAlgorithm{
			validator.RS256, validator.ES256, validator.EdDSA, validator.PS256, validator.RS512}),
		validator.WithIssuer(s.Issuer.URL),
		validator.WithAudience(idp.Audience),
		validator.WithAllowedClockSkew(Leeway),
		validator.WithCustomClaims(func() *auth0Claims { return new(auth0Claims) }),
	)
	if err != nil {
		return nil, fmt.Errorf("go-jwt-middleware: %w", err)
	}
	middleware, err := jwtmiddleware.New(jwtmiddleware.WithValidator(v))
	if err != nil {
		return nil, fmt.Errorf("go-jwt-middleware: %w", err)
	}
	if _, err := provider.KeyFunc(ctx); err != nil {
		return nil, fmt.Errorf("go-jwt-middleware: %w", err)
	}
	return &Verifier{
		Authenticate: func(ctx context.Context, token string, user *User) error {
			claims, err := v.ValidateToken(ctx, token)
			if err != nil {
				return err
			}
			return readAuth0(claims, user)
		},
		Middleware: middleware.CheckJWT,
		FromContext: func(ctx context.Context, user *User) bool {
			claims, err := jwtmiddleware.GetClaims[*validator.ValidatedClaims](ctx)
			return err == nil && readAuth0(claims, user) == nil
		},
		Close: func() {},
	}, nil
}

var errAuth0Claims = errors.New("go-jwt-middleware: claims of another type")

func readAuth0(v any, user *User) error {
	claims, ok := v.(*validator.ValidatedClaims)
	if !ok {
		return errAuth0Claims
	}
	custom, ok := claims.CustomClaims.(*auth0Claims)
	if !ok {
		return errAuth0Claims
	}
	*user = User{
		Issuer:   claims.RegisteredClaims.Issuer,
		Subject:  claims.RegisteredClaims.Subject,
		Audience: claims.RegisteredClaims.Audience,
		Expiry:   time.Unix(claims.RegisteredClaims.Expiry, 0),
		Scopes:   strings.Fields(custom.Scope),
		Email:    custom.Email,
		Roles:    custom.Roles,
	}
	return nil
}
