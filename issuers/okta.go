package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// Okta describes a custom authorization server of an Okta organization, by its
// issuer URI ("https://example.okta.com/oauth2/default") and audiences
// ("api://default"). The organization's own server, whose issuer has no
// "/oauth2/", makes access tokens for Okta alone, and is refused here.
//
// Send the access token; ID tokens are refused, since they have no "uid".
//
// The identity rests on "uid", the user's ID, which is stable: in an access token
// "sub" is the login, which can change. Tokens of services have no user and are
// refused; to accept them assign SubjectElse the path "cid", the client's ID.
// Roles are in "groups", if the server is configured to add that claim, and
// scopes in "scp". Lifetime is a setting of the server's access policy: a socket
// ends with its token unless the client renews.
//
// Unconfirmed: "api://default", and that custom servers put the login into "sub"
// as the sample of an organization's own server does.
func Okta(issuer string, audiences ...string) oidcauth.Issuer {
	if _, server, _ := strings.Cut(issuer, "/oauth2/"); !isURL(issuer) || !isName(server) {
		return refused("Okta", "issuer", issuer, "https://…/oauth2/SERVER, the issuer URI")
	}
	return oidcauth.Issuer{
		URL:        issuer,
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"uid"}},
		Roles:      []oidcauth.Path{{"groups"}},
		ClaimRules: []oidcauth.ClaimRule{present("cid")},
	}
}
