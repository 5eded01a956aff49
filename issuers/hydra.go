package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// OryHydra describes the people of an Ory Hydra server or an Ory Network project, by its
// issuer as configured ("https://slug.projects.oryapis.com") and the audiences of the
// API.
//
// Send the access token. Hydra's are opaque unless strategies.access_token is
// "jwt", and name no audience unless the client asked for one and the consent
// granted it: such tokens are refused. ID tokens are refused, because they have
// no "client_id".
//
// The identity rests on "sub", the subject that your login page accepted. A client's own
// token has its ID there, so that whoever may register a client, and choose its ID, could
// be anybody: tokens whose subject is their client are refused; see [OryHydraService] for
// those. Roles are in "ext", "roles", which the consent sets, and in "roles", where
// oauth2.allowed_top_level_claims lists that. Lifetime is a setting (ttl.access_token): a
// socket ends with its token unless the client renews.
//
// For [oidcauth.Authenticator.LogoutHandler] assign LogoutAudiences the client IDs
// that people sign in with. Hydra's logout tokens name a login session ("sid") and
// no subject, and its access tokens say nothing of login sessions by themselves, so
// that a logout ends nothing. Have the consent page put the "login_session_id" of
// the consent request into the access token's claims ("session", "access_token"),
// as "sid", and list "sid" in oauth2.allowed_top_level_claims.
//
// The issuer must be given as tokens have it: with a trailing slash exactly if
// urls.self.issuer has one.
func OryHydra(issuer string, audiences ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("OryHydra", "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Name:       "access",
		Audiences:  slices.Clone(audiences),
		Roles:      []oidcauth.Path{{"ext", "roles"}, {"roles"}},
		ClaimRules: []oidcauth.ClaimRule{noClients()},
	}
}

// OryHydraService describes clients of a server like that of [OryHydra] which act for
// themselves (client credentials), by their IDs. Nobody may be able to sign in with them.
//
// Send the access token. The identity rests on "sub", the client's ID, behind "client:".
func OryHydraService(issuer, audience string, clientIDs ...string) oidcauth.Issuer {
	i := OryHydra(issuer, audience)
	if !isURL(issuer) {
		return refused("OryHydraService", "issuer", issuer, "a URL")
	}
	asServices(&i, clientIDs, claimIn(clientIDs, "client_id"))
	return i
}
