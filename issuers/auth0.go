package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// Auth0Access describes an Auth0 tenant whose access tokens are sent, those of
// its default profile and of RFC 9068 alike. The domain is the tenant's
// ("example.eu.auth0.com") or the custom domain that clients log in at; the
// audiences are identifiers of APIs.
//
// Send the access token. It is a JWT only if the client asked for it with the
// parameter "audience"; otherwise it is opaque and refused. The identity rests on
// "sub": "connection|id" for a person, which is stable as long as the person
// keeps the login method, and "client@clients" for a service. Roles are the
// "permissions" that Auth0 adds when role-based access control is on for the API;
// scopes are in "scope". Lifetime is a setting of the API: a socket ends with its
// token unless the client renews it.
func Auth0Access(domain string, audiences ...string) oidcauth.Issuer {
	i := auth0("Auth0Access", domain, audiences)
	i.Name, i.TokenTypes = "access", []string{"JWT", "at+jwt"}
	i.Roles = []oidcauth.Path{{"permissions"}}
	return i
}

// Auth0ID describes an Auth0 tenant whose ID tokens are sent, which is what the
// SpacetimeDB guides do. The domain is as for [Auth0Access]; the audiences are
// client IDs of applications.
//
// Send the ID token. The identity is that of the access token. Roles need an
// action in Auth0 that adds a claim, whose name is a URL: assign Roles. An access
// token is refused, because its audience is an API, unless [Auth0Access] is configured
// beside it.
func Auth0ID(domain string, clientIDs ...string) oidcauth.Issuer {
	i := auth0("Auth0ID", domain, clientIDs)
	i.Name = "id"
	return i
}

func auth0(function, domain string, audiences []string) oidcauth.Issuer {
	if !isHost(domain) {
		return refused(function, "domain", domain, "a host name such as example.auth0.com")
	}
	return oidcauth.Issuer{
		URL:        "https://" + domain + "/",
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256", "RS512", "PS256"},
	}
}
