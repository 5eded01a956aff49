package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// BetterAuth describes a server with Better Auth's JWT plugin, by its base URL
// ("https://app.example.com", without a path) and the audiences of its tokens.
// Without audiences it is the base URL, which is what the plugin sets by itself.
// For development on http://localhost set Keys.InsecureHTTP.
//
// Send the token that the server gives at /api/auth/token. The identity rests on
// "sub", the user's ID, which is stable. The whole user record is in the token;
// roles are in "role", which the admin plugin adds, with commas between them. A token lives 15 minutes: a
// socket needs a new one before that.
//
// With the OAuth provider plugin instead, an [oidcauth.Issuer] with the issuer's
// URL ("https://app.example.com/api/auth") and Audiences is enough; its access
// tokens are JWTs only if a resource is asked for (unconfirmed).
func BetterAuth(baseURL string, audiences ...string) oidcauth.Issuer {
	if !isURL(baseURL) || strings.Count(baseURL, "/") != 2 {
		return refused("BetterAuth", "base URL", baseURL, "one without a path, such as https://app.example.com")
	}
	if len(audiences) == 0 {
		audiences = []string{baseURL}
	}
	return oidcauth.Issuer{
		URL:           baseURL,
		Keys:          oidcauth.KeysFrom{JWKSURL: baseURL + "/api/auth/jwks"},
		Audiences:     slices.Clone(audiences),
		Algorithms:    []string{"EdDSA", "ES256", "RS256", "PS256", "ES512"},
		Roles:         []oidcauth.Path{{"role"}},
		RoleSeparator: ",",
	}
}
