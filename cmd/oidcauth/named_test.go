package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A template of many tenants, and two of these.
const (
	tenantsURL = "https://login.test/{tenantid}/v2.0"
	tenantA    = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	tenantB    = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

func tenantURL(tenant string) string { return strings.Replace(tenantsURL, "{tenantid}", tenant, 1) }

// describedTenants returns the description of the template, with a key of all tenants.
func describedTenants(t *testing.T, more string) (issuer string, key *oidctest.Key) {
	t.Helper()
	key = oidctest.NewIssuer(t, oidctest.Config{}).NewKey(oidctest.KeyConfig{Algorithm: "ES256"})
	jwk := append(bytes.TrimSuffix(bytes.TrimSpace(key.JWK()), []byte("}")), `,"issuer":"`+tenantsURL+`"}`...)
	return fmt.Sprintf(`{"url": %q, "tenant_claim": "tid", "audiences": ["my-db"], "keys": {"jwks": {"keys": [%s]}}%s}`, tenantsURL, jwk, more), key
}

// TestForwardAuth_RulesOfTenants: a rule names the tenant of a template, whose callers alone
// it lets pass.
func TestForwardAuth_RulesOfTenants(t *testing.T) {
	t.Parallel()
	issuer, key := describedTenants(t, "")
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [%s], "forward_auth": {"rules": [{"issuers": [%q]}]}}`, issuer, tenantURL(tenantA))))
	for tenant, want := range map[string]int{tenantA: 200, tenantB: 403} {
		token := key.Token(map[string]any{"iss": tenantURL(tenant), "tid": tenant, "aud": "my-db"})
		if got := s.get(t, "/v1/forward-auth", token); got.status != want {
			t.Errorf("tenant %s: status %d, want %d", tenant, got.status, want)
		}
	}
	if got := s.get(t, metadataPath, ""); strings.Contains(got.body, "{tenantid}") {
		t.Errorf("the metadata name an address where nobody is: %s", got.body)
	}
}

// TestServe_NamedIssuers: what names issuers of which no token can come is an error, where
// nothing would ever fit.
func TestServe_NamedIssuers(t *testing.T) {
	t.Parallel()
	all, _ := describedTenants(t, "")
	onlyA, _ := describedTenants(t, fmt.Sprintf(`, "tenants": [%q]`, tenantA))
	for _, test := range []struct{ name, issuer, more, named, says string }{
		{"the template", all, "", tenantsURL, "stands for many"},
		{"the template, beside strangers", all, `, "any_issuer": {"audiences": ["my-db"]}`, tenantsURL, "stands for many"},
		{"any tenant", all, "", tenantURL(tenantB), ""},
		{"a tenant of the list", onlyA, "", tenantURL(tenantA), ""},
		{"another one", onlyA, "", tenantURL(tenantB), "is not a"},
		{"no tenant", all, "", tenantURL("contoso"), "is not a"},
	} {
		for setting, where := range map[string]string{
			"a rule": `"forward_auth": {"rules": [{"issuers": [%q]}]}`,
			"admin":  `"admin": {"bearer": {"issuers": [%q], "roles": ["admin"]}}`,
		} {
			file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [%s]%s, `+where+`}`, test.issuer, test.more, test.named))
			got := invoke(t, "", "serve", "--config", file, "--check")
			if (test.says == "") != (got.code == 0) || !strings.Contains(got.err, test.says) {
				t.Errorf("%s: %s: got %+v, want %q", setting, test.name, got, test.says)
			}
		}
	}
}
