package issuers

import (
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/origin"
)

// Clerk describes a Clerk application by its Frontend API URL
// ("https://example.clerk.accounts.dev", "https://clerk.example.com") and the
// origins of its web pages ("https://example.com").
//
// Send the session token. It names no audience: the issuer serves one
// application, and where the token was got in a browser, "azp" names the page's
// origin, which must be among those given. Sessions that are not fully signed in
// ("sts" pending), impersonation ("act"), tokens without a session ("sid") and
// tokens of JWT templates with an audience are refused. To accept the latter
// assign Audiences, and take away the rule on "sid" if the template has none.
//
// The identity rests on "sub", the user's ID, which is stable. Roles are those in
// a claim "roles" of your own. The roles of an organization are left out, since
// whoever may create an organization is admin of it: where that is you alone, or
// after a rule on "o", "id", assign Roles the path "o", "rol".
//
// A session token lives 60 seconds. A socket needs a renewal every minute.
//
// Unconfirmed: RS256 as the only algorithm, and that the tokens of JWT templates
// have no "sid". Whether there is a discovery document is not known; none is used.
func Clerk(frontendAPI string, origins ...string) oidcauth.Issuer {
	if !isURL(frontendAPI) || strings.HasSuffix(frontendAPI, "/") {
		return refused("Clerk", "Frontend API URL", frontendAPI, "one such as https://clerk.example.com")
	}
	for _, page := range origins {
		if err := origin.Check(page); err != nil {
			return refused("Clerk", "origin", page, "one such as https://example.com: "+err.Error())
		}
	}
	return oidcauth.Issuer{
		URL:           frontendAPI,
		Keys:          oidcauth.KeysFrom{JWKSURL: frontendAPI + "/.well-known/jwks.json"},
		DedicatedKeys: true,
		Algorithms:    []string{"RS256"},
		ClaimRules: []oidcauth.ClaimRule{
			absentOrIn(origins, "azp"),
			present("sid"),
			isNot("pending", "sts"),
			absent("act"),
		},
	}
}
