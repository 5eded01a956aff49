package issuers

import "github.com/oidcauth/oidcauth"

// WorkOS describes WorkOS AuthKit for one client, by its ID ("client_…").
//
// Send the access token. It names no audience: WorkOS publishes a key set for
// each client, and only this client's is used. A token of a JWT template with an
// audience is refused; to accept it assign Audiences. So is impersonation
// ("act"); take that rule away to admit your own staff in users' names.
//
// The identity rests on "sub", the user's ID, which is stable. Roles are "roles",
// "role" and "permissions", all of them those in the organization "org_id": where
// users belong to several, handlers must check that too. In the documented sample
// a token lives five minutes: a socket needs renewals.
//
// The issuer has three names: the documentation's, that with a trailing slash, and one
// that ends in "/user_management/" and the client's ID. All make one identity, that of the
// first. With a custom authentication domain, or where your tokens say something else,
// assign URL. Unconfirmed: RS256.
func WorkOS(clientID string) oidcauth.Issuer {
	if !isName(clientID) {
		return refused("WorkOS", "client ID", clientID, "one such as client_01EXAMPLE")
	}
	return oidcauth.Issuer{
		URL:           "https://api.workos.com",
		Aliases:       []string{"https://api.workos.com/", "https://api.workos.com/user_management/" + clientID},
		Keys:          oidcauth.KeysFrom{JWKSURL: "https://api.workos.com/sso/jwks/" + clientID},
		DedicatedKeys: true,
		Algorithms:    []string{"RS256"},
		Roles:         []oidcauth.Path{{"roles"}, {"role"}, {"permissions"}},
		ClaimRules:    []oidcauth.ClaimRule{absent("act")},
	}
}
