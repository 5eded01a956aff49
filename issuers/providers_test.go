package issuers_test

// provider is one description, written as a user would write it, with what is
// known about its tokens.
type provider struct {
	call     string // after "issuers."
	tokens   string // file of testdata/providers
	accepts  map[string]caller
	document string   // file of testdata/discovery; empty if none was found
	replaces []string // in the document: what, by what, …

	real string // what stands for the real software, if no test in interop runs it
}

// caller is who an accepted token stands for.
type caller struct {
	subject string
	roles   []string
	scopes  []string
}

const (
	guidUser = "72f988bf-86f1-41af-91ab-2d7cd011db47|690222be-ff1a-4d56-abd1-7e4f7d38e474"
)

var providers = []provider{
	{
		call:   `SpacetimeAuth("client_example")`,
		tokens: "spacetimeauth",
		accepts: map[string]caller{
			"ID token":       {subject: "user_ergqg1q5eg15fdd54"},
			"Steam ID token": {subject: "user_example"},
		},
	}, {
		call:   `Auth0Access("my-domain.auth0.com", "https://example.com/health-api")`,
		tokens: "auth0",
		accepts: map[string]caller{
			"access token":             {subject: "auth0|123456", scopes: []string{"openid", "profile", "read:patients", "read:admin"}},
			"access token of RFC 9068": {subject: "auth0|123456", scopes: []string{"openid", "profile", "read:patients", "read:admin"}},
		},
	}, {
		call:    `Auth0ID("my-domain.auth0.com", "my_client_id")`,
		tokens:  "auth0",
		accepts: map[string]caller{"ID token": {subject: "auth0|123456"}},
	}, {
		call:   `Clerk("https://your-site.clerk.accounts.dev", "https://example.com")`,
		tokens: "clerk",
		accepts: map[string]caller{
			"session token":              {subject: "user_123"},
			"session token of version 1": {subject: "user_123"},
		},
	}, {
		call:   `Keycloak("https://keycloak.example.com/auth/realms/master", "my-db")`,
		tokens: "keycloak",
		accepts: map[string]caller{"access token": {
			subject: "89d7263a-bd77-4cfc-bef5-22e3f8fecc5b",
			roles:   []string{"offline_access", "admin", "uma_authorization"}, scopes: []string{"openid", "profile", "email"},
		}},
		document: "keycloak-legacy-auth-path.json",
		replaces: []string{"http://keycloak.local.alerta.io:9090", "https://keycloak.example.com"},
	}, {
		call:     `KeycloakID("https://keycloak.example.com/auth/realms/master", "my-ui")`,
		tokens:   "keycloak",
		accepts:  map[string]caller{"ID token": {subject: "89d7263a-bd77-4cfc-bef5-22e3f8fecc5b"}},
		document: "keycloak-legacy-auth-path.json",
		replaces: []string{"http://keycloak.local.alerta.io:9090", "https://keycloak.example.com"},
	}, {
		call:    `Firebase("my-project")`,
		tokens:  "firebase",
		accepts: map[string]caller{"ID token": {subject: "uid123"}},
	}, {
		call:   `Google("123-abc.apps.googleusercontent.com")`,
		tokens: "google",
		accepts: map[string]caller{
			"ID token":                        {subject: "100000000000000000000"},
			"ID token, issuer without scheme": {subject: "100000000000000000000"},
		},
		document: "google.json",
	}, {
		call:     `GoogleServiceAccount("https://app.example.com", "bot@acme.iam.gserviceaccount.com")`,
		tokens:   "google-service-account",
		accepts:  map[string]caller{"ID token": {subject: "117000000000000000000"}},
		document: "google.json",
	}, {
		call:   `GitHubActions("https://github.com/octo-org", "65")`,
		tokens: "github-actions",
		accepts: map[string]caller{
			"job":                   {subject: "74"},
			"job, subject with IDs": {subject: "74"},
		},
		document: "github-actions.json",
	}, {
		call:   `FacebookLimitedLogin("1234567890")`,
		tokens: "facebook-limited-login",
		accepts: map[string]caller{
			"ID token":               {subject: "10150000000000000"},
			"ID token, older issuer": {subject: "10150000000000000"},
		},
		document: "facebook.json",
	}, {
		call:    `BetterAuth("https://app.example.com")`,
		tokens:  "better-auth",
		accepts: map[string]caller{"token": {subject: "user-id"}},
	}, {
		call:   `EntraSingleV2("72f988bf-86f1-41af-91ab-2d7cd011db47", "6e74172b-be56-4843-9ff4-e66a39bb12e3")`,
		tokens: "entra",
		accepts: map[string]caller{
			"access token":                   {subject: guidUser, scopes: []string{"access_as_user"}},
			"access token of an application": {subject: guidUser, roles: []string{"Data.Write"}},
		},
	}, {
		call:   `EntraSingleV1("f24341ef-7a6f-4cff-abb7-99a11ab11127", "ef1da9d4-ff77-4c3e-a005-840c3f830745", "api://my-db")`,
		tokens: "entra",
		accepts: map[string]caller{"access token of version 1": {
			subject: "f24341ef-7a6f-4cff-abb7-99a11ab11127|02223b6b-aa1d-42d4-9ec0-1b2bb9194438", scopes: []string{"user_impersonation"},
		}},
		document: "entra-tenant-v1.json",
	}, {
		call:   `EntraMulti("6e74172b-be56-4843-9ff4-e66a39bb12e3", "72f988bf-86f1-41af-91ab-2d7cd011db47")`,
		tokens: "entra",
		accepts: map[string]caller{
			"access token":                   {subject: guidUser, scopes: []string{"access_as_user"}},
			"access token of an application": {subject: guidUser, roles: []string{"Data.Write"}},
		},
		document: "entra-common-v2.json",
	}, {
		call:   `Okta("https://oie-8764513.oktapreview.com/oauth2/default", "api://default")`,
		tokens: "okta",
		accepts: map[string]caller{"access token": {
			subject: "00uexample", scopes: []string{"openid", "profile", "email", "groups"},
		}},
		document: "okta-custom-default.json",
	}, {
		call:   `CognitoAccess("us-east-2_XXXXXXX", "57cbishk4j24pabc1234567890")`,
		tokens: "cognito",
		accepts: map[string]caller{"access token": {
			subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", roles: []string{"admin"}, scopes: []string{"aws.cognito.signin.user.admin"},
		}},
		document: "cognito.json",
	}, {
		call:     `CognitoID("us-east-2_XXXXXXX", "57cbishk4j24pabc1234567890")`,
		tokens:   "cognito",
		accepts:  map[string]caller{"ID token": {subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", roles: []string{"admin"}}},
		document: "cognito.json",
	}, {
		call:     `Apple("com.example.app")`,
		tokens:   "apple",
		accepts:  map[string]caller{"identity token": {subject: "000000.00000000000000000000000000000000.0000"}},
		document: "apple.json",
	}, {
		call:   `Supabase("abcdefghijklmnopqrst")`,
		tokens: "supabase",
		accepts: map[string]caller{"access token": {
			subject: "123e4567-e89b-12d3-a456-426614174000", roles: []string{"authenticated"},
		}},
	}, {
		call:   `WorkOS("client_01EXAMPLE")`,
		tokens: "workos",
		accepts: map[string]caller{
			"access token":                      {subject: "user_01HBEQKA6K4QJAS93VPE39W1JT", roles: []string{"member", "member", "posts:read", "posts:write"}},
			"access token, issuer with a slash": {subject: "user_01HBEQKA6K4QJAS93VPE39W1JT", roles: []string{"member", "member", "posts:read", "posts:write"}},
		},
	}, {
		call:   `OryHydra("https://slug.projects.oryapis.com", "https://db.example.com")`,
		tokens: "ory-hydra",
		accepts: map[string]caller{"access token": {
			subject: "user-uuid", roles: []string{"admin"}, scopes: []string{"openid"},
		}},
	}, {
		call:    `OryHydraService("https://slug.projects.oryapis.com", "https://db.example.com", "importer")`,
		tokens:  "ory-hydra",
		accepts: map[string]caller{"access token of a service": {subject: "client:importer", scopes: []string{"write"}}},
	}, {
		call:    `SpringAccess("https://auth.example.com", "messaging-client")`,
		tokens:  "spring",
		accepts: map[string]caller{"access token": {subject: "user1", scopes: []string{"openid", "message.read"}}},
	}, {
		call:    `SpringID("https://auth.example.com", "messaging-client")`,
		tokens:  "spring",
		accepts: map[string]caller{"ID token": {subject: "user1"}},
	}, {
		call:    `SpringService("https://auth.example.com", "importer")`,
		tokens:  "spring",
		accepts: map[string]caller{"access token of a service": {subject: "client:importer", scopes: []string{"message.write"}}},
	}, {
		call:    `LemonLDAPAccess("https://auth.example.com/", "my-db", "app")`,
		tokens:  "lemonldap",
		accepts: map[string]caller{"access token": {subject: "dwho", scopes: []string{"openid", "email"}}},
	}, {
		call:    `LemonLDAPID("https://auth.example.com/", "app")`,
		tokens:  "lemonldap",
		accepts: map[string]caller{"ID token": {subject: "dwho"}},
	}, {
		call:    `LemonLDAPService("https://auth.example.com/", "my-db", "importer")`,
		tokens:  "lemonldap",
		accepts: map[string]caller{"access token of a service": {subject: "client:importer", scopes: []string{"write"}}},
	}, {
		call:   `RFC9068("https://issuer.example.com", "my-db", "app")`,
		tokens: "rfc9068",
		accepts: map[string]caller{
			"access token":             {subject: "alice", scopes: []string{"read"}},
			"access token of Authlib":  {subject: "alice", scopes: []string{"read"}},
			"access token of Glewlwyd": {subject: "fk4c0Xn7T2sLbVdE6hGuQ9rYpZ1mJwA8", scopes: []string{"read"}},
		},
	}, {
		call:    `RFC9068Service("https://issuer.example.com", "my-db", "importer")`,
		tokens:  "rfc9068",
		accepts: map[string]caller{"access token of a service": {subject: "client:importer", scopes: []string{"write"}}},
	}, {
		call:    `DjangoOAuthToolkit("https://app.example.com/o", "my-client")`,
		tokens:  "django-oauth-toolkit",
		accepts: map[string]caller{"ID token": {subject: "1"}},
	}, {
		call:    `SPIRE("example.org", "https://oidc.example.org", "my-db")`,
		tokens:  "spire",
		accepts: map[string]caller{"JWT-SVID": {subject: "spiffe://example.org/importer"}},
	}, {
		call:    `Dex("https://dex.example.com", "example-app")`,
		tokens:  "dex",
		accepts: map[string]caller{"ID token": {subject: "CgcyMzQyNzQ5EgZnaXRodWI", roles: []string{"admins"}}},
	}, {
		call:     `Zitadel("https://my.zitadel.cloud", "344374183645413380")`,
		tokens:   "zitadel",
		accepts:  map[string]caller{"access token": {subject: "345377791925026818", roles: []string{"streaming"}}},
		document: "zitadel-oidc-library.json",
		replaces: []string{"https://localhost:9998/\"", "https://my.zitadel.cloud\"", "https://localhost:9998", "https://my.zitadel.cloud"},
		real:     "library",
	}, {
		call:     `Authentik("https://authentik.example.com/application/o/romm/", "client-id")`,
		tokens:   "authentik",
		accepts:  map[string]caller{"ID token": {subject: "hashed-user-id", roles: []string{"Default Users"}}},
		document: "authentik.json",
	}, {
		call:     `GitLabCI("https://gitlab.com", "https://db.example.com", "20")`,
		tokens:   "gitlab-ci",
		accepts:  map[string]caller{"job": {subject: "project:20"}},
		document: "gitlab-com.json",
	}, {
		call:     `GitLabUser("https://gitlab.com", "application-uid")`,
		tokens:   "gitlab-user",
		accepts:  map[string]caller{"ID token": {subject: "1565012"}},
		document: "gitlab-com.json",
	}, {
		call:     `Kubernetes("https://my-cluster.example.com", "https://my-audience.example.com")`,
		tokens:   "kubernetes",
		accepts:  map[string]caller{"bound token": {subject: "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"}},
		document: "kubernetes-static-s3style.json",
		replaces: []string{
			"https://raw.githubusercontent.com/Azure/azure-workload-identity/testing-manifests/\"", "https://my-cluster.example.com\"",
			"https://raw.githubusercontent.com/Azure/azure-workload-identity/testing-manifests", "https://my-cluster.example.com",
		},
	}, {
		call:   `CloudflareAccess("yourteam", "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228")`,
		tokens: "cloudflare-access",
		accepts: map[string]caller{
			"application token":              {subject: "7335d417-61da-459d-899c-0a01c76a2f94"},
			"application token of a service": {subject: "e367826f93b8d71185e03fe518aff3b4.access"},
		},
	}, {
		call:     `Twitch("client_id")`,
		tokens:   "twitch",
		accepts:  map[string]caller{"ID token": {subject: "713936733"}},
		document: "twitch.json",
	}, {
		call:     `Discord("123456789012345678")`,
		tokens:   "discord",
		accepts:  map[string]caller{"ID token": {subject: "80351110224678912"}},
		document: "discord.json",
	}, {
		call:    `BitbucketPipelines("my-workspace", "https://db.example.com", "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f50")`,
		tokens:  "bitbucket-pipelines",
		accepts: map[string]caller{"step": {subject: "{2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f50}"}},
	}, {
		call:    `CircleCI("7c554f0a-1f3e-4b4a-9a3e-0f505d1c2b3b", "https://db.example.com", "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f51")`,
		tokens:  "circleci",
		accepts: map[string]caller{"job": {subject: "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f51"}},
	}, {
		call:    `Buildkite("https://db.example.com", "0184990a-477b-4fa8-9968-496074483ce1")`,
		tokens:  "buildkite",
		accepts: map[string]caller{"job": {subject: "0184990a-477b-4fa8-9968-496074483ce1"}},
	}, {
		call:    `CloudIAP("/projects/123456789012/global/backendServices/987654321")`,
		tokens:  "cloud-iap",
		accepts: map[string]caller{"assertion": {subject: "accounts.google.com:118133858486581853996"}},
	}, {
		call:    `FirebaseAppCheck("1234567890", "1:1234567890:android:321abc456def7890")`,
		tokens:  "firebase-app-check",
		accepts: map[string]caller{"App Check token": {subject: "1:1234567890:android:321abc456def7890"}},
	}, {
		call:    `LINE("1234567890")`,
		tokens:  "line",
		accepts: map[string]caller{"ID token": {subject: "U00000000000000000000000000000000"}},
	}, {
		call:   `PingFederate("https://sso.example.com", "my-db")`,
		tokens: "pingfederate",
		accepts: map[string]caller{"access token": {
			subject: "8f14e45f-ceea-467f-a9d6-0f505d1c2b3a", scopes: []string{"openid", "profile"},
		}},
	}, {
		call:    `ADFS("adfs.example.com", "1fcbf5b3-3c8d-4f7c-9f6a-0a4f2b11d8aa")`,
		tokens:  "adfs",
		accepts: map[string]caller{"ID token": {subject: "pM9GqkqYz4qYl0Q3kZzJ8m4b1c2d3e4f5g6h7i8j9k0="}},
	}, {
		call:   `AzureB2C("contosob2c", "775527ff-9a37-4307-8b3d-cc311f58d925", "B2C_1_signin", "90c0fe63-bcf2-44d5-8fb7-b8bbc0b29dc6")`,
		tokens: "azure-b2c",
		accepts: map[string]caller{"access token": {
			subject: "884408e1-2918-4ca0-b12d-3aa027d7563b", scopes: []string{"read"},
		}},
	},
}
