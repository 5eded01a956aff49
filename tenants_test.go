package oidcauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

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

// A key that comes under a known ID is still one tenant's own.
func TestAuthenticate_TenantReusesKeyID(t *testing.T) {
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
	keys := newTenantKeys(t)
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{keys.trusted}})
	if err := a.Revoke(t.Context(), oidcauth.Revocation{Issuer: template}); !errors.Is(err, oidcauth.ErrMalformedRequest) {
		t.Errorf("Revoke(template) error = %v, want %v", err, oidcauth.ErrMalformedRequest)
	}
	revoke(t, a, oidcauth.Revocation{Issuer: tenantURL(tenantA)})
	for tenant, want := range map[string]error{tenantA: oidcauth.ErrRevoked, tenantB: nil} {
		token := keys.all.Token(map[string]any{"iss": tenantURL(tenant), "tid": tenant, "aud": testAudience})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, want) {
			t.Errorf("tenant %s: Authenticate() error = %v, want %v", tenant, err, want)
		}
	}
}

// A logout at one tenant ends that tenant's sessions only.
func TestLogout_Tenant(t *testing.T) {
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
