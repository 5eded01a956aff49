package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// ADFS describes an AD FS server (2016 or later) by its host ("adfs.example.com") and the
// client IDs of the applications.
//
// Send the ID token. Access tokens have another issuer, "http://HOST/adfs/services/trust",
// and no subject unless a rule of the web API issues one: they are refused.
//
// The identity rests on "sub", which is another one for each application (unconfirmed):
// applications that share callers need a claim that names them, such as the objectGUID;
// assign Subject. Not "upn", which passes to others. Roles are what issuance rules add:
// assign Roles. A token lives for an hour by default.
func ADFS(host string, clientIDs ...string) oidcauth.Issuer {
	if !isHost(host) {
		return refused("ADFS", "host", host, "a host name in small letters")
	}
	return oidcauth.Issuer{
		URL:        "https://" + host + "/adfs",
		Audiences:  slices.Clone(clientIDs),
		Algorithms: []string{"RS256"},
	}
}
