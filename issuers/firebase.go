package issuers

import "github.com/oidcauth/oidcauth"

// Firebase describes the users of a Firebase project, by the project's ID.
//
// Send the ID token. Custom tokens and session cookies are refused. All projects
// share their keys: issuer and audience, which both are the project, keep other
// projects out. Anonymous users are accepted; a rule on "firebase",
// "sign_in_provider" keeps them out.
//
// The identity rests on "sub", the user's ID, which is stable. Custom claims are
// at the top level; roles are in "roles", if the project sets it.
//
// Unconfirmed: a lifetime of one hour, after which a socket ends unless the
// client renews; the members of "firebase".
func Firebase(project string) oidcauth.Issuer {
	if !made(project, letters, digits, "-.:") || len(project) > 63 || made(project, digits) {
		return refused("Firebase", "project", project, "its ID, such as example-1234, and not its number")
	}
	return oidcauth.Issuer{
		URL:        "https://securetoken.google.com/" + project,
		Keys:       oidcauth.KeysFrom{JWKSURL: "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com", RequireKeyID: true},
		Audiences:  []string{project},
		Algorithms: []string{"RS256"},
	}
}
