package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

const googleIssuer = "https://accounts.google.com"

// Google describes Google accounts, for the OAuth client IDs given
// ("123-abc.apps.googleusercontent.com").
//
// Send the ID token; access tokens are opaque. Anybody's service account can get
// an ID token for any audience, a client ID included: such tokens are refused
// because their "azp" is none of the clients; for some of them configure
// [GoogleServiceAccount] beside it. Name the client IDs of all your
// apps, since an Android app's token bears its own in "azp" and the server's in
// "aud". To admit one Workspace domain, add a rule on "hd"; the ending of an
// e-mail address proves nothing. An address counts with a rule that
// "email_verified" is "true", and as Subject it is another one's some day.
//
// The identity rests on "sub", which is stable and never used again. It is the
// same whether the token names its issuer with "https://" or without. A token
// lives one hour: a socket needs a new one before that.
//
// Unconfirmed: that a person's token always has "azp".
func Google(clientIDs ...string) oidcauth.Issuer {
	i := google(clientIDs)
	i.Name = "people"
	i.ClaimRules = []oidcauth.ClaimRule{claimIn(clientIDs, "azp")}
	return i
}

// GoogleServiceAccount describes the service accounts of Google Cloud with the
// e-mail addresses given, whose ID tokens are for the audience given: the URL of
// this server, say.
//
// Send the ID token, asked for with the e-mail address included
// (--include-email). Anybody can get a token for any audience, so that the
// address is what admits. The identity rests on "sub", the account's numeric ID.
// A token lives one hour.
//
// Unconfirmed: whether an account that is deleted and created again keeps its ID.
func GoogleServiceAccount(audience string, emails ...string) oidcauth.Issuer {
	for _, email := range emails {
		if !strings.Contains(email, "@") {
			return refused("GoogleServiceAccount", "e-mail address", email, "one such as bot@project.iam.gserviceaccount.com")
		}
	}
	i := google([]string{audience})
	i.Name = "service accounts"
	i.ClaimRules = []oidcauth.ClaimRule{claimIn(emails, "email"), is("true", "email_verified")}
	return i
}

func google(audiences []string) oidcauth.Issuer {
	return oidcauth.Issuer{
		URL:        googleIssuer,
		Aliases:    []string{"accounts.google.com"},
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256"},
	}
}
