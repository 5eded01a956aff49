package verifiers_test

// A difference is a token that the description accepts and the verifier refuses, and
// why. Where a verifier accepts what the description refuses, README.md says so in
// words alone.
type difference struct {
	verifier string
	presets  []string
	change   string
	why      string
}

var (
	noLeeway  = "it grants no leeway; the library's is 30 seconds (Config.Leeway)"
	oneClock  = "it grants 5 seconds of leeway; the library's are 30 (Config.Leeway)"
	needsKey  = "it finds keys by their ID alone; the library tries the keys that fit, where a description lets it (KeysFrom.RequireKeyID)"
	oneString = "it wants the audience as a string, as the provider writes it; a list that has it says the same (RFC 7519, section 4.1.3)"
	noIssued  = "it wants a time of issue, which the provider always writes; it may be left out (RFC 7519, section 4.1.6)"
)

var differences = []difference{
	{"@clerk/backend", []string{"Clerk"}, "expired 15 seconds ago", oneClock},
	{"@clerk/backend", []string{"Clerk"}, "not valid for 20 seconds", oneClock},
	{"@clerk/backend", []string{"Clerk"}, "issued in 20 seconds", oneClock},
	{"@clerk/backend", []string{"Clerk"}, "no key ID", needsKey},
	{"@clerk/backend", []string{"Clerk"}, "type jwt in small letters", "it compares letter by letter; types are compared without regard to case (RFC 7515, section 4.1.9)"},
	{"@clerk/backend", []string{"Clerk"}, "no page", "with authorizedParties it wants the claim azp; Clerk leaves it out where the request had no Origin, which the description allows"},

	{"express-oauth2-jwt-bearer", []string{"Auth0Access"}, "expired 15 seconds ago", noLeeway},
	{"express-oauth2-jwt-bearer", []string{"Auth0Access"}, "not valid for 20 seconds", noLeeway},

	{"auth0", []string{"Auth0ID"}, "no time of issue", noIssued},
	{"auth0", []string{"Auth0ID"}, "an audience in a list", "beside other audiences it wants the client in azp (OpenID Connect Core, section 3.1.3.7); Auth0 writes one audience into ID tokens"},
	{"auth0", []string{"Auth0ID"}, "another nonce", "it has asked for the token itself; a server that gets it from somebody knows no nonce"},
	{"auth0", []string{"Auth0ID"}, "no nonce", "it has asked for the token itself; a server that gets it from somebody knows no nonce"},

	{"firebase-admin", []string{"Firebase", "FirebaseAppCheck"}, "expired 15 seconds ago", noLeeway},
	{"firebase-admin", []string{"Firebase", "FirebaseAppCheck"}, "not valid for 20 seconds", noLeeway},
	{"firebase-admin", []string{"FirebaseAppCheck"}, "an audience that is a string", "it wants a list, as Firebase writes it; the string says the same (RFC 7519, section 4.1.3)"},
	{"firebase-admin", []string{"Firebase"}, "an audience in a list", oneString},
	{"firebase-admin", []string{"Firebase"}, "a subject of 130 letters", "Firebase makes none of more than 128; the library's bound is 2048 bytes"},

	{"google-auth-library", []string{"Google", "GoogleServiceAccount", "CloudIAP"}, "no time of issue", noIssued},
	{"google-auth-library", []string{"Google", "GoogleServiceAccount", "CloudIAP"}, "an expiry in ten years", "it wants an expiry within a day; the library has a setting for that (Config.MaxTokenLifetime)"},
	{"google-auth-library", []string{"Google", "GoogleServiceAccount", "CloudIAP"}, "an audience in a list", oneString},
	{"google-auth-library", []string{"Google", "GoogleServiceAccount", "CloudIAP"}, "no key ID", needsKey},

	{"aws-jwt-verify", []string{"CognitoAccess", "CognitoID"}, "expired 15 seconds ago", noLeeway},
	{"aws-jwt-verify", []string{"CognitoAccess", "CognitoID"}, "not valid for 20 seconds", noLeeway},
	{"aws-jwt-verify", []string{"CognitoAccess", "CognitoID"}, "no key ID", needsKey},
	{"aws-jwt-verify", []string{"CognitoID"}, "an audience in a list", oneString},

	{"@okta/jwt-verifier", []string{"Okta"}, "expired 15 seconds ago", noLeeway},
	{"@okta/jwt-verifier", []string{"Okta"}, "not valid for 20 seconds", noLeeway},
	{"@okta/jwt-verifier", []string{"Okta"}, "no key ID", needsKey},

	{"passport-azure-ad", []string{"EntraSingleV2", "EntraSingleV1", "AzureB2C"}, "expired 15 seconds ago", noLeeway},
	{"passport-azure-ad", []string{"EntraSingleV2", "EntraSingleV1", "AzureB2C"}, "an audience in a list", oneString + "; it has a setting for more (allowMultiAudiencesInToken)"},
	{"passport-azure-ad", []string{"EntraSingleV2", "EntraSingleV1", "AzureB2C"}, "no key ID", needsKey},
	{"passport-azure-ad", []string{"EntraSingleV2", "EntraSingleV1", "AzureB2C"}, "no type", "it wants the type JWT, which Entra always writes; it may be left out (RFC 7519, section 5.1)"},
	{"passport-azure-ad", []string{"EntraSingleV2", "EntraSingleV1", "AzureB2C"}, "type jwt in small letters", "it compares letter by letter; types are compared without regard to case (RFC 7515, section 4.1.9)"},

	{"apple-signin-auth", []string{"Apple"}, "expired 15 seconds ago", noLeeway},
	{"apple-signin-auth", []string{"Apple"}, "not valid for 20 seconds", noLeeway},
	{"apple-signin-auth", []string{"Apple"}, "no key ID", needsKey},

	{"@supabase/auth-js", []string{"Supabase"}, "expired 15 seconds ago", noLeeway},
	{"@supabase/auth-js", []string{"Supabase"}, "no key ID", "it asks the server about tokens without a key ID, and about those with a shared secret"},

	{"@workos-inc/node", []string{"WorkOS"}, "expired 15 seconds ago", noLeeway},
	{"@workos-inc/node", []string{"WorkOS"}, "not valid for 20 seconds", noLeeway},

	{"@actions/attest", []string{"GitHubActions"}, "expired 15 seconds ago", noLeeway},
	{"@actions/attest", []string{"GitHubActions"}, "not valid for 20 seconds", noLeeway},
	{"@actions/attest", []string{"GitHubActions"}, "no commit", "it wants every claim that it writes into an attestation; the description wants those that say whose job it is"},

	{"@cloudflare/pages-plugin-cloudflare-access", []string{"CloudflareAccess"}, "expired 15 seconds ago", noLeeway},
	{"@cloudflare/pages-plugin-cloudflare-access", []string{"CloudflareAccess"}, "not valid for 20 seconds", noLeeway},
	{"@cloudflare/pages-plugin-cloudflare-access", []string{"CloudflareAccess"}, "no key ID", needsKey},
}
