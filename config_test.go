package oidcauth_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// TestNew_Refuses names, for each contradiction, a word that the error must
// contain so that the reader knows what to mend. Each row is one change to a
// configuration that is fine.
func TestNew_Refuses(t *testing.T) {
	good := func() oidcauth.Config {
		return oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://issuer.test", Audiences: []string{"x"}}}}
	}
	first := func(change func(*oidcauth.Issuer)) func(*oidcauth.Config) {
		return func(cfg *oidcauth.Config) { change(&cfg.Issuers[0]) }
	}
	template := func(change func(*oidcauth.Issuer)) func(*oidcauth.Config) {
		return first(func(i *oidcauth.Issuer) {
			i.URL, i.TenantClaim, i.Keys.DiscoveryURL = "https://issuer.test/{tenant}/v2", "tid", "https://issuer.test/d"
			change(i)
		})
	}
	rule := func(r oidcauth.ClaimRule) func(*oidcauth.Config) {
		r.Claim = oidcauth.Path{"a"}
		return first(func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{r} })
	}
	tests := []struct {
		name   string
		change func(*oidcauth.Config)
		want   string // empty if it is fine
	}{
		{"nothing changed", func(*oidcauth.Config) {}, ""},
		{"no issuer", func(c *oidcauth.Config) { c.Issuers = nil }, "Issuers"},
		{"leeway of 5 minutes", func(c *oidcauth.Config) { c.Leeway = 5 * time.Minute }, ""},
		{"leeway above 5 minutes", func(c *oidcauth.Config) { c.Leeway = 5*time.Minute + 1 }, "Leeway"},
		{"no leeway", func(c *oidcauth.Config) { c.Leeway = -1 }, ""},
		{"token lifetime of a century and more", func(c *oidcauth.Config) { c.MaxTokenLifetime = 101 * 365 * 24 * time.Hour }, "MaxTokenLifetime"},
		{"token lifetime of a year", func(c *oidcauth.Config) { c.MaxTokenLifetime = 365 * 24 * time.Hour }, ""},
		{"negative size", func(c *oidcauth.Config) { c.MaxTokenBytes = -1 }, "MaxTokenBytes"},
		{"metadata address with a quote", func(c *oidcauth.Config) { c.ResourceMetadataURL = `https://db.test/"` }, "ResourceMetadataURL"},
		{"metadata address with a line break", func(c *oidcauth.Config) { c.ResourceMetadataURL = "https://db.test/\r\nX: y" }, "ResourceMetadataURL"},
		{"no audience", first(func(i *oidcauth.Issuer) { i.Audiences = nil }), "Audiences"},
		{"any audience, spelled out", first(func(i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }), ""},
		{"any audience and one", first(func(i *oidcauth.Issuer) { i.InsecureAnyAudience = true }), "InsecureAnyAudience"},
		{"an empty audience", first(func(i *oidcauth.Issuer) { i.Audiences = []string{"x", ""} }), "audience"},
		{"an empty logout audience", first(func(i *oidcauth.Issuer) { i.LogoutAudiences = []string{""} }), "audience"},
		{"no URL", first(func(i *oidcauth.Issuer) { i.URL = "" }), "bytes"},
		{"URL of 513 bytes", first(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/" + strings.Repeat("a", 493) }), "513"},
		{"URL of 512 bytes", first(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/" + strings.Repeat("a", 492) }), ""},
		{"bar in the URL", first(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/a|b" }), "|"},
		{"bar in an alias", first(func(i *oidcauth.Issuer) { i.Aliases = []string{"a|b"} }), "|"},
		{"white space in the URL", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.JWKSURL = "https://issuer.test\n", "https://issuer.test/jwks" }), "white space"},
		{"white space in an alias", first(func(i *oidcauth.Issuer) { i.Aliases = []string{"issuer test"} }), "white space"},
		{"dedicated keys in place of an audience", first(func(i *oidcauth.Issuer) { i.Audiences, i.DedicatedKeys = nil, true }), ""},
		{"dedicated keys and an audience", first(func(i *oidcauth.Issuer) { i.DedicatedKeys = true }), ""},
		{"dedicated keys and any audience", first(func(i *oidcauth.Issuer) { i.Audiences, i.DedicatedKeys, i.InsecureAnyAudience = nil, true, true }), "DedicatedKeys"},
		{"dedicated keys and another claim", first(func(i *oidcauth.Issuer) { i.DedicatedKeys, i.AudienceClaim = true, "azp" }), "DedicatedKeys"},
		{"template", template(func(*oidcauth.Issuer) {}), ""},
		{"template with fixed keys", template(func(i *oidcauth.Issuer) { i.Keys.DiscoveryURL, i.Keys.JWKS = "", json.RawMessage(fixedTenantJWKS) }), ""},
		{"template without an address", template(func(i *oidcauth.Issuer) { i.Keys.DiscoveryURL = "" }), "DiscoveryURL"},
		{"template without a place", template(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/v2" }), "braces"},
		{"template with two places", template(func(i *oidcauth.Issuer) { i.URL = "https://{a}.issuer.test/{b}" }), "braces"},
		{"template with braces that do not close", template(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/{tenant" }), "braces"},
		{"template with a nameless place", template(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/{}/v2" }), "braces"},
		{"template that is the place alone", template(func(i *oidcauth.Issuer) { i.URL = "{tenant}" }), "braces"},
		{"template too long with a tenant", template(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/{t}/" + strings.Repeat("a", 457) }), "512"},
		{"template just not too long", template(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/{t}/" + strings.Repeat("a", 71) }), ""},
		{"template with an alias", template(func(i *oidcauth.Issuer) { i.Aliases = []string{"https://b.test/{tenant}"} }), "Aliases"},
		{"a tenant", template(func(i *oidcauth.Issuer) { i.Tenants = []string{"72f988bf-86f1-41af-91ab-2d7cd011db47"} }), ""},
		{"a tenant by name", template(func(i *oidcauth.Issuer) { i.Tenants = []string{"contoso.example"} }), "GUID"},
		{"a tenant in capitals", template(func(i *oidcauth.Issuer) { i.Tenants = []string{"72F988BF-86F1-41AF-91AB-2D7CD011DB47"} }), "GUID"},
		{"tenants without a claim", first(func(i *oidcauth.Issuer) { i.Tenants = []string{"72f988bf-86f1-41af-91ab-2d7cd011db47"} }), "TenantClaim"},
		{"empty name in a second path", first(func(i *oidcauth.Issuer) { i.SubjectElse = []oidcauth.Path{{""}} }), "path"},
		{"http", first(func(i *oidcauth.Issuer) { i.URL = "http://issuer.test" }), "URL"},
		{"http on loopback", first(func(i *oidcauth.Issuer) { i.URL = "http://127.0.0.1:8080" }), "URL"},
		{"http on loopback, spelled out", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.InsecureHTTP = "http://127.0.0.1:8080", true }), ""},
		{"http elsewhere, spelled out", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.InsecureHTTP = "http://issuer.test", true }), "URL"},
		{"a query", first(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test/?tenant=a" }), "query"},
		{"a query, discovery elsewhere", first(func(i *oidcauth.Issuer) {
			i.URL, i.Keys.DiscoveryURL = "https://issuer.test?p=a", "https://issuer.test/d"
		}), "query"},
		{"a query, keys elsewhere", first(func(i *oidcauth.Issuer) {
			i.URL, i.Keys.JWKSURL = "https://issuer.test?p=a", "https://issuer.test/jwks"
		}), "query"},
		{"an empty query", first(func(i *oidcauth.Issuer) { i.URL = "https://issuer.test?" }), "query"},
		{"a fragment, discovery elsewhere", first(func(i *oidcauth.Issuer) {
			i.URL, i.Keys.DiscoveryURL = "https://issuer.test#a", "https://issuer.test/d"
		}), "fragment"},
		{"discovery with a query", first(func(i *oidcauth.Issuer) {
			i.Keys.DiscoveryURL = "https://issuer.test/.well-known/openid-configuration?p=a"
		}), ""},
		{"discovery at the issuer itself", first(func(i *oidcauth.Issuer) { i.Keys.DiscoveryURL = i.URL }), "https://issuer.test/.well-known/openid-configuration"},
		{"discovery at the issuer itself, with a slash", first(func(i *oidcauth.Issuer) { i.Keys.DiscoveryURL = i.URL + "/" }), "DiscoveryURL"},
		{"not an address", first(func(i *oidcauth.Issuer) { i.URL = "localhost" }), "URL"},
		{"not an address, fixed keys", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.JWKS = "localhost", json.RawMessage(fixedJWKS) }), ""},
		{"not an address, keys elsewhere", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.JWKSURL = "localhost", "https://issuer.test/jwks" }), ""},
		{"keys over http", first(func(i *oidcauth.Issuer) { i.Keys.JWKSURL = "http://issuer.test/jwks" }), "JWKSURL"},
		{"discovery over http", first(func(i *oidcauth.Issuer) { i.Keys.DiscoveryURL = "http://issuer.test/d" }), "DiscoveryURL"},
		{"two sources", first(func(i *oidcauth.Issuer) {
			i.Keys.DiscoveryURL, i.Keys.JWKSURL = "https://issuer.test/d", "https://issuer.test/jwks"
		}), "more than one"},
		{"fixed keys without a usable one", first(func(i *oidcauth.Issuer) { i.Keys.JWKS = json.RawMessage(`{"keys":[]}`) }), "key"},
		{"fixed keys not JSON", first(func(i *oidcauth.Issuer) { i.Keys.JWKS = json.RawMessage(`{`) }), "issuer.test"},
		{"algorithm none", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"none"} }), "none"},
		{"HMAC", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"HS256"} }), "HS256"},
		{"an algorithm twice", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"RS256", "ES256", "RS256"} }), "twice"},
		{"algorithm in small letters", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"rs256"} }), "rs256"},
		{"logout tokens", first(func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT", "application/Logout+JWT"} }), "Logout"},
		{"empty path", first(func(i *oidcauth.Issuer) { i.Roles = []oidcauth.Path{{}} }), "path"},
		{"logout by login session", first(func(i *oidcauth.Issuer) { i.LogoutBy = "sid" }), ""},
		{"logout by subject, which is the default", first(func(i *oidcauth.Issuer) { i.LogoutBy = "sub" }), "LogoutBy"},
		{"logout in capitals", first(func(i *oidcauth.Issuer) { i.LogoutBy = "SID" }), "LogoutBy"},
		{"roles with a comma between them", first(func(i *oidcauth.Issuer) { i.RoleSeparator = "," }), ""},
		{"roles with a space between them", first(func(i *oidcauth.Issuer) { i.RoleSeparator = " " }), ""},
		{"roles in JSON text", first(func(i *oidcauth.Issuer) { i.RoleSeparator = "json" }), ""},
		{"roles with something else between them", first(func(i *oidcauth.Issuer) { i.RoleSeparator = ";" }), "RoleSeparator"},
		{"roles with a comma and more between them", first(func(i *oidcauth.Issuer) { i.RoleSeparator = ", " }), "RoleSeparator"},
		{"roles in JSON in capitals", first(func(i *oidcauth.Issuer) { i.RoleSeparator = "JSON" }), "RoleSeparator"},
		{"empty name in a path", first(func(i *oidcauth.Issuer) { i.Subject = []oidcauth.Path{{"a", ""}} }), "path"},
		{"rule without path", first(func(i *oidcauth.Issuer) { i.ClaimRules = []oidcauth.ClaimRule{{Present: true}} }), "path"},
		{"rule that demands nothing", rule(oidcauth.ClaimRule{}), "got 0 demands"},
		{"rule that is optional and nothing else", rule(oidcauth.ClaimRule{Optional: true}), "got 0 demands"},
		{"rule with no values", rule(oidcauth.ClaimRule{In: []string{}}), "no values"},
		{"rule with two demands", rule(oidcauth.ClaimRule{In: []string{"b"}, NotIn: []string{"c"}}), "got 2 demands"},
		{"rule with needless values", rule(oidcauth.ClaimRule{Absent: true, Suffix: []string{"b"}}), "got 2 demands"},
		{"rule for a claim both there and not", rule(oidcauth.ClaimRule{Absent: true, Present: true}), "got 2 demands"},
		{"optional rule against values", rule(oidcauth.ClaimRule{NotIn: []string{"b"}, Optional: true}), "Optional"},
		{"optional rule that wants the claim", rule(oidcauth.ClaimRule{Present: true, Optional: true}), "Optional"},
		{"optional rule", rule(oidcauth.ClaimRule{Suffix: []string{"b"}, Optional: true}), ""},
		{"alternative to a rule, without values", first(func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"a"}, Present: true, Or: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"b"}}}}}
		}), "got 0 demands"},
		{"alternative to a rule", first(func(i *oidcauth.Issuer) {
			i.ClaimRules = []oidcauth.ClaimRule{{Claim: oidcauth.Path{"a"}, Present: true, Or: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"b"}, Present: true}}}}
		}), ""},
		{"rule on an empty prefix", rule(oidcauth.ClaimRule{Prefix: []string{"x", ""}}), "empty prefix"},
		{"rule on an empty suffix", rule(oidcauth.ClaimRule{Suffix: []string{""}}), "empty suffix"},
		{"nil rule", first(func(i *oidcauth.Issuer) { i.Rules = []oidcauth.Rule{nil} }), "nil"},
		{"an issuer twice", func(c *oidcauth.Config) { c.Issuers = append(c.Issuers, c.Issuers[0]) }, "twice"},
		{"an alias is another issuer", func(c *oidcauth.Config) {
			c.Issuers = append(c.Issuers, oidcauth.Issuer{URL: "https://b.test", Aliases: []string{"https://issuer.test"}, Audiences: []string{"x"}})
		}, "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			a, err := oidcauth.New(cfg)
			if err == nil {
				a.Close()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("New() error = %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "oidcauth: ")):
				t.Errorf("New() error = %v, want one about %q", err, tt.want)
			}
		})
	}
}

// fixedJWKS is the key of RFC 7515, appendix A.3.1.
const fixedJWKS = `{"keys":[{"kty":"EC","crv":"P-256",
	"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
	"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

// fixedTenantJWKS is the same key, published for all tenants.
const fixedTenantJWKS = `{"keys":[{"kty":"EC","crv":"P-256","issuer":"https://issuer.test/{tenant}/v2",
	"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
	"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

// An issuer's description goes through JSON unharmed, except for its functions.
func TestIssuer_JSON(t *testing.T) {
	want := oidcauth.Issuer{
		URL: "https://issuer.test", Aliases: []string{"issuer.test"}, Audiences: []string{"a"},
		InsecureAnyAudience: true, LogoutAudiences: []string{"app"}, AudienceClaim: "client_id", Algorithms: []string{"ES256"},
		TokenTypes: []string{"at+jwt"}, Subject: []oidcauth.Path{{"a", "b"}}, Roles: []oidcauth.Path{{"c"}}, RoleSeparator: ",", RoleObjects: true, LogoutBy: "sid",
		ClaimRules: []oidcauth.ClaimRule{{
			Claim: oidcauth.Path{"d"}, In: []string{"e"},
			Or: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"f"}, Present: true}},
		}},
		TenantClaim: "tid", Tenants: []string{"72f988bf-86f1-41af-91ab-2d7cd011db47"}, DedicatedKeys: true, SubjectElse: []oidcauth.Path{{"g"}},
		Keys: oidcauth.KeysFrom{
			DiscoveryURL: "https://issuer.test/d", JWKSURL: "https://issuer.test/j", JWKS: json.RawMessage(`{"keys":[]}`),
			CAFile: "ca.pem", TokenFile: "token", RequireKeyID: true, ReusesKeyIDs: true, InsecureHTTP: true, InsecureHTTPHosts: []string{"h"},
		},
		Leeway: time.Minute, NumericSubject: true,
	}
	for _, described := range []reflect.Value{reflect.ValueOf(want), reflect.ValueOf(want.Keys)} {
		for i := range described.NumField() {
			field := described.Type().Field(i)
			if field.IsExported() && field.Tag.Get("json") != "-" && described.Field(i).IsZero() {
				t.Errorf("this test lacks the field %s", field.Name)
			}
		}
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got oidcauth.Issuer
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after JSON: %+v, want %+v", got, want)
	}
}
