package oidcauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/authtrace"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// neighbours starts issuers that share an Authenticator and differ in
// everything that is configured, but give their keys the same ID.
func neighbours(t *testing.T) (map[string]*oidctest.Issuer, *oidcauth.Authenticator) {
	t.Helper()
	issuers := map[string]*oidctest.Issuer{}
	var all []*oidctest.Issuer
	var trusted []oidcauth.Issuer
	for name, typ := range map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"} {
		i := oidctest.NewIssuer(t, oidctest.Config{URL: "https://" + name + ".test"})
		i.RemoveKeys()
		k := i.NewKey(oidctest.KeyConfig{ID: "1"})
		i.Publish(k)
		i.SignWith(k)
		issuers[name], all = i, append(all, i)
		trusted = append(trusted, oidcauth.Issuer{
			URL: i.URL(), Aliases: []string{name}, Audiences: []string{"db-" + name}, TokenTypes: []string{typ},
			Roles: []oidcauth.Path{{"roles_" + name}},
			Rules: []oidcauth.Rule{oidcauth.HasRole(name)},
		})
	}
	return issuers, newAuthenticator(t, oidcauth.Config{Issuers: trusted, Client: oidctest.Client(all...)})
}

// Nothing of one issuer counts for another: neither its keys nor its audience,
// its type of token, its roles. Of all combinations only the pure ones pass.
func TestIssuers_NeverCross(t *testing.T) {
	t.Parallel()
	issuers, a := neighbours(t)
	types := map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"}
	names := []string{"a", "b", "c"}
	for _, signer := range names {
		for _, iss := range names {
			for _, aud := range names {
				for _, typ := range names {
					for _, role := range names {
						claims := hostile.Claims(issuers[iss].URL()).Set("aud", `"db-`+aud+`"`).Set("roles_"+role, `"`+iss+`"`)
						k := issuers[signer].Key()
						_, err := a.Authenticate(t.Context(), hostile.Sign(k, hostile.Header(k).Set("typ", `"`+types[typ]+`"`), claims))
						var want error
						switch {
						case signer != iss:
							want = oidcauth.ErrSignature
						case aud != iss:
							want = oidcauth.ErrAudience
						case typ != iss:
							want = oidcauth.ErrTokenType
						case role != iss:
							want = oidcauth.ErrRule
						}
						if !errors.Is(err, want) {
							t.Errorf("signed by %s for %s, audience of %s, type of %s, role of %s: error = %v, want %v", signer, iss, aud, typ, role, err, want)
						}
					}
				}
			}
		}
	}
}

// The same subject at two issuers is two callers; at an issuer and its alias, one.
func TestIssuers_Identities(t *testing.T) {
	t.Parallel()
	issuers, a := neighbours(t)
	identities := map[oidcauth.Identity]string{}
	for _, name := range []string{"a", "b", "c"} {
		k := issuers[name].Key()
		typ := map[string]string{"a": "JWT", "b": "at+jwt", "c": "c+jwt"}[name]
		var got []oidcauth.Identity
		for _, iss := range []string{issuers[name].URL(), name} {
			claims := hostile.Claims(iss).Set("aud", `"db-`+name+`"`).Set("roles_"+name, `"`+name+`"`)
			c, err := a.Authenticate(t.Context(), hostile.Sign(k, hostile.Header(k).Set("typ", `"`+typ+`"`), claims))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, c.Identity())
		}
		if got[0] != got[1] {
			t.Errorf("issuer %s: identities %v, want the same under its alias", name, got)
		}
		if other, taken := identities[got[0]]; taken {
			t.Errorf("issuers %s and %s: the same identity %v", name, other, got[0])
		}
		identities[got[0]] = name
	}
}

// A flood of forged tokens in one issuer's name leaves the other issuer its
// fetch after a rotation, and its tokens.
func TestIssuers_FloodStaysAtHome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calm, trusted := newIssuer(t, oidctest.Config{URL: "https://calm.test"})
		flooded, alsoTrusted := newIssuer(t, oidctest.Config{URL: "https://flooded.test"})
		a := newAuthenticator(t, oidcauth.Config{
			Issuers: []oidcauth.Issuer{trusted, alsoTrusted}, Client: oidctest.Client(calm, flooded),
		})
		for _, i := range []*oidctest.Issuer{calm, flooded} {
			if _, err := a.Authenticate(t.Context(), i.Token(nil)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for n := range 300 {
			forged := flooded.NewKey(oidctest.KeyConfig{ID: fmt.Sprint("forged", n)}).Token(nil)
			authtest.RefusedInFlood(t, a, forged, oidcauth.ErrUnknownKey)
		}
		if n := flooded.Fetches().JWKS; n > 3 {
			t.Errorf("%d fetches for 300 forged tokens", n)
		}
		if n := calm.Fetches().JWKS; n != 1 {
			t.Errorf("%d fetches of the other issuer's keys, want the first only", n)
		}
		calm.Rotate()
		if _, err := a.Authenticate(t.Context(), calm.Token(nil)); err != nil {
			t.Errorf("Authenticate() error = %v for the other issuer's new key", err)
		}
	})
}

// TestNew_Copies changes everything that a Config refers to once New has seen
// it. Nothing of that counts.
func TestNew_Copies(t *testing.T) {
	t.Parallel()
	w := hostile.NewWorld(t)
	issuer, fixed := w.By["other"], w.By["many"]
	trusted := oidcauth.Issuer{
		URL: issuer.URL(), Aliases: []string{"alias"}, Audiences: []string{testAudience}, Algorithms: []string{"ES256"},
		TokenTypes: []string{"JWT"}, Subject: []oidcauth.Path{{"user", "id"}}, Roles: []oidcauth.Path{{"groups"}},
		ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"tier"}, In: []string{"gold"}}},
		Rules:      []oidcauth.Rule{oidcauth.HasRole("writer")},
	}
	withKeys := oidcauth.Issuer{URL: fixed.URL(), Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: json.RawMessage(slices.Clone(fixed.KeySet()))}}
	fetched := make(chan authtrace.KeyFetch, 8)
	trace := &authtrace.Hooks{KeysFetched: func(f authtrace.KeyFetch) { fetched <- f }}
	origins := []string{"https://app.test"}
	extractors := []oidcauth.Extractor{oidcauth.BearerToken, oidcauth.CookieToken("session", origins...)}
	cfg := oidcauth.Config{
		Issuers: []oidcauth.Issuer{trusted, withKeys}, Client: issuer.Client(), Trace: trace, Extract: oidcauth.FirstOf(extractors...),
	}
	a := newAuthenticator(t, cfg)

	for i := range cfg.Issuers {
		spoilIssuer(&cfg.Issuers[i])
	}
	trace.KeysFetched = func(authtrace.KeyFetch) { t.Error("the trace was changed") }
	origins[0], extractors[0], extractors[1] = "https://evil.test", nil, nil

	good := hostile.Sign(issuer.Key(), hostile.Header(issuer.Key()), hostile.Claims("alias").
		Set("user", `{"id":"u"}`).Set("groups", `["writer"]`).Set("tier", `"gold"`))
	c, err := a.Authenticate(t.Context(), good)
	if err != nil {
		t.Fatalf("Authenticate() error = %v", err)
	}
	if c.Issuer() != issuer.URL() || c.Subject() != "u" || !c.HasRole("writer") {
		t.Errorf("accepted as %q of %q with roles %q", c.Subject(), c.Issuer(), slices.Collect(c.Roles()))
	}
	if f := <-fetched; f.Issuer != issuer.URL() {
		t.Errorf("the trace saw %+v", f)
	}
	if _, err := a.Authenticate(t.Context(), w.Of("many", nil)); err != nil {
		t.Errorf("Authenticate() error = %v by fixed keys", err)
	}
	for _, name := range []string{"https://evil.test", "evil"} {
		if _, err := a.Authenticate(t.Context(), w.Evil.Key().Token(map[string]any{"iss": name, "aud": "evil"})); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("Authenticate() error = %v, want %v for a name that was put in later", err, oidcauth.ErrUnknownIssuer)
		}
	}
	for origin, want := range map[string]error{"https://app.test": nil, "https://evil.test": oidcauth.ErrOrigin} {
		r := newRequest(t, "POST /", "Cookie: session="+good, "Origin: "+origin)
		if _, err := a.AuthenticateRequest(r); !errors.Is(err, want) {
			t.Errorf("AuthenticateRequest() error = %v from %s, want %v", err, origin, want)
		}
	}
}

// spoilIssuer changes everything that an Issuer holds, in place.
func spoilIssuer(i *oidcauth.Issuer) {
	for _, list := range [][]string{i.Aliases, i.Audiences, i.Algorithms, i.TokenTypes} {
		for n := range list {
			list[n] = "evil"
		}
	}
	for _, path := range slices.Concat(i.Subject, i.Roles) {
		path[0] = "evil"
	}
	for n := range i.ClaimRules {
		i.ClaimRules[n].Claim[0], i.ClaimRules[n].In[0], i.ClaimRules[n].Optional = "evil", "evil", true
	}
	for n := range i.Rules {
		i.Rules[n] = func(*oidcauth.Claims) error { return http.ErrAbortHandler }
	}
	for n := range i.Keys.JWKS {
		i.Keys.JWKS[n] = 'x'
	}
	i.URL = "https://evil.test"
}

// A second Authenticator made from the same Config shares nothing with the first.
func TestNew_Twice(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	cfg := oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()}
	first, second := newAuthenticator(t, cfg), newAuthenticator(t, cfg)
	tok := issuer.Token(nil)
	for _, a := range []*oidcauth.Authenticator{first, second} {
		if _, err := a.Authenticate(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	}
	first.Close()
	if _, err := second.Authenticate(t.Context(), tok); err != nil {
		t.Errorf("Authenticate() error = %v once the other is closed", err)
	}
	if _, err := first.Authenticate(t.Context(), tok); !errors.Is(err, oidcauth.ErrClosed) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrClosed)
	}
}

const (
	tenantA  = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	tenantB  = "9188040d-6c67-4c5b-b112-36a304b66dad"
	template = "https://issuer.test/{tenantid}/v2.0"
)

func tenantURL(tenant string) string { return "https://issuer.test/" + tenant + "/v2.0" }

// tenantKeys is an issuer of many tenants, with a key for all of them, one for
// tenant B alone, one for a stranger and one that names nobody.
type tenantKeys struct {
	all, onlyB, stranger, nobody *oidctest.Key
	trusted                      oidcauth.Issuer
}

func newTenantKeys(t *testing.T) tenantKeys {
	t.Helper()
	lab := oidctest.NewIssuer(t, oidctest.Config{})
	newKey := func() *oidctest.Key { return lab.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}) }
	k := tenantKeys{all: newKey(), onlyB: newKey(), stranger: newKey(), nobody: newKey()}
	keySet := keySetOf(t, map[*oidctest.Key]string{
		k.all: template, k.onlyB: tenantURL(tenantB), k.stranger: "https://other.test/" + tenantA + "/v2.0", k.nobody: "",
	})
	k.trusted = oidcauth.Issuer{URL: template, TenantClaim: "tid", Keys: oidcauth.KeysFrom{JWKS: keySet}, Audiences: []string{testAudience}}
	return k
}

// keySetOf publishes keys with the "issuer" that belongs to each.
func keySetOf(t *testing.T, issuers map[*oidctest.Key]string) json.RawMessage {
	t.Helper()
	var keys []json.RawMessage
	for key, issuer := range issuers {
		jwk := key.JWK()
		if issuer != "" {
			jwk = append(bytes.TrimSuffix(bytes.TrimSpace(jwk), []byte("}")), `,"issuer":"`+issuer+`"}`...)
		}
		keys = append(keys, jwk)
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAuthenticate_Tenants(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	all := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	onlyA := keys.trusted
	onlyA.Tenants = []string{tenantA}
	one := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{onlyA}})

	const upper = "72F988BF-86F1-41AF-91AB-2D7CD011DB47"
	tests := []struct {
		name string
		auth *oidcauth.Authenticator
		key  *oidctest.Key
		iss  string
		tid  any
		want error
	}{
		{"any tenant", all, keys.all, tenantURL(tenantA), tenantA, nil},
		{"any other tenant", all, keys.all, tenantURL(tenantB), tenantB, nil},
		{"tenant in the list", one, keys.all, tenantURL(tenantA), tenantA, nil},
		{"tenant not in the list", one, keys.all, tenantURL(tenantB), tenantB, oidcauth.ErrUnknownIssuer},
		{"says to be of another tenant", all, keys.all, tenantURL(tenantB), tenantA, oidcauth.ErrClaim},
		{"says to be of the tenant in the list", one, keys.all, tenantURL(tenantB), tenantA, oidcauth.ErrUnknownIssuer},
		{"no tenant claim", all, keys.all, tenantURL(tenantA), nil, oidcauth.ErrClaim},
		{"tenant claim in a list", all, keys.all, tenantURL(tenantA), []string{tenantA}, oidcauth.ErrClaim},
		{"tenant claim null", all, keys.all, tenantURL(tenantA), json.RawMessage("null"), oidcauth.ErrClaim},
		{"the template itself", all, keys.all, template, "{tenantid}", oidcauth.ErrUnknownIssuer},
		{"a tenant's name", all, keys.all, tenantURL("contoso.example"), "contoso.example", oidcauth.ErrUnknownIssuer},
		{"a name of a GUID's length", all, keys.all, tenantURL("contoso.example/aaaaaaaaaaaaaaaaaaaa"), "contoso.example/aaaaaaaaaaaaaaaaaaaa", oidcauth.ErrUnknownIssuer},
		{"a GUID in capitals", all, keys.all, tenantURL(upper), upper, oidcauth.ErrUnknownIssuer},
		{"a GUID without its hyphens' places", all, keys.all, tenantURL("72f988bf086f1-41af-91ab-2d7cd011db47"), "72f988bf086f1-41af-91ab-2d7cd011db47", oidcauth.ErrUnknownIssuer},
		{"no tenant", all, keys.all, tenantURL(""), "", oidcauth.ErrUnknownIssuer},
		{"something behind", all, keys.all, tenantURL(tenantA) + "/", tenantA, oidcauth.ErrUnknownIssuer},
		{"another host", all, keys.all, "https://issuer.evil/" + tenantA + "/v2.0", tenantA, oidcauth.ErrUnknownIssuer},
		{"tenant B's key for tenant B", all, keys.onlyB, tenantURL(tenantB), tenantB, nil},
		{"tenant B's key for tenant A", all, keys.onlyB, tenantURL(tenantA), tenantA, oidcauth.ErrUnknownKey},
		{"a stranger's key", all, keys.stranger, tenantURL(tenantA), tenantA, oidcauth.ErrUnknownKey},
		{"a key of nobody", all, keys.nobody, tenantURL(tenantA), tenantA, oidcauth.ErrUnknownKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := tt.key.Token(map[string]any{"iss": tt.iss, "tid": tt.tid, "aud": testAudience})
			c, err := tt.auth.Authenticate(t.Context(), token)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Authenticate() error = %v, want %v", err, tt.want)
			}
			if report := tt.auth.Explain(t.Context(), token); !errors.Is(report.Err, tt.want) {
				t.Errorf("Explain() error = %v, want %v", report.Err, tt.want)
			}
			if err == nil && (c.Issuer() != tt.iss || c.Identity() != identity.New(tt.iss, "alice")) {
				t.Errorf("got issuer %q and identity %v, want those of the tenant", c.Issuer(), c.Identity())
			}
		})
	}
}

// Without a key ID every key is tried, but none of another tenant's.
func TestAuthenticate_TenantKeyWithoutID(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	for tenant, want := range map[string]error{tenantA: oidcauth.ErrSignature, tenantB: nil} {
		token := keys.onlyB.WithID("").Token(map[string]any{"iss": tenantURL(tenant), "tid": tenant, "aud": testAudience})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("tenant %s: Authenticate() error = %v, want %v", tenant, err, want)
		}
	}
}

// A tenant that is configured by its own name is judged by that description.
func TestAuthenticate_TenantByItsName(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	own := oidcauth.Issuer{URL: tenantURL(tenantA), Keys: oidcauth.KeysFrom{JWKS: keySetOf(t, map[*oidctest.Key]string{keys.nobody: ""})}, Audiences: []string{"own"}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted, own}})
	token := func(key *oidctest.Key, audience string) string {
		return key.Token(map[string]any{"iss": tenantURL(tenantA), "tid": tenantA, "aud": audience})
	}
	if _, err := a.Authenticate(t.Context(), token(keys.nobody, "own")); err != nil {
		t.Errorf("Authenticate() error = %v", err)
	}
	if _, err := a.Authenticate(t.Context(), token(keys.all, testAudience)); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
}

// discoveredTenants is an issuer of many tenants that is found by discovery. Its
// document states what is given, and its key set is empty.
func discoveredTenants(t *testing.T, stated string) (*oidctest.Issuer, oidcauth.Issuer) {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{})
	issuer.SetDiscovery(map[string]any{"issuer": stated})
	issuer.RemoveKeys()
	return issuer, oidcauth.Issuer{
		URL: template, TenantClaim: "tid", Keys: oidcauth.KeysFrom{DiscoveryURL: issuer.DiscoveryURL()}, Audiences: []string{testAudience},
	}
}

// publishFor adds a key with an "issuer" to the issuer's key set.
func publishFor(t *testing.T, issuer *oidctest.Issuer, key *oidctest.Key, keyIssuer string) {
	t.Helper()
	var members struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(keySetOf(t, map[*oidctest.Key]string{key: keyIssuer}), &members); err != nil {
		t.Fatal(err)
	}
	issuer.AddJWK(members.Keys[0])
}

// The document must state the template, wherever it is, and no tenant's name.
func TestAuthenticate_TenantDiscovery(t *testing.T) {
	t.Parallel()
	for stated, want := range map[string]error{template: nil, tenantURL(tenantA): oidcauth.ErrKeysUnavailable} {
		issuer, trusted := discoveredTenants(t, stated)
		key := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
		publishFor(t, issuer, key, template)
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
		token := key.Token(map[string]any{"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("document states %q: Authenticate() error = %v, want %v", stated, err, want)
		}
	}
}

// A rule names a tenant's issuer by the name that its tokens have; the template is nobody's.
func TestHasIssuer_Tenant(t *testing.T) {
	t.Parallel()
	issuer, trusted := discoveredTenants(t, template)
	key := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
	publishFor(t, issuer, key, template)
	a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
	c := authenticate(t, a, key.Token(map[string]any{"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience}))
	for name, want := range map[string]bool{tenantURL(tenantA): true, tenantURL(tenantB): false, template: false} {
		if got := oidcauth.HasIssuer(name)(c) == nil; got != want || (c.Issuer() == name) != want {
			t.Errorf("HasIssuer(%q) satisfied %t by issuer %q, want %t", name, got, c.Issuer(), want)
		}
	}
}

// A key that comes under a known ID is still one tenant's own.
func TestAuthenticate_TenantReusesKeyID(t *testing.T) {
	t.Parallel()
	for tenant, want := range map[string]error{tenantA: oidcauth.ErrSignature, tenantB: nil} {
		issuer, trusted := discoveredTenants(t, template)
		trusted.Keys.ReusesKeyIDs = true
		before := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("reused")
		after := issuer.NewKey(oidctest.KeyConfig{Algorithm: "ES256"}).WithID("reused")
		publishFor(t, issuer, before, template)
		a := newAuthenticator(t, oidcauth.Config{Client: issuer.Client(), Issuers: []oidcauth.Issuer{trusted}})
		if err := a.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issuer.RemoveKeys()
		publishFor(t, issuer, after, tenantURL(tenantB))
		token := after.Token(map[string]any{"iss": tenantURL(tenant), "tid": tenant, "aud": testAudience})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("tenant %s: Authenticate() error = %v, want %v", tenant, err, want)
		}
	}
}

// A report shows the keys that belong to no tenant of the template as unusable.
func TestKeys_Tenants(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	for _, name := range []string{template, tenantURL(tenantA)} {
		report, err := a.Keys(t.Context(), name)
		if err != nil || len(report.Keys) != 2 || len(report.Skipped) != 2 {
			t.Errorf("Keys(%q): %d usable, %d skipped, error = %v; want 2 and 2", name, len(report.Keys), len(report.Skipped), err)
		}
	}
}

// Claims from a log find their tenant's identity again.
func TestUnverifiedClaims_Tenant(t *testing.T) {
	t.Parallel()
	trusted := newTenantKeys(t).trusted
	payload := func(iss, tid string) []byte {
		return []byte(`{"iss":"` + iss + `","tid":"` + tid + `","sub":"alice","exp":4102444800}`)
	}
	c, err := oidcauth.UnverifiedClaims(payload(tenantURL(tenantB), tenantB), trusted)
	if err != nil {
		t.Fatalf("UnverifiedClaims() error = %v", err)
	}
	if c.Issuer() != tenantURL(tenantB) || c.Identity() != identity.New(tenantURL(tenantB), "alice") {
		t.Errorf("got issuer %q, want %q", c.Issuer(), tenantURL(tenantB))
	}
	if _, err := oidcauth.UnverifiedClaims(payload(tenantURL(tenantB), tenantA), trusted); !errors.Is(err, oidcauth.ErrClaim) {
		t.Errorf("UnverifiedClaims(another tenant) error = %v, want %v", err, oidcauth.ErrClaim)
	}
	if _, err := oidcauth.UnverifiedClaims(payload(template, "{tenantid}"), trusted); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("UnverifiedClaims(template) error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

// New copies what it is given, so that a list changed later changes nothing.
func TestNew_CopiesTenants(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	keys.trusted.Tenants = []string{tenantA}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	keys.trusted.Tenants[0] = tenantB
	token := keys.all.Token(map[string]any{"iss": tenantURL(tenantB), "tid": tenantB, "aud": testAudience})
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

// A tenant that the list leaves out is not let in as a stranger's issuer either.
func TestAuthenticate_TenantIsNoStranger(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	keys.trusted.Tenants = []string{tenantA}
	a := newAuthenticator(t, oidcauth.Config{
		Issuers: []oidcauth.Issuer{keys.trusted},
		AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{testAudience}, Accept: func(issuer string) bool {
			t.Errorf("AnyIssuer is asked about %q", issuer)
			return true
		}},
	})
	token := keys.all.Token(map[string]any{"iss": tenantURL(tenantB), "tid": tenantB, "aud": testAudience})
	if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
		t.Errorf("Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownIssuer)
	}
}

// A tenant is revoked by its own issuer. The template is nobody's: a revocation
// that names it would match nothing.
func TestRevoke_Tenant(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: template, Subject: "alice"}); !errors.Is(err, oidcauth.ErrMalformedRequest) {
		t.Errorf("Revoke(template) error = %v, want %v", err, oidcauth.ErrMalformedRequest)
	}
	revoke(t, a, oidcauth.Revocation{Issuer: tenantURL(tenantA), IssuedBefore: time.Now().Add(time.Second)})
	for tenant, want := range map[string]error{tenantA: oidcauth.ErrRevoked, tenantB: nil} {
		token := keys.all.Token(map[string]any{"iss": tenantURL(tenant), "tid": tenant, "aud": testAudience})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("tenant %s: Authenticate() error = %v, want %v", tenant, err, want)
		}
	}
}

// A logout at one tenant ends that tenant's sessions only.
func TestLogout_Tenant(t *testing.T) {
	t.Parallel()
	keys := newTenantKeys(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	session := func(tenant string) *oidcauth.Session {
		c, err := a.Authenticate(t.Context(), keys.all.Token(map[string]any{
			"iss": tenantURL(tenant), "tid": tenant, "aud": testAudience, "sid": "login-1",
		}))
		if err != nil {
			t.Fatal(err)
		}
		s := a.NewSession(t.Context(), c)
		t.Cleanup(s.Close)
		return s
	}
	sessionA, sessionB := session(tenantA), session(tenantB)
	logout := keys.all.Sign(map[string]any{"typ": "logout+jwt"}, map[string]any{
		"iss": tenantURL(tenantA), "tid": tenantA, "aud": testAudience, "sid": "login-1", "jti": "logout-1",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	})
	if r := postLogout(a, logout); r.StatusCode != http.StatusOK {
		t.Fatalf("logout: status %d", r.StatusCode)
	}
	if sessionA.Context().Err() == nil || sessionB.Context().Err() != nil {
		t.Errorf("session of A %v, of B %v; want the first to have ended", sessionA.Context().Err(), sessionB.Context().Err())
	}
}

// Keys of one's own stand in for an audience that is not there. One that is
// there, and be it empty, counts.
func TestIssuer_DedicatedKeysAudience(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	trusted.Audiences, trusted.DedicatedKeys = nil, true
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, Client: issuer.Client()})
	for _, tt := range []struct {
		name string
		aud  any
		want error
	}{
		{"none", nil, nil},
		{"another", "another-db", oidcauth.ErrAudience},
		{"an empty list", []string{}, oidcauth.ErrAudience},
		{"an empty name", "", oidcauth.ErrAudience},
		{"null", json.RawMessage("null"), oidcauth.ErrClaim},
	} {
		if _, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"aud": tt.aud})); !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}
