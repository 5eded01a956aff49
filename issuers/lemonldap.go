package issuers

import (
	"github.com/oidcauth/oidcauth"
)

// LemonLDAPAccess describes the people of a LemonLDAP::NG portal by its issuer, which
// ends with a slash unless it was set otherwise ("https://auth.example.com/"), an
// audience of this server, and the client IDs that they sign in with. The audience is
// what a client's "Additional audiences" name, or the client's own ID.
//
// Send the access token. It is opaque, and refused, unless the client has "Access token
// in JWT format" and RS256 to sign it with. ID tokens have "azp" and no "client_id",
// and are refused, unless [LemonLDAPID] is configured beside it; so are the tokens of
// services, unless [LemonLDAPService] is.
//
// The identity rests on "sub", the login that the portal knows the person by. A client's
// own token has its ID there, so that whoever may register clients could be anybody:
// the tokens of clients that are not given are refused, and so are those that name one
// that is as their subject. There are no roles unless a claim is added: assign Roles.
// Tokens live for an hour.
//
// The portal's tool for rotation withdraws the old key at once, and with it all tokens.
// Until it has run, keys and tokens have no key ID.
func LemonLDAPAccess(issuer, audience string, clientIDs ...string) oidcauth.Issuer {
	i := lemonLDAP("LemonLDAPAccess", issuer, []string{audience})
	i.Name = "access"
	i.ClaimRules = append(ofPeople(clientIDs), absent("azp"))
	return i
}

// LemonLDAPService describes clients of a LemonLDAP::NG portal that act for themselves,
// by their IDs. Nobody may be able to sign in with them.
//
// Send the access token, as described at [LemonLDAPAccess]. The identity rests on "sub",
// the client's ID, behind "client:".
func LemonLDAPService(issuer, audience string, clientIDs ...string) oidcauth.Issuer {
	i := lemonLDAP("LemonLDAPService", issuer, []string{audience})
	asServices(&i, clientIDs, claimIn(clientIDs, "client_id"))
	return i
}

// LemonLDAPID describes a LemonLDAP::NG portal whose ID tokens are sent, by the clients
// given. It is like [LemonLDAPAccess] otherwise, also in the identity. An ID token is
// signed with the client's secret, and refused, unless the client's "ID token signature
// algorithm" is RS256.
func LemonLDAPID(issuer string, clientIDs ...string) oidcauth.Issuer {
	i := lemonLDAP("LemonLDAPID", issuer, clientIDs)
	i.Name, i.ClaimRules = "id", []oidcauth.ClaimRule{claimIn(clientIDs, "azp"), absent("client_id")}
	return i
}

func lemonLDAP(function, issuer string, audiences []string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused(function, "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  append([]string(nil), audiences...),
		Algorithms: []string{"RS256", "RS384", "RS512"},
	}
}
