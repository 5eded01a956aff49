package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Discord describes Discord accounts, for the client IDs given.
//
// Send the ID token, asked for with the scope "openid"; access tokens are opaque.
// The identity rests on "sub", the user's number.
//
// Unconfirmed: everything about the token but the issuer, its key set and RS256,
// which the discovery document states.
func Discord(clientIDs ...string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        "https://discord.com",
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
	}
}
