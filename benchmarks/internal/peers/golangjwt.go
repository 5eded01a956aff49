package peers

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// GolangJWT is golang-jwt with the keys of MicahParks/keyfunc.
func GolangJWT() Peer {
	return Peer{
		Name:       "golang-jwt",
		Modules:    []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3"},
		About:      "Parser with every option, keyfunc for the keys, claims in a struct; middleware by hand",
		RemoteKeys: true,
		Unchecked: []string{
			refusals.NoSubject, refusals.TokenType, refusals.Critical, refusals.DuplicateName,
			refusals.OtherCase, refusals.ExpiryAsString, refusals.LineBreak,
		},
		Open: openGolangJWT,
	}
}

type golangJWTClaims struct {
	jwt.RegisteredClaims
	Scope string   `json:"scope"`
	Email string   `json:"email"`
	Roles []string `json:"roles"`
}

func openGolangJWT(ctx context.Context, s Setup) (*Verifier, error) {
	ctx, cancel := context.WithCancel(ctx)
	keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{s.Issuer.JWKSURL()}, keyfunc.Override{
		Client: s.Issuer.Client(),
		// The measurements provoke failures; the log would drown in them.
		RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
			return func(ctx context.Context, err error) {
				slog.DebugContext(ctx, "keyfunc: refresh", "url", url, "error", err)
			}
		},
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("keyfunc: %w", err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(idp.Algorithms()),
		jwt.WithIssuer(s.Issuer.URL),
		jwt.WithAudience(idp.Audience),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(Leeway),
		jwt.WithStrictDecoding(),
	)
	authenticate := func(_ context.Context, token string, user *User) error {
		var claims golangJWTClaims
		if _, err := parser.ParseWithClaims(token, &claims, keys.Keyfunc); err != nil {
			return err
		}
		*user = User{
			Issuer:   claims.Issuer,
			Subject:  claims.Subject,
			Audience: claims.Audience,
			Expiry:   claims.ExpiresAt.Time,
			Scopes:   strings.Fields(claims.Scope),
			Email:    claims.Email,
			Roles:    claims.Roles,
		}
		return nil
	}
	return byHand(authenticate, cancel), nil
}
