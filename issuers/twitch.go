package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Twitch describes Twitch accounts, for the client IDs given.
//
// Send the ID token; access tokens are opaque. The identity rests on "sub", the
// user's number, which is stable. Twitch has no roles.
//
// Unconfirmed: the token's header and lifetime; expect a socket to need a new
// token from time to time.
func Twitch(clientIDs ...string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        "https://id.twitch.tv/oauth2",
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
	}
}
