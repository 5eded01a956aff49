package oidcauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
)

// What New asks an extractor with is a request that an extractor can get.
func TestExtractors_AskedByNew(t *testing.T) {
	configuration := func(extract oidcauth.Extractor) oidcauth.Config {
		return oidcauth.Config{Issuers: []oidcauth.Issuer{{URL: "https://id.test", Audiences: []string{"x"}}}, Extract: extract}
	}
	bad, good := oidcauth.QueryToken(""), oidcauth.QueryToken("t")
	panics := func(r *http.Request) (string, error) { return r.Context().Value("route").(string), nil }
	within := func(inner oidcauth.Extractor) oidcauth.Extractor {
		return func(r *http.Request) (string, error) {
			if r.Header == nil || r.URL == nil || r.Body == nil || r.ParseForm() != nil || r.Method != http.MethodGet {
				t.Errorf("asked with %v", r)
			}
			return inner(r)
		}
	}
	for _, tt := range []struct {
		name    string
		extract oidcauth.Extractor
		want    string // empty for no error
	}{
		{"wrong in an extractor of the program's own", within(bad), "QueryToken"},
		{"right in one", within(good), ""},
		{"wrong beside one that panics", oidcauth.FirstOf(panics, bad), "QueryToken"},
		{"right beside one that panics", oidcauth.FirstOf(panics, good), ""},
		{"wrong in a list in one of the program's own", within(oidcauth.FirstOf(good, within(bad))), "QueryToken"},
		{"a token for every request", func(*http.Request) (string, error) { return tokenText, nil }, ""},
		{"an error for every request", func(*http.Request) (string, error) { return "", http.ErrNoCookie }, ""},
	} {
		a, err := oidcauth.New(configuration(tt.extract))
		if err == nil {
			a.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), "oidcauth: "+tt.want) {
			t.Errorf("%s: New() error = %v, want one of %q", tt.name, err, tt.want)
		}
	}
}
