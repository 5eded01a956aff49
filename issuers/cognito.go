package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// CognitoAccess describes an Amazon Cognito user pool, by its ID
// ("us-west-2_Example"), whose access tokens are sent by the app clients given.
//
// Send the access token. It has no "aud"; "client_id" takes its place. ID tokens
// are refused by "token_use", unless [CognitoID] is configured beside it. A token that
// was asked for with the parameter "resource" names that server in "aud", which is
// another one perhaps, and is refused: to accept those for this server, add its URL to
// the rule on "aud", which permits the client IDs alone.
//
// The identity rests on "sub", a UUID in the pool, which is stable. Roles are the
// groups in "cognito:groups", scopes are in "scope". A token lives between five
// minutes and a day, as the app client is set: a socket ends with its token unless
// the client renews.
//
// A pool's tokens name it "https://cognito-idp.…" or, with the issuer type UPDATED,
// "https://issuer-cognito-idp.…": both make one identity, that of the former.
// Unconfirmed: that the keys of such a pool are at the former address, too; else assign
// Keys.JWKSURL.
func CognitoAccess(pool string, clientIDs ...string) oidcauth.Issuer {
	i := cognito("CognitoAccess", pool, "access", clientIDs)
	i.AudienceClaim = "client_id"
	i.ClaimRules = append(i.ClaimRules, absentOrIn(clientIDs, "aud"))
	return i
}

// CognitoID describes an Amazon Cognito user pool whose ID tokens are sent. It is
// like [CognitoAccess] otherwise, also in the identity.
func CognitoID(pool string, clientIDs ...string) oidcauth.Issuer {
	return cognito("CognitoID", pool, "id", clientIDs)
}

func cognito(function, pool, use string, clientIDs []string) oidcauth.Issuer {
	region, id, _ := strings.Cut(pool, "_")
	if !isLabel(region) || !isName(id) {
		return refused(function, "pool", pool, "a user pool's ID such as us-west-2_Example")
	}
	host := region + ".amazonaws.com/" + pool
	return oidcauth.Issuer{
		Name:       use,
		URL:        "https://cognito-idp." + host,
		Aliases:    []string{"https://issuer-cognito-idp." + host},
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
		Roles:      []oidcauth.Path{{"cognito:groups"}},
		ClaimRules: []oidcauth.ClaimRule{is(use, "token_use")},
	}
}
