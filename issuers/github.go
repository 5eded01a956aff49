package issuers

import (
	"github.com/oidcauth/oidcauth"
)

// GitHubActions describes the jobs of GitHub Actions, for an audience of this
// server and the numeric IDs of the organizations or users whose repositories are
// admitted. Names are no substitute for the IDs: they can be given away. A
// workflow chooses its audience freely, so that the owner is what admits.
//
// Send the ID token that a job with the permission "id-token: write" asks for,
// with the audience as parameter. Logins of people with GitHub give no ID token;
// see [Dex], [Keycloak] or [Auth0ID] for brokers.
//
// The identity rests on "repository_id", which survives renames: all jobs of a
// repository are one caller. "sub" contains the branch and is no identity. Add
// rules on "repository_id", "ref", "environment" or "event_name" to admit less.
// All of these are strings. A token lives five minutes: enough for a job to
// connect; a socket ends with it unless the job renews.
//
// For the issuer of an enterprise append "/" and its slug to URL; for GHE.com and
// Enterprise Server assign URL.
func GitHubActions(audience string, ownerIDs ...string) oidcauth.Issuer {
	for _, id := range ownerIDs {
		if !made(id, digits) {
			return refused("GitHubActions", "owner ID", id, "digits, as in repository_owner_id")
		}
	}
	return oidcauth.Issuer{
		URL:        "https://token.actions.githubusercontent.com",
		Audiences:  []string{audience},
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"repository_id"}},
		ClaimRules: []oidcauth.ClaimRule{claimIn(ownerIDs, "repository_owner_id")},
	}
}
