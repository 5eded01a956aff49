package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// EntraSingleV2 describes one tenant of Microsoft Entra ID, by its ID (a GUID),
// and the IDs of the API's registration (GUIDs), whose manifest says
// "requestedAccessTokenVersion": 2. Which version a token has depends on the
// manifest alone, not on the address it was got at.
//
// Send the access token for the API, asked for with one of its scopes. Tokens for
// Microsoft's own APIs, such as Graph, cannot be verified by anybody else. ID
// tokens are refused: they have no "azp". A token must have a scope or a role:
// every application of the tenant can get one without either.
//
// The identity rests on "tid" and "oid", the tenant's and the user's or service's
// object IDs, which are stable; "sub" would be another one in every application.
// Without the scope "profile" a token may have no "oid" and is then refused.
// Roles are the application's; "groups" is left out because Entra replaces it by
// a link when there are many. A token lives 60 to 90 minutes, with continuous
// access evaluation up to 28 hours.
func EntraSingleV2(tenant string, audiences ...string) oidcauth.Issuer {
	if !isGUID(tenant) {
		return refused("EntraSingleV2", "tenant", tenant, wantGUID)
	}
	for _, audience := range audiences {
		if !isGUID(audience) {
			return refused("EntraSingleV2", "audience", audience, wantGUID)
		}
	}
	i := entra(audiences, "2.0", "azp")
	i.URL = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	i.ClaimRules = append(i.ClaimRules, is(tenant, "tid"))
	return i
}

// EntraSingleV1 describes one tenant of Microsoft Entra ID whose API still gets
// tokens of version 1.0. The audiences are the API's ID (a GUID), its application
// ID URI ("api://…"), or both. Everything else is as for [EntraSingleV2], except
// that the identity is another one, as the issuer has another name.
//
// Send the access token; an ID token has no "appid" and is refused.
func EntraSingleV1(tenant string, audiences ...string) oidcauth.Issuer {
	if !isGUID(tenant) {
		return refused("EntraSingleV1", "tenant", tenant, wantGUID)
	}
	i := entra(audiences, "1.0", "appid")
	i.URL = "https://sts.windows.net/" + tenant + "/"
	i.Keys.DiscoveryURL = "https://login.microsoftonline.com/" + tenant + "/.well-known/openid-configuration"
	i.ClaimRules = append(i.ClaimRules, is(tenant, "tid"))
	return i
}

// EntraMulti describes the tenants of Microsoft Entra ID that are given by their
// IDs (GUIDs), or all tenants if none is given, for the API with the ID given (a
// GUID), whose tokens are of version 2.0. Everything else is as for
// [EntraSingleV2], also the identity: a caller is the same under both.
//
// A token is accepted only if its issuer is that of its "tid", and its key is one
// that Entra publishes for all tenants or for this one. With all tenants, anybody
// can open a tenant, and is the one who assigns the application's roles in it:
// handlers must check the tenant, by [oidcauth.Claims.Issuer], along with any
// role.
//
// Unconfirmed: that every key published has the member "issuer"; one without is
// not used.
func EntraMulti(audience string, tenants ...string) oidcauth.Issuer {
	if !isGUID(audience) {
		return refused("EntraMulti", "audience", audience, wantGUID)
	}
	i := entra([]string{audience}, "2.0", "azp")
	i.URL = "https://login.microsoftonline.com/{tenantid}/v2.0"
	i.Keys.DiscoveryURL = "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration"
	i.TenantClaim = "tid"
	i.Tenants = slices.Clone(tenants)
	return i
}

const wantGUID = "a GUID in small letters"

// entra is what the tokens of all tenants have in common. The client claim is in
// access tokens only.
func entra(audiences []string, version, client string) oidcauth.Issuer {
	scopeOrRole := present("scp")
	scopeOrRole.Or = []oidcauth.ClaimRule{present("roles")}
	return oidcauth.Issuer{
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"tid"}, {"oid"}},
		ClaimRules: []oidcauth.ClaimRule{is(version, "ver"), present(client), scopeOrRole},
	}
}
