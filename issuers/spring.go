package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// SpringAccess describes a Spring Authorization Server by its issuer
// ("https://auth.example.com") whose access tokens are sent by the clients given. Their
// IDs are the audiences, unless the server was told to write others.
//
// Send the access token. An ID token has the same header and the same audience, and is
// refused by its "azp" and "nonce", unless [SpringID] is configured beside it. A server
// with a customizer that puts "azp" into access tokens needs another rule: assign
// ClaimRules.
//
// The identity rests on "sub", which is the name that the person signs in with, or a
// client's ID: a name that passes to somebody else takes the identity along. There are
// no roles unless a customizer adds them: assign Roles. Scopes are in "scope", an array.
// An access token lives five minutes by default: a socket needs renewals.
func SpringAccess(issuer string, clientIDs ...string) oidcauth.Issuer {
	i := spring("SpringAccess", issuer, clientIDs)
	i.Name, i.ClaimRules = "access", []oidcauth.ClaimRule{absent("azp"), absent("nonce")}
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
