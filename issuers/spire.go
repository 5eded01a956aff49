package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// SPIRE describes the workloads of a SPIRE trust domain ("example.org") by the server's
// jwt_issuer, whose keys the OIDC discovery provider publishes, and audiences of this
// server. Without a jwt_issuer tokens name no issuer: then the issuer is the trust domain
// itself, "spiffe://example.org", as a description of your own.
//
// Send a JWT-SVID, fetched for an audience that is nobody else's.
//
// The identity rests on "sub", the SPIFFE ID. Workloads of another trust domain are
// refused. There are no roles. A token lives for five minutes by default: a socket needs
// renewals.
func SPIRE(trustDomain, jwtIssuer string, audiences ...string) oidcauth.Issuer {
	if !made(trustDomain, letters, digits, ".-_") {
		return refused("SPIRE", "trust domain", trustDomain, "a name such as example.org")
	}
	if !isURL(jwtIssuer) {
		return refused("SPIRE", "issuer", jwtIssuer, "the server's jwt_issuer, a URL")
	}
	return oidcauth.Issuer{
		URL:        jwtIssuer,
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"ES256", "ES384", "RS256"},
		ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"sub"}, Prefix: []string{"spiffe://" + trustDomain + "/"}}},
	}
}
