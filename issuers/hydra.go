package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// OryHydra describes an Ory Hydra server or an Ory Network project, by its issuer
// as configured ("https://slug.projects.oryapis.com") and the audiences of the
// API.
//
// Send the access token. Hydra's are opaque unless strategies.access_token is
// "jwt", and name no audience unless the client asked for one and the consent
// granted it: such tokens are refused. ID tokens are refused, because they have
// no "client_id".
//
// The identity rests on "sub", the subject that your login page accepted; for
// client credentials the client's ID. Roles are in "ext", "roles", which the
// consent sets. Lifetime is a setting (ttl.access_token): a socket ends with its
// token unless the client renews.
//
// Unconfirmed: a trailing slash in the issuer, which must be given as tokens have
// it; "scp" as an array; "client_id".
func OryHydra(issuer string, audiences ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("OryHydra", "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256"},
		Roles:      []oidcauth.Path{{"ext", "roles"}, {"roles"}},
		ClaimRules: []oidcauth.ClaimRule{present("client_id")},
	}
}
