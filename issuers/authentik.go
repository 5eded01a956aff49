package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// Authentik describes a provider of an authentik server, by its issuer
// ("https://auth.example.com/application/o/SLUG/", with the slash) and the client
// IDs. Choose a signing key for the provider: without one authentik signs with
// the client's secret (HS256, unconfirmed) and its tokens are refused.
//
// Send the ID token. The identity rests on "sub", by default a hash of the user's
// ID, which is stable while the provider's subject mode stays. Roles are in
// "groups". In a sample a token lives five minutes: a socket needs renewals.
//
// For a provider in global issuer mode give the application's address to
// Keys.DiscoveryURL and assign URL the server's ("https://auth.example.com/").
func Authentik(issuer string, clientIDs ...string) oidcauth.Issuer {
	if !isURL(issuer) || !strings.HasSuffix(issuer, "/") {
		return refused("Authentik", "issuer", issuer, "https://…/application/o/SLUG/, with the slash")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256", "ES256", "ES384", "ES512"},
		Roles:      []oidcauth.Path{{"groups"}},
	}
}
