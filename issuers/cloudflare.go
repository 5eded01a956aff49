package issuers

import (
	"slices"

	"github.com/oidcauth/oidcauth"
)

// CloudflareAccess describes the applications behind Cloudflare Access, by the
// name of the team, the first part of "example.cloudflareaccess.com", and the
// application audience (AUD) tags.
//
// The token is the application token that Cloudflare puts into the header
// Cf-Access-Jwt-Assertion, which [oidcauth.HeaderToken] takes it out of.
// The organization's own token is refused by "type".
//
// The identity rests on "sub", the user's ID, which is another one after the user
// was removed and added again, and for service tokens, whose "sub" is empty, on
// "common_name", the client ID of the service token. Lifetime is the session
// duration of the application. Cloudflare sends the header when a socket opens
// and never again: a connection cannot renew, and has to be opened anew.
func CloudflareAccess(team string, tags ...string) oidcauth.Issuer {
	if !isLabel(team) {
		return refused("CloudflareAccess", "team", team, "the name before .cloudflareaccess.com")
	}
	url := "https://" + team + ".cloudflareaccess.com"
	return oidcauth.Issuer{
		URL:         url,
		Keys:        oidcauth.KeysFrom{JWKSURL: url + "/cdn-cgi/access/certs"},
		Audiences:   slices.Clone(tags),
		Algorithms:  []string{"RS256"},
		Subject:     []oidcauth.Path{{"sub"}},
		SubjectElse: []oidcauth.Path{{"common_name"}},
		ClaimRules:  []oidcauth.ClaimRule{is("app", "type")},
	}
}
