package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

const (
	template  = "https://login.example.com/{tenant}/v2.0"
	oneTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
	another   = "11111111-2222-3333-4444-555555555555"
)

func tenantURL(id string) string { return strings.Replace(template, "{tenant}", id, 1) }

// Where an issuer has tenants, rules and admins are named by the issuers of theirs, which is
// what their tokens say: the template itself is nobody's.
func TestIssuerNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tenants, name, want string }{
		{``, tenantURL(oneTenant), ""},
		{``, tenantURL(another), ""},
		{``, tenantURL(strings.ToUpper(oneTenant)), "is not"},
		{``, template, "stands for many"},
		{`"tenants": ["` + oneTenant + `"],`, tenantURL(oneTenant), ""},
		{`"tenants": ["` + oneTenant + `"],`, tenantURL(another), "is not"},
		{`"tenants": ["` + oneTenant + `"],`, template, "such as " + tenantURL(oneTenant)},
	} {
		for member, text := range map[string]string{
			"rules[0]":             fmt.Sprintf(`"forward_auth": {"rules": [{"issuers": [%q]}]}`, tt.name),
			"admin.bearer.issuers": fmt.Sprintf(`"admin": {"bearer": {"issuers": [%q], "roles": ["r"]}}`, tt.name),
		} {
			config := fmt.Sprintf(`{"issuers": [{"url": %q, "tenant_claim": "tid", %s "audiences": ["a"],
				"keys": {"jwks_url": "https://login.example.com/keys"}}], %s}`, template, tt.tenants, text)
			if member == "rules[0]" && tt.name == template { // an issuer that nobody configured is none like that
				strangers := strings.Replace(config, `"forward_auth"`, `"any_issuer": {"audiences": ["a"]}, "forward_auth"`, 1)
				if got := invoke(t, "", "serve", "--config", writeFile(t, "config.json", strangers), "--check"); got.code != 2 || !strings.Contains(got.err, "stands for many") {
					t.Errorf("beside strangers: %+v, want exit code 2", got)
				}
			}
			got := invoke(t, "", "serve", "--config", writeFile(t, "config.json", config), "--check")
			switch {
			case tt.want == "" && got.code != 0:
				t.Errorf("%s with %s: %+v, want exit code 0", member, text, got)
			case tt.want != "" && (got.code != 2 || !strings.Contains(got.err, member) || !strings.Contains(got.err, tt.want)):
				t.Errorf("%s with %s: %+v, want exit code 2 and %q", member, text, got, tt.want)
			}
		}
	}
}

// A rule for one tenant lets its callers pass, and no other's; a client is not sent to the
// template.
func TestIssuerNames_Rules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tenants, servers string }{
		{``, `"authorization_servers":["` + "{other}" + `"]`},
		{fmt.Sprintf(`"tenants": [%q, %q],`, oneTenant, another), `"authorization_servers":["` + tenantURL(oneTenant) + `","` + tenantURL(another) + `","{other}"]`},
	} {
		iss, other := startIssuer(t), startIssuer(t)
		iss.SetDiscovery(map[string]any{"issuer": template})
		file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [
			{"url": %q, "tenant_claim": "tid", %s "audiences": ["my-db"], "keys": {"jwks_url": %q, "insecure_http": true}},
			{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}}],
			"forward_auth": {"rules": [{"issuers": [%q]}]}}`, template, tt.tenants, iss.JWKSURL(), other.URL(), tenantURL(oneTenant)))
		s := serve(t, "--config", file)
		key := iss.NewKey(oidctest.KeyConfig{JWK: map[string]any{"issuer": template}})
		iss.Publish(key)
		for id, want := range map[string]int{oneTenant: 200, another: 403} {
			token := key.Token(map[string]any{"iss": tenantURL(id), "tid": id, "sub": "alice", "aud": "my-db", "exp": time.Now().Add(time.Hour).Unix()})
			if got := s.get(t, "/v1/forward-auth", token); got.status != want {
				t.Errorf("tenant %s: status %d, want %d: %s", id, got.status, want, got.body)
			}
		}
		servers := strings.ReplaceAll(tt.servers, "{other}", other.URL())
		if got := s.get(t, metadataPath, ""); !strings.Contains(got.body, servers) {
			t.Errorf("metadata %s, want %s in it", got.body, servers)
		}
	}
}
