package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
)

// An issuer in a file has the fields of the library, and durations as people write
// them.
func TestParseConfig_Issuer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, issuer string
		want         oidcauth.Issuer
		wantError    string
	}{
		{"nothing more", `{"url": "https://a.test"}`, oidcauth.Issuer{URL: "https://a.test"}, ""},
		{
			"all about keys", `{"keys": {"jwks_url": "https://a.test/j", "ca_file": "ca", "token_file": "t", "insecure_http_hosts": ["h"], "require_key_id": true}}`,
			oidcauth.Issuer{Keys: oidcauth.KeysFrom{JWKSURL: "https://a.test/j", CAFile: "ca", TokenFile: "t", InsecureHTTPHosts: []string{"h"}, RequireKeyID: true}}, "",
		},
		{"a leeway", `{"leeway": "10s"}`, oidcauth.Issuer{Leeway: 10 * time.Second}, ""},
		{"no leeway", `{"leeway": "0s"}`, oidcauth.Issuer{Leeway: -1}, ""},
		{"a leeway in numbers", `{"leeway": 10}`, oidcauth.Issuer{}, `issuers[0].leeway: got a number, want a text such as "30s"`},
		{"keys beside the place for them", `{"jwks_url": "https://a.test/j"}`, oidcauth.Issuer{}, `issuers[0].jwks_url: there is no such member; did you mean issuers[].keys.jwks_url?`},
		{"an unknown setting of keys", `{"keys": {"ca": "x"}}`, oidcauth.Issuer{}, `issuers[0].keys.ca: there is no such member`},
		{"tenants that nobody named", `{"tenants": []}`, oidcauth.Issuer{}, `issuers[0].tenants: the list is empty`},
		{"rules that nobody named", `{"claim_rules": []}`, oidcauth.Issuer{}, `issuers[0].claim_rules: the list is empty`},
		{"rules of a variable that is not set", `{"claim_rules": null}`, oidcauth.Issuer{}, `issuers[0].claim_rules: got null`},
		{"values of a variable that is not set", `{"claim_rules": [{"claim": ["team"], "in": null}]}`, oidcauth.Issuer{}, `issuers[0].claim_rules[0].in: got null`},
		{"an empty binding", `{"bound": ""}`, oidcauth.Issuer{}, `issuers[0].bound: got "", want require, refuse`},
		{"a binding", `{"bound": "require"}`, oidcauth.Issuer{Bound: "require"}, ""},
		{"algorithms that nobody named", `{"algorithms": []}`, oidcauth.Issuer{}, `issuers[0].algorithms: the list is empty`},
		{"types that nobody named", `{"token_types": []}`, oidcauth.Issuer{}, `issuers[0].token_types: the list is empty`},
		{"roles that stand nowhere", `{"roles": []}`, oidcauth.Issuer{}, `issuers[0].roles: the list is empty`},
		{"answers that never count", `{"answer_age": "0s"}`, oidcauth.Issuer{}, `issuers[0].answer_age: got "0s": want more than none`},
		{"a host that is no list", `{"keys": {"insecure_http_hosts": "h"}}`, oidcauth.Issuer{}, `issuers[0].keys.insecure_http_hosts: got a text, want a list`},
	} {
		file, err := parseConfig([]byte(`{"issuers": [` + test.issuer + `]}`))
		switch {
		case test.wantError != "":
			if err == nil || !strings.Contains(err.Error(), test.wantError) {
				t.Errorf("%s: error = %v, want one with %s", test.name, err, test.wantError)
			}
		case err != nil:
			t.Errorf("%s: error = %v", test.name, err)
		case len(file.Issuers) != 1 || !reflect.DeepEqual(file.Issuers[0], test.want):
			t.Errorf("%s: got %+v, want %+v", test.name, file.Issuers, test.want)
		}
	}
}
