package issuers_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// claims is a change to a sample's claims or header: nil removes a member.
type claims = map[string]any

// A lookalike is a token of the provider's own keys that is not for this server,
// or that could be mistaken for one that is. Those that want no error are the
// twins of the others: just what is still accepted.
type lookalike struct {
	what   string
	call   string // the description's function
	sample string
	header claims
	change claims
	want   error
}

const (
	otherTenant = "11111111-2222-3333-4444-555555555555"
	entraHost   = "https://login.microsoftonline.com/"
	apiServer   = "https://kubernetes.default.svc.cluster.local"
	ourAudience = "https://my-audience.example.com"
)

var lookalikes = []lookalike{
	{"another project's client", "SpacetimeAuth", "ID token", nil, claims{"aud": "client_other", "project_id": "project_other"}, oidcauth.ErrAudience},

	{"an ID token", "Auth0Access", "ID token", nil, nil, oidcauth.ErrAudience},
	{"an access token", "Auth0ID", "access token", nil, nil, oidcauth.ErrAudience},
	{"an access token of RFC 9068 for the client", "Auth0ID", "access token of RFC 9068", nil, claims{"aud": "my_client_id"}, oidcauth.ErrTokenType},
	{"another tenant", "Auth0Access", "access token", nil, claims{"iss": "https://other.auth0.com/"}, oidcauth.ErrUnknownIssuer},
	{"no slash", "Auth0Access", "access token", nil, claims{"iss": "https://my-domain.auth0.com"}, oidcauth.ErrUnknownIssuer},
	{"a role that the user chose", "Auth0Access", "access token", nil, claims{"permissions": []string{"read:patients"}}, nil},

	{"a session that is pending", "Clerk", "session token", nil, claims{"sts": "pending"}, oidcauth.ErrRule},
	{"a session that is active", "Clerk", "session token", nil, claims{"sts": "active"}, nil},
	{"an impersonator", "Clerk", "session token", nil, claims{"act": claims{"sub": "user_admin"}}, oidcauth.ErrRule},
	{"another site's page", "Clerk", "session token", nil, claims{"azp": "https://evil.example"}, oidcauth.ErrRule},
	{"no page", "Clerk", "session token", nil, claims{"azp": nil}, nil},
	{"a template for another service", "Clerk", "session token", nil, claims{"aud": "hasura", "sid": nil}, oidcauth.ErrAudience},
	{"a template without audience", "Clerk", "session token", nil, claims{"sid": nil}, oidcauth.ErrRule},
	{"another application", "Clerk", "session token", nil, claims{"iss": "https://other-site.clerk.accounts.dev"}, oidcauth.ErrUnknownIssuer},

	{"a refresh token", "Keycloak", "refresh token", nil, nil, oidcauth.ErrAudience},
	{"a refresh token for this server", "Keycloak", "refresh token", nil, claims{"aud": "my-db"}, oidcauth.ErrRule},
	{"an ID token", "Keycloak", "ID token", nil, nil, oidcauth.ErrAudience},
	{"an ID token for this server", "Keycloak", "ID token", nil, claims{"aud": "my-db"}, oidcauth.ErrRule},
	{"a token of no kind", "Keycloak", "access token", nil, claims{"typ": nil}, oidcauth.ErrRule},
	{"a token for proofs that is bound to nothing", "Keycloak", "access token", nil, claims{"typ": "DPoP"}, oidcauth.ErrRule},
	{"a bound token without proof", "Keycloak", "access token", nil, claims{"typ": "DPoP", "cnf": claims{"jkt": strings.Repeat("A", 43), "kc-jkt-type": "dpop"}}, oidcauth.ErrProof},
	{"an ID token for this server, bound to a key", "Keycloak", "ID token", nil, claims{"aud": "my-db", "cnf": claims{"jkt": strings.Repeat("A", 43)}}, oidcauth.ErrRule},
	{"the default audience", "Keycloak", "access token", nil, claims{"aud": "account", "azp": "my-db"}, oidcauth.ErrAudience},
	{"another realm", "Keycloak", "access token", nil, claims{"iss": "https://keycloak.example.com/auth/realms/other"}, oidcauth.ErrUnknownIssuer},
	{"type of RFC 9068", "Keycloak", "access token", claims{"typ": "at+jwt"}, nil, nil},
	{"an access token", "KeycloakID", "access token", nil, nil, oidcauth.ErrAudience},
	{"an access token for the client", "KeycloakID", "access token", nil, claims{"aud": "my-ui"}, oidcauth.ErrRule},
	{"an access token of RFC 9068", "KeycloakID", "access token", claims{"typ": "at+jwt"}, claims{"aud": "my-ui"}, oidcauth.ErrTokenType},
	{"a refresh token for the client", "KeycloakID", "refresh token", nil, claims{"aud": "my-ui"}, oidcauth.ErrRule},
	{"another client's", "KeycloakID", "ID token", nil, claims{"aud": "other-ui"}, oidcauth.ErrAudience},

	{"a custom token", "Firebase", "custom token", nil, nil, oidcauth.ErrUnknownIssuer},
	{"a session cookie", "Firebase", "session cookie", nil, nil, oidcauth.ErrUnknownIssuer},
	{"another project", "Firebase", "ID token", nil, claims{"iss": "https://securetoken.google.com/other", "aud": "other"}, oidcauth.ErrUnknownIssuer},
	{"another project's audience", "Firebase", "ID token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
	{"no key ID", "Firebase", "ID token", claims{"kid": nil}, nil, oidcauth.ErrUnknownKey},

	{"a service account's token for the client", "Google", "ID token", nil, claims{"azp": "117000000000000000000"}, oidcauth.ErrRule},
	{"another app", "Google", "ID token", nil, claims{"azp": "456-def.apps.googleusercontent.com"}, oidcauth.ErrRule},
	{"nobody's app", "Google", "ID token", nil, claims{"azp": nil}, oidcauth.ErrRule},
	{"another host", "Google", "ID token", nil, claims{"iss": "accounts.google.com.evil.example"}, oidcauth.ErrUnknownIssuer},
	{"another account", "GoogleServiceAccount", "ID token", nil, claims{"email": "evil@acme.iam.gserviceaccount.com"}, oidcauth.ErrRule},
	{"an account without address", "GoogleServiceAccount", "ID token", nil, claims{"email": nil}, oidcauth.ErrRule},
	{"an address not verified", "GoogleServiceAccount", "ID token", nil, claims{"email_verified": false}, oidcauth.ErrRule},

	{"another owner's repository", "GitHubActions", "job", nil, claims{"repository_owner_id": "66"}, oidcauth.ErrRule},
	{"the owner's name only", "GitHubActions", "job", nil, claims{"repository_owner_id": nil}, oidcauth.ErrRule},
	{"no repository", "GitHubActions", "job", nil, claims{"repository_id": nil}, oidcauth.ErrClaim},
	{"an enterprise's issuer", "GitHubActions", "job", nil, claims{"iss": "https://token.actions.githubusercontent.com/octocat-inc"}, oidcauth.ErrUnknownIssuer},

	{"a name that ends alike", "FacebookLimitedLogin", "ID token", nil, claims{"iss": "https://evil-facebook.com"}, oidcauth.ErrUnknownIssuer},
	{"the third name", "FacebookLimitedLogin", "ID token", nil, claims{"iss": "https://limited.facebook.com"}, nil},

	{"an algorithm that the plugin does not use", "BetterAuth", "token", claims{"alg": "PS384"}, nil, oidcauth.ErrAlgorithm},
	{"a token for another service", "BetterAuth", "token", nil, claims{"aud": "https://other.example.com"}, oidcauth.ErrAudience},

	{"an ID token", "EntraSingleV2", "ID token", nil, nil, oidcauth.ErrRule},
	{"an ID token with roles", "EntraSingleV2", "ID token", nil, claims{"roles": []string{"Data.Write"}}, oidcauth.ErrRule},
	{"an application without a role", "EntraSingleV2", "access token of an application", nil, claims{"roles": nil}, oidcauth.ErrRule},
	{"an application with a list of no roles", "EntraSingleV2", "access token of an application", nil, claims{"roles": []string{}}, oidcauth.ErrRule},
	{"an application with roles in no object", "EntraSingleV2", "access token of an application", nil, claims{"roles": claims{}}, oidcauth.ErrRule},
	{"an empty scope", "EntraSingleV2", "access token", nil, claims{"scp": ""}, oidcauth.ErrRule},
	{"an ID token for nobody", "EntraSingleV2", "access token", nil, claims{"azp": ""}, oidcauth.ErrRule},
	{"another tenant", "EntraSingleV2", "access token", nil, claims{"iss": entraHost + otherTenant + "/v2.0", "tid": otherTenant}, oidcauth.ErrUnknownIssuer},
	{"another tenant's ID", "EntraSingleV2", "access token", nil, claims{"tid": otherTenant}, oidcauth.ErrRule},
	{"another version", "EntraSingleV2", "access token", nil, claims{"ver": "1.0"}, oidcauth.ErrRule},
	{"no object ID", "EntraSingleV2", "access token", nil, claims{"oid": nil}, oidcauth.ErrClaim},
	{"too many groups", "EntraSingleV2", "access token", nil, claims{"_claim_names": claims{"groups": "src1"}}, nil},
	{"an unsigned ID token", "EntraSingleV1", "unsigned ID token of version 1", nil, nil, oidcauth.ErrAlgorithm},
	{"an ID token", "EntraSingleV1", "unsigned ID token of version 1", claims{"alg": "RS256", "kid": "example"}, nil, oidcauth.ErrRule},
	{"another tenant", "EntraSingleV1", "access token of version 1", nil, claims{"iss": "https://sts.windows.net/" + otherTenant + "/"}, oidcauth.ErrUnknownIssuer},
	{"another tenant's ID", "EntraSingleV1", "access token of version 1", nil, claims{"tid": otherTenant}, oidcauth.ErrRule},
	{"the API's URI", "EntraSingleV1", "access token of version 1", nil, claims{"aud": "api://my-db"}, nil},
	{"an ID token with roles", "EntraSingleV1", "access token of version 1", nil, claims{"appid": nil}, oidcauth.ErrRule},
	{"an application without a role", "EntraSingleV1", "access token of version 1", nil, claims{"scp": nil}, oidcauth.ErrRule},
	{"another version", "EntraSingleV1", "access token of version 1", nil, claims{"ver": "2.0"}, oidcauth.ErrRule},
	{"a tenant that is not in the list", "EntraMulti", "access token", nil, claims{"iss": entraHost + otherTenant + "/v2.0", "tid": otherTenant}, oidcauth.ErrUnknownIssuer},
	{"a tenant that says it is another", "EntraMulti", "access token", nil, claims{"tid": otherTenant}, oidcauth.ErrClaim},
	{"the template", "EntraMulti", "access token", nil, claims{"iss": entraHost + "{tenantid}/v2.0", "tid": "{tenantid}"}, oidcauth.ErrUnknownIssuer},
	{"an ID token", "EntraMulti", "ID token", nil, nil, oidcauth.ErrRule},
	{"an ID token with roles", "EntraMulti", "ID token", nil, claims{"roles": []string{"Data.Write"}}, oidcauth.ErrRule},
	{"another version", "EntraMulti", "access token", nil, claims{"ver": "1.0"}, oidcauth.ErrRule},
	{"an application without a role", "EntraMulti", "access token of an application", nil, claims{"roles": nil}, oidcauth.ErrRule},

	{"an ID token", "Okta", "ID token", nil, nil, oidcauth.ErrAudience},
	{"an ID token for this server", "Okta", "ID token", nil, claims{"aud": "api://default"}, oidcauth.ErrClaim},
	{"the organization's server", "Okta", "access token of the organization", nil, nil, oidcauth.ErrUnknownIssuer},
	{"no client", "Okta", "access token", nil, claims{"cid": nil}, oidcauth.ErrRule},
	{"a service", "Okta", "access token", nil, claims{"uid": nil, "sub": "client_id"}, oidcauth.ErrClaim},
	{"another login of the same user", "Okta", "access token", nil, claims{"sub": "married@example.com"}, nil},

	{"an ID token", "CognitoAccess", "ID token", nil, nil, oidcauth.ErrAudience},
	{"an ID token that names its client", "CognitoAccess", "ID token", nil, claims{"client_id": "57cbishk4j24pabc1234567890", "aud": nil}, oidcauth.ErrRule},
	{"bound to another server", "CognitoAccess", "access token", nil, claims{"aud": "https://other-api.example.com"}, oidcauth.ErrRule},
	{"bound to several servers", "CognitoAccess", "access token", nil, claims{"aud": []string{"https://other-api.example.com", ourAudience}}, oidcauth.ErrRule},
	{"with its client as audience", "CognitoAccess", "access token", nil, claims{"aud": "57cbishk4j24pabc1234567890"}, nil},
	{"the issuer's updated name", "CognitoAccess", "access token", nil, claims{"iss": "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX"}, nil},
	{"another pool by the updated name", "CognitoAccess", "access token", nil, claims{"iss": "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_YYYYYYY"}, oidcauth.ErrUnknownIssuer},
	{"another client", "CognitoAccess", "access token", nil, claims{"client_id": "other"}, oidcauth.ErrAudience},
	{"an access token", "CognitoID", "access token", nil, nil, oidcauth.ErrAudience},
	{"an access token that names its audience", "CognitoID", "access token", nil, claims{"aud": "57cbishk4j24pabc1234567890"}, oidcauth.ErrRule},
	{"the issuer's updated name", "CognitoID", "ID token", nil, claims{"iss": "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_XXXXXXX"}, nil},
	{"another pool", "CognitoID", "ID token", nil, claims{"iss": "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_YYYYYYY"}, oidcauth.ErrUnknownIssuer},

	{"another app", "Apple", "identity token", nil, claims{"aud": "com.example.other"}, oidcauth.ErrAudience},
	{"an address verified in the other form", "Apple", "identity token", nil, claims{"email_verified": true}, nil},

	{"the anon key", "Supabase", "anon key", nil, nil, oidcauth.ErrUnknownIssuer},
	{"an anon key of this project", "Supabase", "anon key", nil, claims{"iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1"}, oidcauth.ErrAlgorithm},
	{"an anon key with an asymmetric signature", "Supabase", "access token", nil, claims{"role": "anon"}, oidcauth.ErrRule},
	{"a service_role key with an asymmetric signature", "Supabase", "access token", nil, claims{"role": "service_role"}, oidcauth.ErrRule},
	{"an OAuth application's token", "Supabase", "access token", nil, claims{"client_id": "9a8b7c6d-5e4f-3a2b-1c0d-9e8f7a6b5c4d", "scope": "openid"}, oidcauth.ErrRule},
	{"another project", "Supabase", "access token", nil, claims{"iss": "https://zzzzzzzzzzzzzzzzzzzz.supabase.co/auth/v1"}, oidcauth.ErrUnknownIssuer},
	{"audience as a list", "Supabase", "access token", nil, claims{"aud": []string{"authenticated"}}, nil},

	{"an impersonator", "WorkOS", "access token of an impersonator", nil, nil, oidcauth.ErrRule},
	{"the name with the client's ID", "WorkOS", "access token", nil, claims{"iss": "https://api.workos.com/user_management/client_01EXAMPLE"}, nil},
	{"the name with another client's ID", "WorkOS", "access token", nil, claims{"iss": "https://api.workos.com/user_management/client_01OTHER"}, oidcauth.ErrUnknownIssuer},
	{"a template for another service", "WorkOS", "access token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},

	{"no audience granted", "OryHydra", "access token without audience", nil, nil, oidcauth.ErrAudience},
	{"no audience at all", "OryHydra", "access token", nil, claims{"aud": nil}, oidcauth.ErrAudience},
	{"an ID token", "OryHydra", "access token", nil, claims{"client_id": nil, "scp": nil}, oidcauth.ErrRule},
	{"a client that took a person's name", "OryHydra", "access token of a service", nil, claims{"sub": "user-uuid", "client_id": "user-uuid"}, oidcauth.ErrRule},
	{"another client", "OryHydra", "access token", nil, claims{"client_id": "other"}, nil},
	{"a person", "OryHydraService", "access token", nil, nil, oidcauth.ErrRule},
	{"a person who signed in with the client", "OryHydraService", "access token of a service", nil, claims{"sub": "user-uuid"}, oidcauth.ErrRule},
	{"a person who took the client's name", "OryHydraService", "access token", nil, claims{"sub": "importer"}, oidcauth.ErrRule},

	{"an ID token", "SpringAccess", "ID token", nil, nil, oidcauth.ErrRule},
	{"an ID token without nonce", "SpringAccess", "ID token", nil, claims{"nonce": nil}, oidcauth.ErrRule},
	{"an ID token without azp", "SpringAccess", "ID token", nil, claims{"azp": nil}, oidcauth.ErrRule},
	{"another client's", "SpringAccess", "access token", nil, claims{"aud": "other-client"}, oidcauth.ErrAudience},
	{"a machine's", "SpringAccess", "access token", nil, claims{"sub": "messaging-client", "scope": nil}, oidcauth.ErrRule},
	{"without scopes", "SpringAccess", "access token", nil, claims{"scope": nil}, nil},
	{"an access token", "SpringID", "access token", nil, nil, oidcauth.ErrRule},
	{"an access token with azp", "SpringID", "access token", nil, claims{"azp": "messaging-client"}, oidcauth.ErrRule},
	{"another client's", "SpringID", "ID token", nil, claims{"azp": "other-client"}, oidcauth.ErrRule},
	{"without nonce", "SpringID", "ID token", nil, claims{"nonce": nil}, nil},

	{"a person who signed in with the client", "SpringService", "access token of a service", nil, claims{"sub": "user1"}, oidcauth.ErrRule},
	{"a client that anybody registered", "SpringService", "access token of a service", nil, claims{"sub": "other", "aud": "other"}, oidcauth.ErrAudience},
	{"an ID token of a person of that name", "SpringService", "ID token", nil, claims{"sub": "importer", "aud": "importer", "azp": "importer"}, oidcauth.ErrRule},

	{"an ID token", "LemonLDAPAccess", "ID token", nil, claims{"aud": []string{"app", "my-db"}}, oidcauth.ErrRule},
	{"an ID token that names its client", "LemonLDAPAccess", "ID token", nil, claims{"aud": []string{"app", "my-db"}, "client_id": "app"}, oidcauth.ErrRule},
	{"a client that took a person's name", "LemonLDAPAccess", "access token of a service", nil, claims{"sub": "dwho", "client_id": "dwho"}, oidcauth.ErrRule},
	{"a client of the list for itself", "LemonLDAPAccess", "access token of a service", nil, claims{"sub": "app", "client_id": "app"}, oidcauth.ErrRule},
	{"signed with the client's secret", "LemonLDAPAccess", "access token", claims{"alg": "HS512"}, nil, oidcauth.ErrAlgorithm},
	{"a key ID", "LemonLDAPAccess", "access token", claims{"kid": "example"}, nil, nil},
	{"an access token", "LemonLDAPID", "access token", nil, nil, oidcauth.ErrRule},
	{"an access token that names its party", "LemonLDAPID", "access token", nil, claims{"azp": "app"}, oidcauth.ErrRule},
	{"another client's", "LemonLDAPID", "ID token", nil, claims{"aud": []string{"app", "other"}, "azp": "other"}, oidcauth.ErrRule},
	{"a person", "LemonLDAPService", "access token", nil, nil, oidcauth.ErrRule},
	{"a person who signed in with the client", "LemonLDAPService", "access token of a service", nil, claims{"sub": "dwho"}, oidcauth.ErrRule},
	{"a person who took the client's name", "LemonLDAPService", "access token", nil, claims{"sub": "importer"}, oidcauth.ErrRule},

	{"an ID token", "RFC9068", "ID token", nil, claims{"aud": "my-db", "client_id": "app"}, oidcauth.ErrTokenType},
	{"a client that took a person's name", "RFC9068", "access token of a service", nil, claims{"sub": "alice", "client_id": "alice"}, oidcauth.ErrRule},
	{"a client of the list for itself", "RFC9068", "access token of a service", nil, claims{"sub": "app", "client_id": "app"}, oidcauth.ErrRule},
	{"no client", "RFC9068", "access token", nil, claims{"client_id": nil}, oidcauth.ErrRule},
	{"the long form of the type", "RFC9068", "access token", claims{"typ": "application/at+jwt"}, nil, nil},
	{"a person", "RFC9068Service", "access token", nil, nil, oidcauth.ErrRule},
	{"a person who signed in with the client", "RFC9068Service", "access token of a service", nil, claims{"sub": "alice"}, oidcauth.ErrRule},
	{"a person who took the client's name", "RFC9068Service", "access token", nil, claims{"sub": "importer"}, oidcauth.ErrRule},

	{"another application", "DjangoOAuthToolkit", "ID token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
	{"signed with the application's secret", "DjangoOAuthToolkit", "ID token", claims{"alg": "HS256"}, nil, oidcauth.ErrAlgorithm},
	{"without nonce", "DjangoOAuthToolkit", "ID token", nil, claims{"nonce": nil}, nil},

	{"another trust domain", "SPIRE", "JWT-SVID", nil, claims{"sub": "spiffe://example.org.evil.example/importer"}, oidcauth.ErrRule},
	{"no issuer", "SPIRE", "JWT-SVID", nil, claims{"iss": nil}, oidcauth.ErrUnknownIssuer},
	{"another server", "SPIRE", "JWT-SVID", nil, claims{"aud": []string{"other"}}, oidcauth.ErrAudience},
	{"no type", "SPIRE", "JWT-SVID", claims{"typ": nil}, nil, nil},

	{"another client", "Dex", "ID token", nil, claims{"aud": "other-app"}, oidcauth.ErrAudience},
	{"several audiences", "Dex", "ID token", nil, claims{"aud": []string{"other-app", "example-app"}, "azp": "other-app"}, nil},
	{"another project", "Zitadel", "access token", nil, claims{"aud": []string{"344374183645413381"}}, oidcauth.ErrAudience},
	{"signed with the client's secret", "Authentik", "ID token", claims{"alg": "HS256"}, nil, oidcauth.ErrAlgorithm},
	{"another provider of the server", "Authentik", "ID token", nil, claims{"iss": "https://authentik.example.com/application/o/other/"}, oidcauth.ErrUnknownIssuer},

	{"a person's token for this server", "GitLabCI", "job", nil, claims{"project_id": nil, "project_path": nil, "sub": "1565012"}, oidcauth.ErrClaim},
	{"a person who has a project ID", "GitLabCI", "job", nil, claims{"sub": "1565012"}, oidcauth.ErrRule},
	{"another project", "GitLabCI", "job", nil, claims{"project_id": "21"}, oidcauth.ErrRule},
	{"a job for the application", "GitLabUser", "ID token", nil, claims{"project_id": "20", "sub": "project_path:my-group/my-project:ref_type:branch:ref:x"}, oidcauth.ErrRule},
	{"a job that hides its project", "GitLabUser", "ID token", nil, claims{"project_path": "my-group/my-project"}, oidcauth.ErrRule},

	{"the API server's token", "Kubernetes", "bound token", nil, claims{"aud": []string{apiServer}}, oidcauth.ErrAudience},
	{"a token for the API server, too", "Kubernetes", "bound token", nil, claims{"aud": []string{ourAudience, apiServer}}, oidcauth.ErrRule},
	{"a token for the issuer, too", "Kubernetes", "bound token", nil, claims{"aud": []string{ourAudience, "https://my-cluster.example.com"}}, oidcauth.ErrRule},
	{"a token for another service, too", "Kubernetes", "bound token", nil, claims{"aud": []string{ourAudience, "https://other.example.com"}}, nil},
	{"a legacy token", "Kubernetes", "legacy token", nil, nil, oidcauth.ErrUnknownIssuer},
	{"no account", "Kubernetes", "bound token", nil, claims{"kubernetes.io": claims{"serviceaccount": nil}}, oidcauth.ErrClaim},
	{"an account without UID", "Kubernetes", "bound token", nil, claims{"kubernetes.io": claims{"serviceaccount": claims{"uid": nil}}}, oidcauth.ErrClaim},

	{"the organization's token", "CloudflareAccess", "organization's token", nil, nil, oidcauth.ErrRule},
	{"nobody", "CloudflareAccess", "application token of a service", nil, claims{"common_name": nil}, oidcauth.ErrClaim},
	{"another team", "CloudflareAccess", "application token", nil, claims{"iss": "https://otherteam.cloudflareaccess.com"}, oidcauth.ErrUnknownIssuer},

	{"another repository", "BitbucketPipelines", "step", nil, claims{"repositoryUuid": "{9d2f6c1b-0e4d-4a77-8f21-6b5a4c3d2e10}"}, oidcauth.ErrRule},
	{"the default audience", "BitbucketPipelines", "step, default audience", nil, nil, oidcauth.ErrAudience},
	{"another workspace", "BitbucketPipelines", "step", nil, claims{"iss": "https://api.bitbucket.org/2.0/workspaces/other/pipelines-config/identity/oidc"}, oidcauth.ErrUnknownIssuer},
	{"another branch", "BitbucketPipelines", "step", nil, claims{"branchName": "other"}, nil},
	{"another project", "CircleCI", "job", nil, claims{"oidc.circleci.com/project-id": "9d2f6c1b-0e4d-4a77-8f21-6b5a4c3d2e11"}, oidcauth.ErrRule},
	{"the default audience", "CircleCI", "job, default audience", nil, nil, oidcauth.ErrAudience},
	{"another organization", "CircleCI", "job", nil, claims{"iss": "https://oidc.circleci.com/org/9d2f6c1b-0e4d-4a77-8f21-6b5a4c3d2e11"}, oidcauth.ErrUnknownIssuer},
	{"a job that was run again", "CircleCI", "job", nil, claims{"oidc.circleci.com/ssh-rerun": true}, nil},
	{"another pipeline", "Buildkite", "job", nil, claims{"pipeline_id": "0184990a-477b-4fa8-9968-496074483ce2"}, oidcauth.ErrRule},
	{"a pipeline's name only", "Buildkite", "job without pipeline ID", nil, nil, oidcauth.ErrClaim},
	{"another branch", "Buildkite", "job", nil, claims{"build_branch": "other"}, nil},

	{"another service", "CloudIAP", "assertion", nil, claims{"aud": "/projects/123456789012/global/backendServices/1"}, oidcauth.ErrAudience},
	{"signed with RSA", "CloudIAP", "assertion", claims{"alg": "RS256"}, nil, oidcauth.ErrAlgorithm},
	{"a Workspace account's domain", "CloudIAP", "assertion", nil, claims{"hd": nil}, nil},
	{"another app", "FirebaseAppCheck", "App Check token", nil, claims{"sub": "1:1234567890:web:0"}, oidcauth.ErrRule},
	{"another project", "FirebaseAppCheck", "App Check token", nil, claims{"iss": "https://firebaseappcheck.googleapis.com/1"}, oidcauth.ErrUnknownIssuer},
	{"no key ID", "FirebaseAppCheck", "App Check token", claims{"kid": nil}, nil, oidcauth.ErrUnknownKey},
	{"the project's number alone", "FirebaseAppCheck", "App Check token", nil, claims{"aud": []string{"projects/1234567890"}}, nil},
	{"signed with the channel's secret", "LINE", "ID token of the web flow", nil, nil, oidcauth.ErrAlgorithm},
	{"another channel", "LINE", "ID token", nil, claims{"aud": "987"}, oidcauth.ErrAudience},
	{"an ID token", "PingFederate", "ID token", nil, claims{"aud": "my-db"}, oidcauth.ErrRule},
	{"a client for itself", "PingFederate", "access token", nil, claims{"sub": "app"}, oidcauth.ErrRule},
	{"a client for itself, with words before its name", "PingFederate", "access token", nil, claims{"sub": "client|app"}, nil},
	{"another API", "PingFederate", "access token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
	{"scopes in an array", "PingFederate", "access token", nil, claims{"scope": []string{"openid"}}, nil},
	{"an access token", "ADFS", "access token", nil, nil, oidcauth.ErrUnknownIssuer},
	{"another application", "ADFS", "ID token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
	{"an ID token", "AzureB2C", "ID token", nil, nil, oidcauth.ErrRule},
	{"another policy", "AzureB2C", "access token", nil, claims{"tfp": "B2C_1_guests"}, oidcauth.ErrRule},
	{"no policy", "AzureB2C", "access token", nil, claims{"tfp": nil}, oidcauth.ErrRule},
	{"another tenant", "AzureB2C", "access token", nil, claims{"iss": "https://contosob2c.b2clogin.com/11111111-2222-3333-4444-555555555555/v2.0/"}, oidcauth.ErrUnknownIssuer},

	{"another client", "Twitch", "ID token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
	{"another client", "Discord", "ID token", nil, claims{"aud": "other"}, oidcauth.ErrAudience},
}

func TestLookalikes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tested := make(map[string]int)
	for _, p := range providers {
		a := w.authenticator(t, p, p.issuer(t))
		for _, l := range lookalikes {
			if l.call != p.name() {
				continue
			}
			if l.want != nil {
				tested[l.call]++
			}
			t.Run(l.call+"/"+l.what, func(t *testing.T) {
				token := w.sign(t, sampleOf(t, p.tokens, l.sample).changed(l.header, l.change))
				if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, l.want) {
					t.Errorf("Authenticate() error = %v, want %v", err, l.want)
				}
			})
		}
		if tested[p.name()] == 0 {
			t.Errorf("%s: no look-alike", p.name())
		}
	}
	total := 0
	for _, n := range tested {
		total += n
	}
	if total == 0 || len(tested) != len(providers) {
		t.Errorf("%d look-alikes of %d providers", total, len(tested))
	}
}

// Each rule of each description is needed: without it some token in the tests is
// accepted that must not be.
func TestRulesAreNeeded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, p := range providers {
		for n := range p.issuer(t).ClaimRules {
			issuer := p.issuer(t)
			dropped := issuer.ClaimRules[n]
			issuer.ClaimRules = append(issuer.ClaimRules[:n:n], issuer.ClaimRules[n+1:]...)
			a := w.authenticator(t, p, issuer)
			missed := false
			for _, l := range lookalikes {
				if l.call == p.name() && errors.Is(l.want, oidcauth.ErrRule) {
					token := w.sign(t, sampleOf(t, p.tokens, l.sample).changed(l.header, l.change))
					_, err := a.Authenticate(t.Context(), token)
					missed = missed || err == nil || errors.Is(err, oidcauth.ErrProof)
				}
			}
			if !missed {
				t.Errorf("%s: no test notices that the rule %v is missing", p.name(), dropped)
			}
		}
	}
}
