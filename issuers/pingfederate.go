package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// PingFederate describes a PingFederate server by its issuer ("https://sso.example.com")
// and the audiences that its access token manager writes.
//
// Send the access token, of a manager of type "JSON Web Tokens", signed with a key pair,
// whose settings name the issuer, the audience and a "Client ID Claim Name" of client_id:
// they are empty at first (unconfirmed). ID tokens have no "client_id", and are refused.
//
// The identity rests on "sub", which the manager's attribute contract must have, and be
// mapped to what never passes to somebody else. A token whose subject is its client's ID
// is refused, because a person may have that name: have the mapping of client credentials
// write something before the ID that no person's begins with. Roles are what the contract adds: assign Roles. Lifetime is the manager's
// setting.
func PingFederate(issuer string, audiences ...string) oidcauth.Issuer {
	if !isURL(issuer) {
		return refused("PingFederate", "issuer", issuer, "a URL")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(audiences),
		ClaimRules: []oidcauth.ClaimRule{noClients()},
	}
}
