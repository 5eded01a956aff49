package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Dex describes a Dex server by its issuer as configured
// ("https://dex.example.com") and the client IDs of the applications.
//
// Send the ID token. Dex's access tokens look the same (unconfirmed) and are
// accepted too. Dex turns logins that give no ID token, with GitHub for instance,
// into ones that do.
//
// The identity rests on "sub", which is made of the connector's ID and the user's
// ID there: it is stable as long as the connector keeps its ID. Roles are in
// "groups", where the scope "groups" was asked for; groups of two connectors with
// one name are not told apart. A token lives 24 hours by default: a socket can
// live as long.
func Dex(issuer string, clientIDs ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("Dex", "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256", "ES256"},
		Roles:      []oidcauth.Path{{"groups"}},
	}
}
