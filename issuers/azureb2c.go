package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// AzureB2C describes a tenant of Azure AD B2C, by its name (the part before
// ".b2clogin.com"), its ID, the name of a user flow or policy as tokens have it in "tfp"
// ("B2C_1_signin"), and the application IDs of this server.
//
// Send the access token, asked for with a scope of this server. ID tokens have no "scp",
// and are refused. All policies of a tenant share its keys and its issuer, also those
// that ask for less than yours, or let people say who they are: "tfp" keeps them apart.
// To admit several policies add their names to the rule on "tfp", the first of ClaimRules.
// Custom policies may write "acr" instead: assign ClaimRules.
//
// The identity rests on "sub", the user's object ID in the tenant, which is stable.
// There are no roles. A token lives for an hour by default.
func AzureB2C(tenant, tenantID, policy string, applicationIDs ...string) oidcauth.Issuer {
	switch {
	case !isLabel(tenant):
		return refused("AzureB2C", "tenant", tenant, "the name before .b2clogin.com")
	case !isGUID(tenantID):
		return refused("AzureB2C", "tenant ID", tenantID, wantGUID)
	case !isName(policy):
		return refused("AzureB2C", "policy", policy, "a name such as B2C_1_signin")
	}
	for _, id := range applicationIDs {
		if !isGUID(id) {
			return refused("AzureB2C", "application ID", id, wantGUID)
		}
	}
	host := "https://" + tenant + ".b2clogin.com/"
	return oidcauth.Issuer{
		URL: host + tenantID + "/v2.0/",
		Keys: oidcauth.KeysFrom{
			DiscoveryURL: host + tenant + ".onmicrosoft.com/" + policy + "/v2.0/.well-known/openid-configuration",
		},
		Audiences:  slices.Clone(applicationIDs),
		Algorithms: []string{"RS256"},
		ClaimRules: []oidcauth.ClaimRule{is(policy, "tfp"), present("scp")},
	}
}
