package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// SpacetimeAuth describes SpacetimeAuth, for the clients with the IDs given
// ("client_…").
//
// Send the ID token. The identity rests on "sub": the user's ID ("user_…"), or
// the client's own for tokens of the client credentials grant. One issuer serves
// all projects, so that the audience is what keeps other projects' users out.
//
// Unconfirmed: algorithm, key set, lifetime, and that "roles" holds the roles.
// Look at "exp" in a token of yours before deciding how clients renew theirs.
func SpacetimeAuth(clientIDs ...string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        "https://auth.spacetimedb.com/oidc",
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256", "ES256"},
	}
}
