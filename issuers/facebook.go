package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// FacebookLimitedLogin describes Facebook's Limited Login, for the app IDs given.
//
// Send the ID token that Limited Login gives to an iOS app. Ordinary Facebook
// logins give opaque tokens only; see [Keycloak] or [Auth0ID] for brokers.
//
// The identity rests on "sub", which is another one in every Facebook app and
// does not change. A person who comes through two apps is two callers.
//
// Unconfirmed: which of the three names found the issuer bears today. All three
// are accepted and make one identity, that of "https://www.facebook.com".
// Unconfirmed as well: the lifetime; expect sockets to need a new login after it,
// because there is no token endpoint to renew at.
func FacebookLimitedLogin(appIDs ...string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        "https://www.facebook.com",
		Aliases:    []string{"https://facebook.com", "https://limited.facebook.com"},
		Keys:       oidcauth.KeysFrom{JWKSURL: "https://www.facebook.com/.well-known/oauth/openid/jwks/"},
		Audiences:  slices.Clone(appIDs),
		Algorithms: []string{"RS256"},
	}
}
