package verifiers_test

import (
	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
)

// A verifier is one that a provider publishes, set up for what one description of
// package issuers is for.
type verifier struct {
	name    string // npm's name of the package
	preset  string // the description's function
	issuer  oidcauth.Issuer
	options object // what driver.mjs makes the verifier with
	samples string // file of testdata/providers
	base    object // claims that both need and the samples lack

	accepts []string // samples that both accept
	refuses []string // samples that both refuse
	also    []string // changes, beside those of everybody, after which both refuse
}

const (
	googleClient = "123-abc.apps.googleusercontent.com"
	pool         = "us-east-2_XXXXXXX"
	poolClient   = "57cbishk4j24pabc1234567890"
	entraAPI     = "6e74172b-be56-4843-9ff4-e66a39bb12e3"
	entraAPI1    = "ef1da9d4-ff77-4c3e-a005-840c3f830745"
	auth0API     = "https://example.com/health-api"
	okta         = "https://oie-8764513.oktapreview.com/oauth2/default"
	backend      = "/projects/123456789012/global/backendServices/987654321"
	b2cAPI       = "90c0fe63-bcf2-44d5-8fb7-b8bbc0b29dc6"
	accessTag    = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
)

var verifiers = []verifier{
	{
		name: "@clerk/backend", preset: "Clerk", samples: "clerk",
		issuer:  issuers.Clerk("https://your-site.clerk.accounts.dev", "https://example.com"),
		options: object{"authorizedParties": []string{"https://example.com"}},
		accepts: []string{"session token", "session token of version 1"},
		also:    []string{"not valid for an hour", "no expiry", "no subject", "another page"},
	}, {
		name: "express-oauth2-jwt-bearer", preset: "Auth0Access", samples: "auth0",
		issuer:  issuers.Auth0Access("my-domain.auth0.com", auth0API),
		options: object{"issuerBaseURL": "https://my-domain.auth0.com/", "audience": auth0API},
		accepts: []string{"access token", "access token of RFC 9068"},
		refuses: []string{"ID token"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no expiry", "no audience", "bound to a key"},
	}, {
		name: "auth0", preset: "Auth0ID", samples: "auth0",
		issuer:  issuers.Auth0ID("my-domain.auth0.com", "my_client_id"),
		options: object{"domain": "my-domain.auth0.com", "clientId": "my_client_id"},
		accepts: []string{"ID token"},
		refuses: []string{"access token", "access token of RFC 9068"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no expiry", "no audience", "no subject", "an empty subject"},
	}, {
		name: "firebase-admin", preset: "Firebase", samples: "firebase",
		issuer:  issuers.Firebase("my-project"),
		options: object{"projectId": "my-project"},
		accepts: []string{"ID token"},
		refuses: []string{"custom token", "session cookie"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no audience", "no subject", "an empty subject", "no key ID"},
	}, {
		name: "google-auth-library", preset: "Google", samples: "google",
		issuer:  issuers.Google(googleClient),
		options: object{"audience": googleClient},
		accepts: []string{"ID token", "ID token, issuer without scheme"},
		also:    []string{"another host", "a longer issuer", "another audience", "no expiry", "no audience"},
	}, {
		name: "google-auth-library", preset: "GoogleServiceAccount", samples: "google-service-account",
		issuer:  issuers.GoogleServiceAccount("https://app.example.com", "bot@acme.iam.gserviceaccount.com"),
		options: object{"audience": "https://app.example.com"},
		accepts: []string{"ID token"},
		also:    []string{"another host", "a longer issuer", "another audience", "no expiry", "no audience"},
	}, {
		name: "aws-jwt-verify", preset: "CognitoAccess", samples: "cognito",
		issuer:  issuers.CognitoAccess(pool, poolClient),
		options: object{"userPoolId": pool, "tokenUse": "access", "clientId": poolClient},
		accepts: []string{"access token"},
		refuses: []string{"ID token"},
		also:    []string{"another host", "a longer issuer", "another client", "not valid for an hour", "another use"},
	}, {
		name: "aws-jwt-verify", preset: "CognitoID", samples: "cognito",
		issuer:  issuers.CognitoID(pool, poolClient),
		options: object{"userPoolId": pool, "tokenUse": "id", "clientId": poolClient},
		accepts: []string{"ID token"},
		refuses: []string{"access token"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no audience", "another use"},
	}, {
		name: "@okta/jwt-verifier", preset: "Okta", samples: "okta",
		issuer:  issuers.Okta(okta, "api://default"),
		options: object{"issuer": okta, "audience": "api://default"},
		accepts: []string{"access token"},
		refuses: []string{"access token of the organization", "ID token"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no audience"},
	}, {
		name: "passport-azure-ad", preset: "EntraSingleV2", samples: "entra",
		issuer: issuers.EntraSingleV2(entraTenant, entraAPI),
		options: object{
			"identityMetadata": entraHost + entraTenant + "/v2.0/.well-known/openid-configuration", "clientID": entraAPI,
		},
		accepts: []string{"access token", "access token of an application"},
		refuses: []string{"access token of version 1", "unsigned ID token of version 1"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no expiry", "no audience"},
	}, {
		name: "passport-azure-ad", preset: "EntraSingleV1", samples: "entra",
		issuer: issuers.EntraSingleV1(entraTenant1, entraAPI1),
		options: object{
			"identityMetadata": entraHost + entraTenant1 + "/.well-known/openid-configuration", "clientID": entraAPI1,
		},
		accepts: []string{"access token of version 1"},
		refuses: []string{"access token", "access token of an application", "ID token", "unsigned ID token of version 1"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no expiry", "no audience"},
	}, {
		name: "apple-signin-auth", preset: "Apple", samples: "apple",
		issuer:  issuers.Apple("com.example.app"),
		options: object{"audience": "com.example.app"},
		accepts: []string{"identity token"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no audience"},
	}, {
		name: "@supabase/auth-js", preset: "Supabase", samples: "supabase",
		issuer:  issuers.Supabase("abcdefghijklmnopqrst"),
		options: object{"url": supabaseURL},
		accepts: []string{"access token"},
		refuses: []string{"anon key"},
		also:    []string{"no expiry"},
	}, {
		name: "@workos-inc/node", preset: "WorkOS", samples: "workos",
		issuer:  issuers.WorkOS("client_01EXAMPLE"),
		options: object{"clientId": "client_01EXAMPLE"},
		accepts: []string{"access token", "access token, issuer with a slash"},
		also:    []string{"not valid for an hour"},
	}, {
		name: "@actions/attest", preset: "GitHubActions", samples: "github-actions",
		issuer:  issuers.GitHubActions("nobody", "65"),
		base:    object{"aud": "nobody", "workflow_ref": "octo-org/octo-repo/.github/workflows/example.yml@refs/heads/main"},
		accepts: []string{"job", "job, subject with IDs"},
		also:    []string{"another host", "another audience", "not valid for an hour", "no audience"},
	}, {
		name: "@cloudflare/pages-plugin-cloudflare-access", preset: "CloudflareAccess", samples: "cloudflare-access",
		issuer:  issuers.CloudflareAccess("yourteam", accessTag),
		options: object{"domain": "https://yourteam.cloudflareaccess.com", "aud": accessTag},
		accepts: []string{"application token", "application token of a service"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour"},
	}, {
		name: "firebase-admin", preset: "FirebaseAppCheck", samples: "firebase-app-check",
		issuer:  issuers.FirebaseAppCheck("1234567890", "1:1234567890:android:321abc456def7890"),
		options: object{"projectId": "my-project", "appCheck": true},
		accepts: []string{"App Check token"},
		also:    []string{"another host", "another audience", "not valid for an hour", "no audience"},
	}, {
		name: "google-auth-library", preset: "CloudIAP", samples: "cloud-iap",
		issuer:  issuers.CloudIAP(backend),
		options: object{"audience": backend, "assertion": true},
		accepts: []string{"assertion"},
		also:    []string{"another host", "a longer issuer", "another audience", "no expiry", "no audience"},
	}, {
		name: "passport-azure-ad", preset: "AzureB2C", samples: "azure-b2c",
		issuer: issuers.AzureB2C("contosob2c", b2cTenant, "B2C_1_signin", b2cAPI),
		options: object{
			"identityMetadata": b2cHost + "contosob2c.onmicrosoft.com/B2C_1_signin/v2.0/.well-known/openid-configuration",
			"clientID":         b2cAPI, "isB2C": true, "policyName": "B2C_1_signin",
		},
		accepts: []string{"access token"},
		also:    []string{"another host", "a longer issuer", "another audience", "not valid for an hour", "no expiry", "no audience"},
	},
}
