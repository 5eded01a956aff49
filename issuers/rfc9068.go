package issuers

import (
	"github.com/oidcauth/oidcauth"
)

// RFC9068 describes the people of any issuer whose access tokens are as RFC 9068 has
// them: of type "at+jwt", with "client_id". Those of Authlib, oidc-provider and Glewlwyd
// are. It takes the issuer's URL, an audience of this server, and the client IDs that
// people sign in with.
//
// Send the access token. ID tokens, which have another type, are refused, and so are the
// tokens of services, unless [RFC9068Service] is configured beside it.
//
// The identity rests on "sub". At most such issuers a client's own token has the client's
// ID there (section 5 of the RFC warns of it), so that whoever may register a client
// could be a person: the tokens of clients that are not given are refused, and so are
// those that name one that is as their subject. Roles are in "roles". How long a token
// lives is the issuer's setting; Authlib's default is ten days.
func RFC9068(issuer, audience string, clientIDs ...string) oidcauth.Issuer {
	i := rfc9068("RFC9068", issuer, audience)
	i.Name, i.ClaimRules = "access", ofPeople(clientIDs)
	return i
}

// RFC9068Service describes clients of an issuer like that of [RFC9068] which act for
// themselves, by their IDs. Nobody may be able to sign in with them.
//
// Send the access token. The identity rests on "sub", the client's ID, behind "client:".
func RFC9068Service(issuer, audience string, clientIDs ...string) oidcauth.Issuer {
	i := rfc9068("RFC9068Service", issuer, audience)
	asServices(&i, clientIDs, claimIn(clientIDs, "client_id"))
	return i
}

func rfc9068(function, issuer, audience string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused(function, "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{URL: issuer, Audiences: []string{audience}, TokenTypes: []string{"at+jwt"}, Roles: []oidcauth.Path{{"roles"}}}
}
