package issuers_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/issuers"
)

// newError returns the text of the error that New has for the description.
func newError(t *testing.T, i oidcauth.Issuer) string {
	t.Helper()
	a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}})
	if err != nil {
		return err.Error()
	}
	a.Close()
	return ""
}

// TestArguments names, for each argument that cannot be right, words that the
// error of New must contain.
func TestArguments(t *testing.T) {
	t.Parallel()
	tests := []struct{ call, want string }{
		{`SpacetimeAuth()`, "Audiences is empty"},
		{`SpacetimeAuth("")`, "audience is empty"},
		{`Auth0Access("", "x")`, `issuers.Auth0Access: domain is \"\"", want a host name`},
		{`Auth0Access("https://my-domain.auth0.com", "x")`, `domain is \"https://my-domain.auth0.com\"`},
		{`Auth0Access("my-domain.auth0.com/", "x")`, "want a host name"},
		{`Auth0Access("My-Domain.auth0.com", "x")`, "want a host name"},
		{`Auth0Access("my-domain", "x")`, "want a host name"},
		{`Auth0Access("my-domain..auth0.com", "x")`, "want a host name"},
		{`Auth0Access("my-domain.auth0.com")`, "Audiences is empty"},
		{`Auth0ID("my-domain.auth0.com:443", "x")`, "issuers.Auth0ID: domain"},
		{`Clerk("", "https://example.com")`, "Frontend API URL"},
		{`Clerk("clerk.example.com", "https://example.com")`, "Frontend API URL"},
		{`Clerk("https://clerk.example.com/", "https://example.com")`, "Frontend API URL"},
		{`Clerk("http://clerk.example.com", "https://example.com")`, "http"},
		{`Clerk("https://", "https://example.com")`, "https:"},
		{`Clerk("https://clerk.example.com")`, "azp in: got no values, want one at least"},
		{`Clerk("https://clerk.example.com", "")`, `issuers.Clerk: origin is \"\"`},
		{`Clerk("https://clerk.example.com", "example.com")`, `origin is \"example.com\"", want one such as https://example.com`},
		{`Clerk("https://clerk.example.com", "https://example.com", "https://example.com/")`, `origin is \"https://example.com/\"", want one such as https://example.com: something follows the host, a slash for instance`},
		{`Clerk("https://clerk.example.com", "https://Example.com")`, "issuers.Clerk: origin"},
		{`Clerk("https://clerk.example.com", "https://example.com?x")`, "issuers.Clerk: origin"},
		{`Clerk("https://clerk.example.com", "https://")`, "issuers.Clerk: origin"},
		{`Clerk("https://clerk.example.com", "https://example.com:443")`, "issuers.Clerk: origin"},
		{`Clerk("https://clerk.example.com", "://example.com")`, "issuers.Clerk: origin"},
		{`Keycloak("sso.example.com", "x")`, "issuers.Keycloak: realm"},
		{`Keycloak("https://sso.example.com", "x")`, "/realms/NAME"},
		{`Keycloak("https://sso.example.com/realms/main/", "x")`, "/realms/NAME"},
		{`Keycloak("http://sso.example.com/realms/main", "x")`, "http"},
		{`Keycloak("https://sso.example.com/realms/main")`, "Audiences is empty"},
		{`Keycloak("https://sso.example.com/realms/main", "")`, "audience is empty"},
		{`KeycloakID("sso.example.com", "x")`, "issuers.KeycloakID: realm"},
		{`KeycloakID("https://sso.example.com/realms/main")`, "Audiences is empty"},
		{`Firebase("")`, "issuers.Firebase: project"},
		{`Firebase("https://securetoken.google.com/p")`, "issuers.Firebase: project"},
		{`Firebase("1234567890")`, `issuers.Firebase: project is \"1234567890\"", want its ID, such as example-1234, and not its number`},
		{`Google()`, "Audiences is empty"},
		{`Google("")`, "audience is empty"},
		{`GoogleServiceAccount("https://db.example.com")`, "email in: got no values, want one at least"},
		{`GoogleServiceAccount("", "a@b.example")`, "audience is empty"},
		{`GoogleServiceAccount("https://db.example.com", "")`, "e-mail address"},
		{`GitHubActions("https://db.example.com")`, "repository_owner_id in: got no values, want one at least"},
		{`GitHubActions("https://db.example.com", "octo-org")`, `owner ID is \"octo-org\"`},
		{`GitHubActions("https://db.example.com", "")`, "owner ID"},
		{`GitHubActions("", "65")`, "audience is empty"},
		{`FacebookLimitedLogin()`, "Audiences is empty"},
		{`BetterAuth("")`, "base URL"},
		{`BetterAuth("app.example.com")`, "base URL"},
		{`BetterAuth("https://app.example.com/")`, "base URL"},
		{`BetterAuth("https://app.example.com/api/auth")`, "base URL"},
		{`BetterAuth("http://localhost:3000")`, "http"},
		{`BetterAuth("https://app.example.com", "")`, "audience is empty"},
		{`EntraSingleV2("contoso.onmicrosoft.com", "x")`, "issuers.EntraSingleV2: tenant"},
		{`EntraSingleV2("72F988BF-86F1-41AF-91AB-2D7CD011DB47", "x")`, "GUID in small letters"},
		{`EntraSingleV2("72f988bf-86f1-41af-91ab-2d7cd011db47")`, "Audiences is empty"},
		{`EntraSingleV2("72f988bf-86f1-41af-91ab-2d7cd011db47", "api://my-db")`, "issuers.EntraSingleV2: audience"},
		{`EntraSingleV1("", "x")`, "issuers.EntraSingleV1: tenant"},
		{`EntraMulti("")`, "issuers.EntraMulti: audience"},
		{`EntraMulti("api://my-db")`, "issuers.EntraMulti: audience"},
		{`EntraMulti("6e74172b-be56-4843-9ff4-e66a39bb12e3", "contoso.example")`, `tenant "contoso.example" is not a GUID`},
		{`EntraMulti("6e74172b-be56-4843-9ff4-e66a39bb12e3", "")`, "is not a GUID"},
		{`Okta("example.okta.com/oauth2/default", "x")`, "issuers.Okta: issuer"},
		{`Okta("https://example.okta.com", "x")`, "/oauth2/SERVER"},
		{`Okta("https://example.okta.com/oauth2/", "x")`, "/oauth2/SERVER"},
		{`Okta("https://example.okta.com/oauth2/default/", "x")`, "/oauth2/SERVER"},
		{`Okta("https://example.okta.com/oauth2/default")`, "Audiences is empty"},
		{`CognitoAccess("", "x")`, "issuers.CognitoAccess: pool"},
		{`CognitoAccess("us-west-2", "x")`, "issuers.CognitoAccess: pool"},
		{`CognitoAccess("us-west-2_Example")`, "Audiences is empty"},
		{`CognitoID("https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Example", "x")`, "issuers.CognitoID: pool"},
		{`Apple()`, "Audiences is empty"},
		{`Supabase("")`, "issuers.Supabase: project"},
		{`Supabase("https://abcdefghijklmnopqrst.supabase.co")`, "issuers.Supabase: project"},
		{`WorkOS("")`, "issuers.WorkOS: client ID"},
		{`WorkOS("../other")`, "issuers.WorkOS: client ID"},
		{`OryHydra("hydra.example.com", "x")`, "issuers.OryHydra: issuer"},
		{`OryHydra("https://hydra.example.com")`, "Audiences is empty"},
		{`OryHydraService("hydra.example.com", "x", "app")`, "issuers.OryHydraService: issuer"},
		{`OryHydraService("https://hydra.example.com", "x")`, "client_id in: got no values, want one at least"},
		{`SpringAccess("auth.example.com", "x")`, "issuers.SpringAccess: issuer"},
		{`SpringID("auth.example.com", "x")`, "issuers.SpringID: issuer"},
		{`SpringID("https://auth.example.com")`, "Audiences is empty"},
		{`SpringAccess("https://auth.example.com")`, "Audiences is empty"},
		{`SpringService("auth.example.com", "x")`, "issuers.SpringService: issuer"},
		{`SpringService("https://auth.example.com")`, "Audiences is empty"},
		{`LemonLDAPAccess("auth.example.com", "x", "app")`, "issuers.LemonLDAPAccess: issuer"},
		{`LemonLDAPAccess("https://auth.example.com/", "x")`, "client_id in: got no values, want one at least"},
		{`LemonLDAPAccess("https://auth.example.com/", "x", "")`, "client_id in: got no values, want one at least"},
		{`LemonLDAPAccess("https://auth.example.com/", "", "app")`, "audience is empty"},
		{`LemonLDAPService("https://auth.example.com/", "x")`, "client_id in: got no values, want one at least"},
		{`LemonLDAPID("https://auth.example.com/")`, "Audiences is empty"},
		{`RFC9068("issuer.example.com", "x", "app")`, "issuers.RFC9068: issuer"},
		{`RFC9068("https://issuer.example.com", "x")`, "client_id in: got no values, want one at least"},
		{`RFC9068Service("https://issuer.example.com", "x")`, "client_id in: got no values, want one at least"},
		{`DjangoOAuthToolkit("app.example.com/o", "x")`, "issuers.DjangoOAuthToolkit: issuer"},
		{`DjangoOAuthToolkit("https://app.example.com/o")`, "Audiences is empty"},
		{`SPIRE("spiffe://example.org", "https://oidc.example.org", "x")`, "issuers.SPIRE: trust domain"},
		{`SPIRE("", "https://oidc.example.org", "x")`, "issuers.SPIRE: trust domain"},
		{`SPIRE("example.org", "oidc.example.org", "x")`, "issuers.SPIRE: issuer"},
		{`SPIRE("example.org", "https://oidc.example.org")`, "Audiences is empty"},
		{`BitbucketPipelines("https://bitbucket.org/my-workspace", "x", "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f50")`, "issuers.BitbucketPipelines: workspace"},
		{`BitbucketPipelines("my-workspace", "x", "{2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f50}")`, "issuers.BitbucketPipelines: repository"},
		{`BitbucketPipelines("my-workspace", "x")`, "repositoryUuid in: got no values, want one at least"},
		{`BitbucketPipelines("my-workspace", "x", "{470c176d-3574-44ea-bb41-89e8638bcca4}")`, "want its UUID in small letters, without braces"},
		{`CircleCI("7C554F0A-1F3E-4B4A-9A3E-0F505D1C2B3B", "x", "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f51")`, "want that of the organization or a project, a UUID in small letters"},
		{`CircleCI("acme-inc", "x", "2b4a1f3e-7c55-4f0a-9a3e-5d1c2b3a4f51")`, "issuers.CircleCI: ID"},
		{`CircleCI("7c554f0a-1f3e-4b4a-9a3e-0f505d1c2b3b", "x", "app")`, "issuers.CircleCI: ID"},
		{`CircleCI("7c554f0a-1f3e-4b4a-9a3e-0f505d1c2b3b", "x")`, "project-id in: got no values, want one at least"},
		{`Buildkite("x", "super-duper-app")`, "issuers.Buildkite: pipeline"},
		{`Buildkite("x")`, "pipeline_id in: got no values, want one at least"},
		{`CloudIAP("my-app")`, "issuers.CloudIAP: audience"},
		{`CloudIAP()`, "Audiences is empty"},
		{`FirebaseAppCheck("my-project", "x")`, "issuers.FirebaseAppCheck: project number"},
		{`FirebaseAppCheck("1234567890")`, "sub in: got no values, want one at least"},
		{`LINE("my-channel")`, "issuers.LINE: channel ID"},
		{`LINE()`, "Audiences is empty"},
		{`PingFederate("sso.example.com", "x")`, "issuers.PingFederate: issuer"},
		{`PingFederate("https://sso.example.com")`, "Audiences is empty"},
		{`ADFS("https://adfs.example.com/adfs", "x")`, "issuers.ADFS: host"},
		{`ADFS("adfs.example.com")`, "Audiences is empty"},
		{`AzureB2C("contoso.b2clogin.com", "775527ff-9a37-4307-8b3d-cc311f58d925", "B2C_1_signin", "x")`, "issuers.AzureB2C: tenant"},
		{`AzureB2C("contoso", "contoso.onmicrosoft.com", "B2C_1_signin", "x")`, "issuers.AzureB2C: tenant ID"},
		{`AzureB2C("contoso", "775527ff-9a37-4307-8b3d-cc311f58d925", "../other", "x")`, "issuers.AzureB2C: policy"},
		{`AzureB2C("contoso", "775527ff-9a37-4307-8b3d-cc311f58d925", "B2C_1_signin")`, "Audiences is empty"},
		{`AzureB2C("contoso", "775527ff-9a37-4307-8b3d-cc311f58d925", "B2C_1_signin", "https://contoso.onmicrosoft.com/my-db")`, "issuers.AzureB2C: application ID"},
		{`Dex("dex.example.com", "x")`, "issuers.Dex: issuer"},
		{`Dex("https://dex.example.com?x=y", "x")`, "https://dex.example.com?…\", want a URL"},
		{`Zitadel("my.zitadel.cloud", "1")`, "issuers.Zitadel: instance"},
		{`Zitadel("https://my.zitadel.cloud", "")`, "issuers.Zitadel: project"},
		{`Zitadel("https://my.zitadel.cloud", "my-project")`, "issuers.Zitadel: project"},
		{`Authentik("https://auth.example.com/application/o/db", "x")`, "with the slash"},
		{`Authentik("https://auth.example.com/application/o/db/")`, "Audiences is empty"},
		{`GitLabCI("gitlab.com", "x", "20")`, "issuers.GitLabCI: instance"},
		{`GitLabCI("https://gitlab.com/", "x", "20")`, "issuers.GitLabCI: instance"},
		{`GitLabCI("https://gitlab.com", "x", "my-group/my-project")`, "issuers.GitLabCI: project ID"},
		{`GitLabCI("https://gitlab.com", "x")`, "project_id in: got no values, want one at least"},
		{`GitLabCI("https://gitlab.com", "", "20")`, "audience is empty"},
		{`GitLabUser("gitlab.com", "x")`, "issuers.GitLabUser: instance"},
		{`Kubernetes("kubernetes/serviceaccount", "x")`, "issuers.Kubernetes: issuer"},
		{`Kubernetes("https://cluster.example.com", "https://cluster.example.com")`, "not the API server's"},
		{`Kubernetes("https://cluster.example.com", "x", "https://kubernetes.default.svc")`, "not the API server's"},
		{`Kubernetes("https://cluster.example.com")`, "Audiences is empty"},
		{`CloudflareAccess("https://yourteam.cloudflareaccess.com", "x")`, "issuers.CloudflareAccess: team"},
		{`CloudflareAccess("yourteam")`, "Audiences is empty"},
		{`Twitch()`, "Audiences is empty"},
		{`Discord("")`, "audience is empty"},
	}
	tested := make(map[string]bool)
	for _, tt := range tests {
		got := newError(t, call(t, tt.call))
		if !strings.HasPrefix(got, "oidcauth: ") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: New() error = %q, want one about %q", tt.call, got, tt.want)
		}
		tested[provider{call: tt.call}.name()] = true
	}
	for name := range functions {
		if !tested[name] {
			t.Errorf("%s: not tested", name)
		}
	}
}

// No argument makes a function panic, and none that is empty or out of place makes
// a description that New accepts.
func TestArguments_Any(t *testing.T) {
	t.Parallel()
	for name, function := range functions {
		f := reflect.ValueOf(function)
		fixed := f.Type().NumIn() - 1
		if !f.Type().IsVariadic() {
			fixed++
		}
		for _, value := range []string{"", " ", "\x00", "https://", "|", "a b", "{x}", "é", strings.Repeat("a", 300)} {
			for variadic := range 3 {
				args := make([]reflect.Value, fixed)
				if f.Type().IsVariadic() {
					args = make([]reflect.Value, fixed+variadic)
				}
				for i := range args {
					args[i] = reflect.ValueOf(value)
				}
				issuer := f.Call(args)[0].Interface().(oidcauth.Issuer)
				if err := newError(t, issuer); err == "" && (fixed > 0 || value == "") {
					t.Errorf("%s(%q × %d): New() accepts %+v", name, value, len(args), issuer)
				}
			}
		}
	}
}

// An address with a password, be it a long one, is refused without it.
func TestArguments_Password(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"hunter2", strings.Repeat("hunter2", 20)} {
		address := "https://admin:" + password + "@sso.example.com/realms/main/"
		for name, function := range functions {
			f := reflect.ValueOf(function)
			args := make([]reflect.Value, f.Type().NumIn())
			for i := range args {
				args[i] = reflect.ValueOf(address)
			}
			issuer := f.Call(args)[0].Interface().(oidcauth.Issuer)
			if err := newError(t, issuer); strings.Contains(err, "hunter2") {
				t.Errorf("%s: %s", name, err)
			}
		}
	}
}

// A description shares no memory with the caller's arguments, and goes through
// JSON unharmed.
func TestDescriptionsAreData(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		want := p.issuer(t)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got oidcauth.Issuer
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: after JSON: %+v, want %+v", p.call, got, want)
		}
		f := reflect.ValueOf(functions[p.name()])
		if !f.Type().IsVariadic() {
			continue
		}
		args := []string{"72f988bf-86f1-41af-91ab-2d7cd011db47"}
		in := make([]reflect.Value, f.Type().NumIn())
		for i := range in {
			in[i] = reflect.ValueOf("x")
		}
		in[len(in)-1] = reflect.ValueOf(args)
		issuer := f.CallSlice(in)[0]
		before, _ := json.Marshal(issuer.Interface())
		args[0] = "changed"
		if after, _ := json.Marshal(issuer.Interface()); string(before) != string(after) {
			t.Errorf("%s keeps its argument", p.name())
		}
	}
}

// What browsers write as an origin is accepted as one.
func TestArguments_Origins(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{
		"https://example.com", "http://localhost:3000", "http://127.0.0.1:3000", "https://[2001:db8::1]:8443",
		"https://xn--bcher-kva.example", "capacitor://localhost", "chrome-extension://abcdefghijklmnop", "https://my_app.example.com",
	} {
		if err := newError(t, issuers.Clerk("https://clerk.example.com", origin)); err != "" {
			t.Errorf("Clerk(…, %q): New() error = %s", origin, err)
		}
	}
}
