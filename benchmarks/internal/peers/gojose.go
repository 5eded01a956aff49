package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// GoJOSE is go-jose with its jwt package. It fetches no keys: here they are
// fetched once, by hand.
func GoJOSE() Peer {
	return Peer{
		Name:    "go-jose",
		Modules: []string{"github.com/go-jose/go-jose/v4"},
		About:   "jwt.ParseSigned, Claims, ValidateWithLeeway; keys fetched once and middleware by hand",
		Unchecked: []string{
			refusals.NoExpiry, refusals.NoSubject, refusals.TokenType, refusals.TrailingBits,
			refusals.LineBreak,
		},
		Open: openGoJOSE,
	}
}

func openGoJOSE(ctx context.Context, s Setup) (*Verifier, error) {
	keys, err := fetchKeys(ctx, s.Issuer)
	if err != nil {
		return nil, fmt.Errorf("go-jose: %w", err)
	}
	algorithms := []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA, jose.PS256, jose.RS512}
	expected := jwt.Expected{Issuer: s.Issuer.URL, AnyAudience: jwt.Audience{idp.Audience}}

	authenticate := func(_ context.Context, token string, user *User) error {
		parsed, err := jwt.ParseSigned(token, algorithms)
		if err != nil {
			return err
		}
		var claims struct {
			jwt.Claims
			Scope string   `json:"scope"`
			Email string   `json:"email"`
			Roles []string `json:"roles"`
		}
		if err := parsed.Claims(keys, &claims); err != nil {
			return err
		}
		if err := claims.ValidateWithLeeway(expected, Leeway); err != nil {
			return err
		}
		*user = User{
			Issuer:   claims.Issuer,
			Subject:  claims.Subject,
			Audience: claims.Audience,
			Expiry:   claims.Expiry.Time(),
			Scopes:   strings.Fields(claims.Scope),
			Email:    claims.Email,
			Roles:    claims.Roles,
		}
		return nil
	}
	return byHand(authenticate, func() {}), nil
}

func fetchKeys(ctx context.Context, issuer *idp.Issuer) (*jose.JSONWebKeySet, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer.JWKSURL(), nil)
	if err != nil {
		return nil, err
	}
	response, err := issuer.Client().Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("key set: status %d", response.StatusCode)
	}
	var keys jose.JSONWebKeySet
	return &keys, json.NewDecoder(response.Body).Decode(&keys)
}
