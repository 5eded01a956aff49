package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// Keycloak describes a Keycloak realm by its issuer
// ("https://sso.example.com/realms/main") and the client IDs that stand for this
// server.
//
// Send the access token; ID and refresh tokens are refused by the claim "typ", ID
// tokens unless [KeycloakID] is configured beside it.
// Without an audience mapper a token names "account" as its audience, and not
// this server: add the mapper "Audience" to a client scope. The issuer depends on
// the host name by which Keycloak was asked, unless its host name is fixed.
//
// The identity rests on "sub", the user's ID in the realm, which is stable; for
// a service it is that of its service account. Roles are the realm's
// ("realm_access") and those of the clients given ("resource_access"). Access
// tokens live between one and five minutes by default: a socket needs renewals.
//
// Logout tokens name the person and the sign-in: assign LogoutBy "sid" if the end of
// one sign-in is to leave the person's others alive.
//
// Access tokens of a client that has to prove its key ("Require DPoP bound tokens") have
// "DPoP" in place of "Bearer", and those of one with "OAuth 2.0 Mutual TLS certificate
// bound access tokens" are bound to its certificate: both are accepted with proof, by
// [oidcauth.Config].DPoP and Certificate.
//
// Lightweight access tokens of people, and those of a client without the scope "basic",
// have no "sub", and are refused: turn on "Add to lightweight access token" at the mapper
// "sub" of that scope.
func Keycloak(realm string, audiences ...string) oidcauth.Issuer {
	i := keycloak("Keycloak", realm, audiences)
	i.Name, i.TokenTypes = "access", []string{"JWT", "at+jwt"}
	i.ClaimRules = []oidcauth.ClaimRule{
		{Claim: oidcauth.Path{"typ"}, In: []string{"Bearer", "DPoP"}},
		{Claim: oidcauth.Path{"cnf", "jkt"}, Present: true, Or: []oidcauth.ClaimRule{is("Bearer", "typ")}},
	}
	return i
}

// KeycloakID describes a Keycloak realm whose ID tokens are sent by the clients given,
// whose IDs are the audiences. It is like [Keycloak] otherwise, also in the identity.
//
// An ID token has roles only where a mapper of the client puts them there ("Add to ID
// token").
func KeycloakID(realm string, clientIDs ...string) oidcauth.Issuer {
	i := keycloak("KeycloakID", realm, clientIDs)
	i.Name, i.ClaimRules = "id", []oidcauth.ClaimRule{is("ID", "typ")}
	return i
}

func keycloak(function, realm string, audiences []string) oidcauth.Issuer {
	if !isURL(realm) || strings.HasSuffix(realm, "/") || !strings.Contains(realm, "/realms/") {
		return refused(function, "realm", realm, "its issuer, https://…/realms/NAME")
	}
	i := oidcauth.Issuer{
		URL:       realm,
		Audiences: slices.Clone(audiences),
		Roles:     []oidcauth.Path{{"realm_access", "roles"}},
	}
	for _, client := range audiences {
		i.Roles = append(i.Roles, oidcauth.Path{"resource_access", client, "roles"})
	}
	return i
}
