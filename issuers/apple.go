package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Apple describes Sign in with Apple, for the bundle or services IDs given
// ("com.example.app").
//
// Send the identity token; there is no access token that others could verify.
//
// The identity rests on "sub", which is stable, but another one for each team of
// developers: it changes when an app goes to another team. A rule on
// "email_verified" that wants "true" fits both forms in which Apple sends it.
//
// Unconfirmed: the lifetime (a day, or ten minutes). Apple does not renew
// identity tokens on its own: for long connections exchange them once for tokens
// of an issuer of yours. Unconfirmed as well: a move to "account.apple.com".
func Apple(clientIDs ...string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        "https://appleid.apple.com",
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
	}
}
