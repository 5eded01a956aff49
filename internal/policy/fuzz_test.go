package policy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// FuzzTenants: a template stands for the names that a pattern made of it does, and for
// one spelling of each.
func FuzzTenants(f *testing.F) {
	const guid = "0f8fad5b-d9cb-469f-a165-70867728950e"
	for _, seed := range [][2]string{
		{"https://login.test/{tenantid}/v2.0", "https://login.test/" + guid + "/v2.0"}, {"https://login.test/{t}", "https://login.test/" + strings.ToUpper(guid)},
		{"https://{t}.login.test", "https://" + guid + ".login.test"}, {"https://{t}/{u}", "https://" + guid + "/x"}, {"{t}", guid}, {"}{t}", "}" + guid}, {"https://login.test/{}", "https://login.test/" + guid},
		{"https://login.test/{tenantid}/v2.0", "https://login.test/" + guid + "/v2.0/"}, {"https://login.test/{tenantid}/v2.0", "https://login.test/{tenantid}/v2.0"},
		{strings.Repeat("7", claims.MaxIssuerBytes-len(guid)) + "{t}", ""}, {strings.Repeat("7", claims.MaxIssuerBytes-len(guid)) + "{t}7", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	place := regexp.MustCompile(`^([^{}]+)\{[^{}]+\}([^{}]*)$`)
	f.Fuzz(func(t *testing.T, template, issuer string) {
		tenants, err := policy.NewTenants(template, "tid", nil)
		m := place.FindStringSubmatch(template)
		if (err == nil) != (m != nil && len(m[1])+len(guid)+len(m[2]) <= claims.MaxIssuerBytes) {
			t.Fatalf("NewTenants(%q) error = %v", template, err)
		}
		if err != nil {
			return
		}
		want := regexp.MustCompile("^" + regexp.QuoteMeta(strings.ToValidUTF8(m[1], "\uFFFD")) + `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}` + regexp.QuoteMeta(strings.ToValidUTF8(m[2], "\uFFFD")) + "$")
		if strings.ToValidUTF8(template+issuer, "") != template+issuer {
			return // to regexp all that is no UTF-8 is one character
		}
		if got := tenants.Match(issuer); got != want.MatchString(issuer) {
			t.Errorf("%q stands for %q: %t", template, issuer, got)
		}
		if tenants.Owns("", issuer) != (issuer == "") || !tenants.Owns(template, issuer) || tenants.AcceptKey()(issuer) != (tenants.Match(issuer) || issuer == template) {
			t.Errorf("%q: a key of nobody is one of %q, or one of all is not", template, issuer)
		}
	})
}
