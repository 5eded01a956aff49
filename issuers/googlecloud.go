package issuers

import (
	"strings"

	"github.com/oidcauth/oidcauth"
)

// CloudIAP describes the callers behind Google's Identity-Aware Proxy, by the audiences
// of the service ("/projects/123/global/backendServices/456", "/projects/123/apps/my-app").
//
// The token is in the header X-Goog-IAP-JWT-Assertion, which [oidcauth.HeaderToken] takes
// it out of.
//
// The identity rests on "sub", which names who signed in with what ("accounts.google.com:
// 123") and is stable. There are no roles. A token lives for ten minutes; the proxy puts
// it into a request when it opens and never again, so that a socket has to be opened anew.
func CloudIAP(audiences ...string) oidcauth.Issuer {
	for _, audience := range audiences {
		if !strings.HasPrefix(audience, "/projects/") {
			return refused("CloudIAP", "audience", audience, "/projects/NUMBER/…")
		}
	}
	return oidcauth.Issuer{
		URL:        "https://cloud.google.com/iap",
		Keys:       oidcauth.KeysFrom{JWKSURL: "https://www.gstatic.com/iap/verify/public_key-jwk"},
		Audiences:  append([]string(nil), audiences...),
		Algorithms: []string{"ES256"},
	}
}

// FirebaseAppCheck describes the apps of a Firebase project, by its number and the IDs of
// the apps admitted ("1:1234567890:android:321abc456def7890").
//
// The App Check token says which app calls, and nothing of who uses it: all its users are
// one caller. Ask for it beside a token of [Firebase], not instead of it, by a second
// Authenticator whose Middleware is outside: the inner one says who the caller is. It comes
// in the header X-Firebase-AppCheck.
//
// The identity rests on "sub", the app's ID. A token lives for an hour by default.
func FirebaseAppCheck(projectNumber string, appIDs ...string) oidcauth.Issuer {
	if !made(projectNumber, digits) {
		return refused("FirebaseAppCheck", "project number", projectNumber, "digits")
	}
	return oidcauth.Issuer{
		URL:        "https://firebaseappcheck.googleapis.com/" + projectNumber,
		Keys:       oidcauth.KeysFrom{JWKSURL: "https://firebaseappcheck.googleapis.com/v1/jwks", RequireKeyID: true},
		Audiences:  []string{"projects/" + projectNumber},
		Algorithms: []string{"RS256"},
		ClaimRules: []oidcauth.ClaimRule{claimIn(appIDs, "sub")},
	}
}
