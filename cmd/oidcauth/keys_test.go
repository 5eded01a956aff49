package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	iss.RemoveKeys()
	iss.Publish(
		iss.NewKey(oidctest.KeyConfig{ID: "ec"}),
		iss.NewKey(oidctest.KeyConfig{ID: "ed", Algorithm: "EdDSA"}),
		iss.NewKey(oidctest.KeyConfig{ID: "for-encryption", JWK: map[string]any{"use": "enc"}}),
		iss.NewKey(oidctest.KeyConfig{ID: "a\x1b[31m"}),
	)
	iss.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: 2 * time.Hour, ETag: true})
	got := invoke(t, "", "keys", "--allow-insecure-http", iss.URL())
	if got.code != 0 || got.err != "" {
		t.Fatalf("got %+v", got)
	}
	for _, want := range []string{
		`(?m)^KEY ID +TYPE +ALGORITHM +USE +USABLE$`,
		`(?m)^ec +EC P-256 +ES256 +sig +yes$`,
		`(?m)^ed +OKP Ed25519 +EdDSA +sig +yes$`,
		`(?m)^for-encryption +EC +- +- +no: \S`,
		`(?m)^a\\x1b\[31m +EC P-256 `,
		`(?m)^issuer +` + regexp.QuoteMeta(iss.URL()) + `$`,
		`(?m)^key set +` + regexp.QuoteMeta(iss.JWKSURL()) + `$`,
		`(?m)^state +fresh$`,
		`(?m)^max-age +2h0m0s$`,
		`(?m)^ETag +"`,
		`(?m)^next refresh +\S+Z \(in 1h[34]\d?m`,
		`(?m)^fresh until +\S+Z \(in (2h0m0s|1h59m)`,
	} {
		if !regexp.MustCompile(want).MatchString(got.out) {
			t.Errorf("nothing matches %s in\n%s", want, got.out)
		}
	}
}

func TestKeys_WithoutCachingHeaders(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	got := invoke(t, "", "keys", "--allow-insecure-http", iss.URL())
	for _, want := range []string{`(?m)^max-age +not stated$`, `(?m)^ETag +-$`, `(?m)^kept fresh for +1h0m0s$`} {
		if !regexp.MustCompile(want).MatchString(got.out) {
			t.Errorf("nothing matches %s in\n%s", want, got.out)
		}
	}
	asJSON := invoke(t, "", "keys", "--allow-insecure-http", "--json", iss.URL())
	var report map[string]any
	if err := json.Unmarshal([]byte(asJSON.out), &report); err != nil {
		t.Fatal(err)
	}
	if age, there := report["max_age_seconds"]; !there || age != nil {
		t.Errorf("max_age_seconds = %v, %t; want null", age, there)
	}
}

func TestKeys_Json(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	iss.RemoveKeys()
	iss.Publish(
		iss.NewKey(oidctest.KeyConfig{ID: "ec"}),
		iss.NewKey(oidctest.KeyConfig{ID: "for-encryption", JWK: map[string]any{"use": "enc"}}),
	)
	iss.SetCaching(oidctest.JWKS, oidctest.Caching{MaxAge: 2 * time.Hour, ETag: true})
	var report keysJSON
	got := invoke(t, "", "keys", "--allow-insecure-http", "--json", iss.URL())
	if err := json.Unmarshal([]byte(got.out), &report); err != nil {
		t.Fatalf("%v in %+v", err, got)
	}
	if len(report.Keys) != 1 || report.Keys[0].ID != "ec" || report.Keys[0].Thumbprint == "" {
		t.Errorf("keys = %+v, want the one that is usable", report.Keys)
	}
	if len(report.Skipped) != 1 || report.Skipped[0].ID != "for-encryption" || report.Skipped[0].Reason == "" {
		t.Errorf("skipped = %+v, want the other one and why", report.Skipped)
	}
	if report.MaxAge == nil || *report.MaxAge != 7200 || report.State != "fresh" || report.ETag == "" {
		t.Errorf("got %+v", report)
	}
}

// Where no key is usable the reasons are shown all the same.
func TestKeys_NoneUsable(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	iss.RemoveKeys()
	iss.Publish(iss.NewKey(oidctest.KeyConfig{ID: "for-encryption", JWK: map[string]any{"use": "enc"}}))
	for _, flags := range [][]string{{}, {"--json"}} {
		got := invoke(t, "", append(append([]string{"keys", "--allow-insecure-http"}, flags...), iss.URL())...)
		if got.code != 1 || !strings.Contains(got.out, "for-encryption") || !strings.Contains(got.out, "not for signatures") {
			t.Errorf("got %+v, want exit code 1 and why the key is not usable", got)
		}
	}
}

func TestKeys_Failures(t *testing.T) {
	t.Parallel()
	down, empty := startIssuer(t), startIssuer(t)
	down.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
	empty.RemoveKeys()
	for _, test := range []struct {
		name     string
		operands []string
		code     int
		says     string
	}{
		{"the issuer is down", []string{down.URL()}, 1, "discovery"},
		{"no key at all", []string{empty.URL()}, 1, "key"},
		{"no operand", nil, 2, "want ISSUER"},
		{"two operands", []string{"https://a.example", "https://b.example"}, 2, "want ISSUER"},
		{"no URL", []string{"keycloak"}, 2, "URL"},
		{"an issuer elsewhere by http", []string{"http://id.example.com"}, 2, "http"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := invoke(t, "", append([]string{"keys", "--allow-insecure-http"}, test.operands...)...)
			if got.code != test.code || !strings.Contains(got.err, test.says) || got.out != "" {
				t.Errorf("got %+v, want exit code %d and %q", got, test.code, test.says)
			}
		})
	}
}
