package oidcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestNew_Refuses names, for each contradiction, a word that the error must
// contain so that the reader knows what to mend. Each row is one change to a
// configuration that is fine.
func TestNew_Refuses(t *testing.T) {
	t.Parallel()
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
		{"leeway without unit", func(c *oidcauth.Config) { c.Leeway = 30 }, "Config.Leeway: got 30ns, want a millisecond at least: a number without unit counts nanoseconds"},
		{"token lifetime without unit", func(c *oidcauth.Config) { c.MaxTokenLifetime = 3600 }, "Config.MaxTokenLifetime: got 3.6µs, want"},
		{"an issuer's age of answers without unit", first(func(i *oidcauth.Issuer) {
			i.AnswerAge, i.Supplement = 60, func(context.Context, *oidcauth.Claims, string) (json.RawMessage, error) { return nil, nil }
		}), "AnswerAge: got 60ns, want"},
		{"no leeway", func(c *oidcauth.Config) { c.Leeway = -1 }, ""},
		{"an issuer's leeway of a millisecond", first(func(i *oidcauth.Issuer) { i.Leeway = time.Millisecond }), ""},
		{"an issuer's leeway below it", first(func(i *oidcauth.Issuer) { i.Leeway = time.Millisecond - 1 }), "nanoseconds"},
		{"an issuer's leeway of 5 minutes", first(func(i *oidcauth.Issuer) { i.Leeway = 5 * time.Minute }), ""},
		{"token lifetime of a century and more", func(c *oidcauth.Config) { c.MaxTokenLifetime = 101 * 365 * 24 * time.Hour }, "MaxTokenLifetime"},
		{"token lifetime of a century", func(c *oidcauth.Config) { c.MaxTokenLifetime = 100 * 365 * 24 * time.Hour }, ""},
		{"token lifetime of a year", func(c *oidcauth.Config) { c.MaxTokenLifetime = 365 * 24 * time.Hour }, ""},
		{"negative size", func(c *oidcauth.Config) { c.MaxTokenBytes = -1 }, "MaxTokenBytes"},
		{"metadata address with a quote", func(c *oidcauth.Config) { c.ResourceMetadataURL = `https://db.test/"` }, "ResourceMetadataURL"},
		{"metadata address with a space", func(c *oidcauth.Config) { c.ResourceMetadataURL = "https://db.test/a b" }, "ResourceMetadataURL"},
		{"metadata address with a tilde", func(c *oidcauth.Config) { c.ResourceMetadataURL = "https://db.test/~a" }, ""},
		{"metadata address with a control character", func(c *oidcauth.Config) { c.ResourceMetadataURL = "https://db.test/\x7f" }, "ResourceMetadataURL"},
		{"metadata address with a line break", func(c *oidcauth.Config) { c.ResourceMetadataURL = "https://db.test/\r\nX: y" }, "ResourceMetadataURL"},
		{"a name of 64 bytes", first(func(i *oidcauth.Issuer) { i.Name = strings.Repeat("a", 64) }), ""},
		{"a name of 65 bytes", first(func(i *oidcauth.Issuer) { i.Name = strings.Repeat("a", 65) }), "Name"},
		{"no audience", first(func(i *oidcauth.Issuer) { i.Audiences = nil }), "Audiences"},
		{"any audience, spelled out", first(func(i *oidcauth.Issuer) { i.Audiences, i.InsecureAnyAudience = nil, true }), ""},
		{"any audience and one", first(func(i *oidcauth.Issuer) { i.InsecureAnyAudience = true }), "InsecureAnyAudience"},
		{"an empty audience", first(func(i *oidcauth.Issuer) { i.Audiences = []string{"x", ""} }), "audience"},
		{"an empty logout audience", first(func(i *oidcauth.Issuer) { i.LogoutAudiences = []string{""} }), "audience"},
		{"no URL", first(func(i *oidcauth.Issuer) { i.URL = "" }), "it is empty"},
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
		{"a question mark in a name that is no address", first(func(i *oidcauth.Issuer) { i.URL, i.Keys.JWKS = "who?", json.RawMessage(fixedJWKS) }), ""},
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
		{"HMAC", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"HS256"} }), `got algorithm "HS256", want one of ["RS256"`},
		{"an algorithm twice", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"RS256", "ES256", "RS256"} }), "twice"},
		{"algorithm in small letters", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"rs256"} }), `got algorithm "rs256", want "RS256": names`},
		{"algorithm in large letters", first(func(i *oidcauth.Issuer) { i.Algorithms = []string{"EDDSA"} }), `got algorithm "EDDSA", want "EdDSA": names`},
		{"logout tokens", first(func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT", "application/Logout+JWT"} }), "Logout"},
		{"an empty type", first(func(i *oidcauth.Issuer) { i.TokenTypes = []string{"JWT", ""} }), "TokenTypes: a type is empty"},
		{"a type of which nothing is said", first(func(i *oidcauth.Issuer) { i.TokenTypes = []string{"application/"} }), "TokenTypes"},
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
		{"rule with no values", rule(oidcauth.ClaimRule{In: []string{}}), "got no values, want one at least"},
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
	t.Parallel()
	want := oidcauth.Issuer{
		URL: "https://issuer.test", Name: "people", SubjectPrefix: "p:", Aliases: []string{"issuer.test"}, Audiences: []string{"a"},
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
		Leeway: time.Minute, NumericSubject: true, Bound: "require", OpaquePrefix: "at_",
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

func TestConfig_Client(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": testAudience}})
	server := issuer.StartTLS()
	issuers := []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{testAudience}}}
	own := newAuthenticator(t, oidcauth.Config{Issuers: issuers})
	if _, err := own.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, oidcauth.ErrKeysUnavailable) {
		t.Errorf("Authenticate() error = %v, want %v for a certificate nobody knows", err, oidcauth.ErrKeysUnavailable)
	}
	given := newAuthenticator(t, oidcauth.Config{Issuers: issuers, Client: server.Client()})
	if _, err := given.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Errorf("Authenticate() error = %v with a client that knows the certificate", err)
	}
}

// The limit on a token's size, at its default and set, to the byte.
func TestConfig_MaxTokenBytes(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	tests := []struct {
		name  string
		limit int
		bytes int
		want  error
	}{
		{"the default", 0, 16 << 10, nil},
		{"above the default", 0, 16<<10 + 1, oidcauth.ErrMalformedToken},
		{"a low limit", 1000, 1000, nil},
		{"above a low limit", 1000, 1001, oidcauth.ErrMalformedToken},
		{"a high limit", 20000, 20000, nil},
		{"above a high limit", 20000, 20001, oidcauth.ErrMalformedToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{{URL: hostile.URL, Audiences: []string{testAudience}}},
				Client:  w.Main.Client(), MaxTokenBytes: tt.limit,
			})
			if _, err := a.Authenticate(t.Context(), w.OfLength(tt.bytes)); !errors.Is(err, tt.want) {
				t.Errorf("Authenticate() error = %v, want %v", err, tt.want)
			}
		})
	}
}

// No limit is one, too: what is reckoned with it does not overflow.
func TestConfig_MaxTokenBytesOfAll(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	local := newLocal(t, localissuer.Config{})
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, local.Issuer()}, Client: issuer.Client(), MaxTokenBytes: math.MaxInt,
	})
	ticket, err := local.Ticket(from(), authenticate(t, a, issuer.Token(nil)), "chat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.AuthenticateTicket(from(), ticket, "chat"); err != nil {
		t.Errorf("AuthenticateTicket() error = %v, want none", err)
	}
	if got := postLogout(a, logoutToken(issuer, nil)).StatusCode; got != http.StatusOK {
		t.Errorf("a logout is answered with %d, want %d", got, http.StatusOK)
	}
}

// A further use of a token costs nothing with the cache and a verification
// without it.
func TestConfig_CacheBytes(t *testing.T) {
	issuer, trusted := newIssuer(t, oidctest.Config{})
	tests := []struct {
		name   string
		bytes  int64
		cached bool
	}{
		{"the default", 0, true}, {"one mebibyte", 1 << 20, true}, {"negative", -1, false}, {"very negative", -1 << 40, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), CacheBytes: tt.bytes})
			if n := useCost(t, a, issuer.Token(nil)); (n == 0) != tt.cached {
				t.Errorf("%v allocations for a further use, want cached %v", n, tt.cached)
			}
		})
	}
}

// After a restart in an issuer's outage, tokens are accepted with the keys that
// the directory has kept, and refused without it.
func TestConfig_KeyCacheDir(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	kept := filepath.Join(t.TempDir(), "keys")
	first := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: kept})
	if _, err := first.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	allDown(issuer)
	for _, tt := range []struct {
		name, dir string
		want      error
	}{
		{"the same directory", kept, nil},
		{"another directory", t.TempDir(), oidcauth.ErrKeysUnavailable},
		{"no directory", "", oidcauth.ErrKeysUnavailable},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeyCacheDir: tt.dir})
		if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// The keys of an issuer whose tokens nobody brings are refreshed with KeepWarm
// and left alone without it.
func TestConfig_KeepWarm(t *testing.T) {
	t.Parallel()
	fetches := map[bool]int{}
	for _, warm := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), KeepWarm: warm})
			if _, err := a.Authenticate(t.Context(), issuer.Token(nil)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Hour)
			fetches[warm] = issuer.Fetches().JWKS
			a.Close()
		})
	}
	if fetches[true] < 8 || fetches[false] > 3 {
		t.Errorf("fetches in 10 idle hours: %d with KeepWarm, %d without", fetches[true], fetches[false])
	}
}

// With KeepWarm keys are fetched although no token ever comes, so that a server which
// gets none until it is ready becomes ready, and stays so.
func TestConfig_KeepWarmWithoutTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, trusted := newIssuer(t, oidctest.Config{URL: "https://first.test"})
		added, also := newIssuer(t, oidctest.Config{URL: "https://added.test"})
		opaque, asked := newIssuer(t, oidctest.Config{URL: "https://opaque.test"})
		found, lookedUp := newIssuer(t, oidctest.Config{URL: "https://found.test"})
		asked.Introspect = func(context.Context, string) (json.RawMessage, error) { return nil, errors.New("not asked") }
		asked.OpaquePrefix = "op_"
		first.Fail(oidctest.JWKS, oidctest.Fault{Hang: true})
		start := time.Now()
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, asked}, Client: oidctest.Client(first, added, opaque, found), KeepWarm: true,
			FindIssuer: func(context.Context, string) ([]oidcauth.Issuer, error) { return []oidcauth.Issuer{lookedUp}, nil },
		})
		if waited := time.Since(start); waited != 0 || len(a.Unready()) != 1 {
			t.Errorf("New() waited for %v, Unready() = %q, want no wait and one", waited, a.Unready())
		}
		time.Sleep(time.Minute)
		first.Clear()
		time.Sleep(time.Minute) // at most half of it until the next try, and a quarter more
		if unready := a.Unready(); len(unready) != 0 {
			t.Errorf("Unready() = %q after an outage, want none", unready)
		}
		if err := a.SetIssuers(trusted, asked, also); err != nil {
			t.Fatal(err)
		}
		for hours := range 30 {
			time.Sleep(time.Second)
			synctest.Wait()
			if unready := a.Unready(); len(unready) != 0 {
				t.Fatalf("Unready() = %q after %d idle hours, want none", unready, hours)
			}
			time.Sleep(time.Hour)
		}
		if first.Fetches().JWKS < 25 || added.Fetches().JWKS < 25 {
			t.Errorf("fetches in 30 idle hours: %d and %d, want one an hour", first.Fetches().JWKS, added.Fetches().JWKS)
		}
		if opaque.Fetches().JWKS != 0 || found.Fetches().JWKS != 0 {
			t.Errorf("%d and %d fetches where no token needs keys, and where no token named the issuer", opaque.Fetches().JWKS, found.Fetches().JWKS)
		}
		a.Close()
		before := first.Fetches().JWKS
		time.Sleep(10 * time.Hour)
		if after := first.Fetches().JWKS; after != before {
			t.Errorf("%d fetches after Close", after-before)
		}
	})
}

func TestConfig_Extract(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	tok := issuer.Token(nil)
	for _, tt := range []struct {
		name    string
		extract oidcauth.Extractor
		request string
		headers []string
		want    error
	}{
		{"default, header", nil, "GET /", []string{"Authorization: Bearer " + tok}, nil},
		{"default, query", nil, "GET /?t=" + tok, nil, oidcauth.ErrNoToken},
		{"query, query", oidcauth.QueryToken("t"), "GET /?t=" + tok, nil, nil},
		{"query, header", oidcauth.QueryToken("t"), "GET /", []string{"Authorization: Bearer " + tok}, oidcauth.ErrNoToken},
		{"of the program", func(r *http.Request) (string, error) { return strings.TrimPrefix(r.URL.Path, "/"), nil }, "GET /" + tok, nil, nil},
		{"of the program, nothing", func(*http.Request) (string, error) { return "", nil }, "GET /", nil, oidcauth.ErrMalformedToken},
	} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Extract: tt.extract})
		if _, err := a.AuthenticateRequest(newRequest(t, tt.request, tt.headers...)); !errors.Is(err, tt.want) {
			t.Errorf("%s: AuthenticateRequest() error = %v, want %v", tt.name, err, tt.want)
		}
	}
}

// Config.Now is what token times are compared with, at every use.
func TestConfig_Now(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	real := time.Now()
	now := real
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: func() time.Time { return now },
	})
	tok := issuer.Token(map[string]any{"iat": real, "nbf": real, "exp": real.Add(time.Hour)})
	for _, tt := range []struct {
		ahead time.Duration
		want  error
	}{
		{0, nil}, {2 * time.Hour, oidcauth.ErrExpired}, {-2 * time.Hour, oidcauth.ErrNotYetValid}, {time.Minute, nil},
	} {
		now = real.Add(tt.ahead)
		if _, err := a.Authenticate(t.Context(), tok); !errors.Is(err, tt.want) {
			t.Errorf("%v ahead: Authenticate() error = %v, want %v", tt.ahead, err, tt.want)
		}
		if r := a.Explain(t.Context(), tok); !errors.Is(r.Err, tt.want) {
			t.Errorf("%v ahead: Explain() error = %v, want %v", tt.ahead, r.Err, tt.want)
		}
	}
}

func TestConfig_ResourceMetadataURL(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	const address = "https://db.test/.well-known/oauth-protected-resource"
	for _, given := range []string{"", address} {
		a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), ResourceMetadataURL: given})
		resp := serve(a.Middleware(whoami), newRequest(t, "GET /"))
		want := `Bearer realm="api"`
		if given != "" {
			want = `Bearer resource_metadata="` + address + `"`
		}
		if got := resp.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("challenge = %q, want %q", got, want)
		}
	}
}

// The log hears of refusals, and of nothing without a Logger; never of a token.
func TestConfig_Logger(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	var log logBuffer
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: "https://other.test", Audiences: []string{testAudience}}}, Client: w.By["other"].Client(),
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	good := w.Of("other", nil)
	for _, tok := range []string{good, good + "x", w.WithClaims(hostile.Claims(hostile.URL)), w.Of("other", func(h, c hostile.Members) (hostile.Members, hostile.Members) { return h, c.Set("exp", "1") })} {
		before := len(log.String())
		resp := serve(a.Middleware(whoami), newRequest(t, "GET /", "Authorization: Bearer "+tok))
		line := log.String()[before:]
		if refused := resp.StatusCode != 200; refused != strings.Contains(line, "request refused") {
			t.Errorf("status %d, log %q", resp.StatusCode, line)
		}
		authtest.CheckText(t, line, tok)
	}
}

// useCost returns how many allocations the second and later uses of a token
// make: none when the verdict comes from the cache, several when the token is
// verified again.
func useCost(t *testing.T, a *oidcauth.Authenticator, tok string) float64 {
	t.Helper()
	return testing.AllocsPerRun(20, func() {
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	})
}

// Config.Now is the clock of token times and of nothing else: it neither ages
// the issuer's keys nor keeps them young.
func TestConfig_NowIsNotTheKeysClock(t *testing.T) {
	for _, ahead := range []time.Duration{-48 * time.Hour, 0, 48 * time.Hour, 20 * 365 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := func() time.Time { return time.Now().Add(ahead) }
				issuer, trusted := newIssuer(t, oidctest.Config{Now: now})
				a := newAuthenticator(t, oidcauth.Config{
					Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client(), Now: now,
				})
				tok := issuer.Token(map[string]any{"exp": now().Add(100 * time.Hour)})
				if n := useCost(t, a, tok); n != 0 {
					t.Errorf("a further use makes %v allocations, want 0: it does not come from the cache", n)
				}

				// In use, the keys are refreshed although their clock is another.
				for range 10 {
					time.Sleep(30 * time.Minute)
					if _, err := a.Authenticate(t.Context(), tok); err != nil {
						t.Fatal(err)
					}
				}
				if n := issuer.Fetches().JWKS; n < 4 || n > 10 {
					t.Errorf("%d fetches of the keys in 5 hours of use, want about one an hour", n)
				}
			})
		})
	}
}
