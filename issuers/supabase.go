package issuers

import "github.com/oidcauth/oidcauth"

// Supabase describes a Supabase project by its reference, the first part of
// "abcdefghijklmnopqrst.supabase.co". The project must sign with an asymmetric
// key: with the legacy shared secret (HS256) its tokens are refused.
//
// Send the user's access token. The anon and service_role keys are JWTs too, and
// are refused. So are the tokens that an OAuth application got in a user's name where the
// project is an OAuth server: by their "client_id", since the audience is the same, and
// scopes keep such an application from nothing. To accept those of your own applications
// assign ClaimRules one on "client_id", In their IDs and Optional, in place of that it is
// absent. All projects name the same audience, so that the issuer is what
// keeps other projects out. Anonymous users are accepted; a rule on
// "is_anonymous", which must be false then, keeps them out, and one on "aal"
// demands a second factor.
//
// The identity rests on "sub", the user's ID, which is stable. Roles are "role",
// always "authenticated", and "app_metadata", "roles". Users write
// "user_metadata" themselves: it proves nothing. Lifetime is a setting of the
// project (one hour in the documented sample): a socket ends with its token
// unless the client renews.
//
// Unconfirmed: the address of the key set, for which two are documented, and
// whether there is a discovery document; none is used.
func Supabase(project string) oidcauth.Issuer {
	if !isLabel(project) {
		return refused("Supabase", "project", project, "its reference, such as abcdefghijklmnopqrst")
	}
	url := "https://" + project + ".supabase.co/auth/v1"
	return oidcauth.Issuer{
		URL:        url,
		Keys:       oidcauth.KeysFrom{JWKSURL: url + "/.well-known/jwks.json"},
		Audiences:  []string{"authenticated"},
		Algorithms: []string{"ES256", "RS256"},
		Roles:      []oidcauth.Path{{"role"}, {"app_metadata", "roles"}},
		ClaimRules: []oidcauth.ClaimRule{is("authenticated", "role"), absent("client_id")},
	}
}
