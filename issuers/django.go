package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// DjangoOAuthToolkit describes a Django server with django-oauth-toolkit by its issuer
// ("https://app.example.com/o") and the client IDs of the applications.
//
// Send the ID token: access tokens are opaque in every flow, so that services, which get
// nothing else, cannot be accepted but by introspection. An application must have RS256
// as its algorithm, the server a key (OIDC_RSA_PRIVATE_KEY) and OIDC_ENABLED.
//
// The identity rests on "sub", the number of the user's row, which is stable. Roles are
// in the claims that a validator of yours adds: assign Roles. An ID token lives for ten
// hours by default. The issuer follows the Host header of the request unless
// OIDC_ISS_ENDPOINT is set: set it.
func DjangoOAuthToolkit(issuer string, clientIDs ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("DjangoOAuthToolkit", "issuer", issuer, "a URL such as https://app.example.com/o")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
	}
}
