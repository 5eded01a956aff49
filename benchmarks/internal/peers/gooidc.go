package peers

import (
	"context"
	"fmt"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
	"github.com/oidcauth/oidcauth/benchmarks/internal/refusals"
)

// GoOIDC is coreos/go-oidc: discovery, a remote key set, and a verifier.
func GoOIDC() Peer {
	return Peer{
		Name:       "go-oidc",
		Modules:    []string{"github.com/coreos/go-oidc/v3"},
		About:      "Provider.Verifier, then IDToken.Claims into a struct; middleware by hand",
		RemoteKeys: true,
		Unchecked: []string{
			refusals.IssuedInFuture, refusals.NoSubject, refusals.TokenType, refusals.DuplicateName,
			refusals.OtherCase, refusals.ExpiryAsString, refusals.TrailingBits, refusals.LineBreak,
		},
		Open: openGoOIDC,
	}
}

func openGoOIDC(ctx context.Context, s Setup) (*Verifier, error) {
	ctx = oidc.ClientContext(ctx, s.Issuer.Client())
	provider, err := oidc.NewProvider(ctx, s.Issuer.URL)
	if err != nil {
		return nil, fmt.Errorf("go-oidc: %w", err)
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: idp.Audience})

	authenticate := func(ctx context.Context, token string, user *User) error {
		idToken, err := verifier.Verify(ctx, token)
		if err != nil {
			return err
		}
		var claims privateClaims // what IDToken does not hold itself
		if err := idToken.Claims(&claims); err != nil {
			return err
		}
		*user = User{
			Issuer:   idToken.Issuer,
			Subject:  idToken.Subject,
			Audience: idToken.Audience,
			Expiry:   idToken.Expiry,
			Scopes:   strings.Fields(claims.Scope),
			Email:    claims.Email,
			Roles:    claims.Roles,
		}
		return nil
	}
	return byHand(authenticate, func() {}), nil
}
