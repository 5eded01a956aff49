package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// SpringAccess describes the people of a Spring Authorization Server by its issuer
// ("https://auth.example.com") and the client IDs that they sign in with. Those are the
// audiences, unless the server was told to write others.
//
// Send the access token. An ID token has the same header and the same audience, and is
// refused by its "azp" and "nonce", unless [SpringID] is configured beside it. A server
// with a customizer that puts "azp" into access tokens needs another rule: assign
// ClaimRules. The tokens of services are refused, unless [SpringService] is configured
// beside it.
//
// The identity rests on "sub", which is the name that the person signs in with: a name
// that passes to somebody else takes the identity along. A client's own token has the
// client's ID there, so that a person who may choose the name could be a service: tokens
// whose subject is one of the clients are refused.
//
// There are no roles unless a customizer adds them: assign Roles. Where it adds the
// authorities of Spring Security 7, "FACTOR_PASSWORD" is among them, which everybody has
// who signed in with a password. Scopes are in "scope", an array. An access token lives
// five minutes by default: a socket needs renewals.
func SpringAccess(issuer string, clientIDs ...string) oidcauth.Issuer {
	i := spring("SpringAccess", issuer, clientIDs)
	i.Name = "access"
	i.ClaimRules = []oidcauth.ClaimRule{absent("azp"), absent("nonce"), notClients(clientIDs)}
	return i
}

// SpringService describes clients of a Spring Authorization Server that act for
// themselves, by their IDs. Nobody may be able to sign in with them.
//
// Send the access token, as described at [SpringAccess]. The identity rests on "sub", the
// client's ID, behind "client:".
func SpringService(issuer string, clientIDs ...string) oidcauth.Issuer {
	i := spring("SpringService", issuer, clientIDs)
	asServices(&i, clientIDs, absent("azp"))
	return i
}

// SpringID describes a Spring Authorization Server whose ID tokens are sent. It is like
// [SpringAccess] otherwise, also in the identity; the tokens live for 30 minutes.
func SpringID(issuer string, clientIDs ...string) oidcauth.Issuer {
	i := spring("SpringID", issuer, clientIDs)
	i.Name, i.ClaimRules = "id", []oidcauth.ClaimRule{claimIn(clientIDs, "azp"), absent("scope")}
	return i
}

func spring(function, issuer string, clientIDs []string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused(function, "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256", "ES256"},
	}
}
