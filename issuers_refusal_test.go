package oidcauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// Who is refused for their issuer is told every way in which another would be accepted.
func TestUnknownIssuer_Want(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{URL: "https://one.test"})
	find := func(context.Context, string) ([]oidcauth.Issuer, error) { return nil, nil }
	described := func(url string) oidcauth.Issuer {
		return oidcauth.Issuer{URL: url, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKSURL: "https://one.test/keys"}}
	}
	const found, public = "an issuer that FindIssuer finds", "an issuer with a public https URL that this server accepts"
	for _, tt := range []struct {
		name string
		cfg  oidcauth.Config
		want string
		iss  string
	}{
		{"one", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}, `"https://one.test"`, "http://other.test"},
		{"one, or one that is found", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, FindIssuer: find}, `"https://one.test", or ` + found, "http://other.test"},
		{"one that is found", oidcauth.Config{FindIssuer: find}, found, "http://other.test"},
		{"any", oidcauth.Config{AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"a"}}}, public, "http://other.test"},
		{"each", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, FindIssuer: find, AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"a"}}}, `"https://one.test", or ` + found + ", or " + public, "http://other.test"},
		{"one but for the slash", oidcauth.Config{Issuers: []oidcauth.Issuer{described("https://two.test"), described("http://other.test/")}}, `"http://other.test/", to the last slash`, "http://other.test"},
		{"one but for a slash too many", oidcauth.Config{Issuers: []oidcauth.Issuer{described("https://two.test"), described("http://other.test")}}, `"http://other.test", to the last slash`, "http://other.test/"},
	} {
		if tt.cfg.AnyIssuer == nil {
			tt.cfg.Client = issuer.Client()
		}
		a := newAuthenticator(t, tt.cfg)
		_, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"iss": tt.iss}))
		refused, is := errors.AsType[*oidcauth.Refusal](err)
		if !is || !errors.Is(err, oidcauth.ErrUnknownIssuer) || refused.Want != tt.want {
			t.Errorf("%s: Authenticate() error = %v, want one that names %s", tt.name, err, tt.want)
		}
	}
}

// A replay is refused where the program's own table cannot be read, although the issuer
// could be a stranger's: its callers would be granted what a stranger's are.
func TestAuthenticator_UnverifiedClaims_Unread(t *testing.T) {
	t.Parallel()
	down := errors.New("table is locked")
	table := customers{fail: down}
	anybody := &oidcauth.AnyIssuer{Audiences: []string{testAudience}}
	found := newAuthenticator(t, oidcauth.Config{FindIssuer: table.find, AnyIssuer: anybody})
	stranger := []byte(`{"iss":"https://stranger.test","sub":"a","exp":1}`)
	if _, err := found.UnverifiedClaims(stranger, nil); !errors.Is(err, oidcauth.ErrKeysUnavailable) || !errors.Is(err, down) {
		t.Errorf("UnverifiedClaims() error = %v, want %v", err, oidcauth.ErrKeysUnavailable)
	}
	table.change(func() { table.fail = nil })
	if _, err := found.UnverifiedClaims(stranger, nil); err != nil {
		t.Errorf("UnverifiedClaims() of a stranger that the table does not know: error = %v", err)
	}

	anybody.Accept = func(string) bool { panic("of the program") }
	asked := newAuthenticator(t, oidcauth.Config{AnyIssuer: anybody})
	if _, err := asked.UnverifiedClaims(stranger, nil); err != nil {
		t.Errorf("UnverifiedClaims() error = %v where Accept panics, whose word is not needed", err)
	}
	_, err := asked.UnverifiedClaims([]byte(`{"iss":"http://stranger.test","sub":"a","exp":1}`), nil)
	checkSole(t, err, oidcauth.ErrUnknownIssuer)
}

// Of several descriptions a replay names the one that decided.
func TestAuthenticator_UnverifiedClaims_Description(t *testing.T) {
	t.Parallel()
	described := func(url, name string) oidcauth.Issuer {
		return oidcauth.Issuer{URL: url, Name: name, Audiences: []string{testAudience}}
	}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{
		described("https://one.test", ""), described("https://named.test", "people"),
		described("https://two.test", "people"), described("https://two.test", "services"),
	}})
	for _, tt := range []struct {
		issuer, name string
		given        []string
		want         string // what the refusal says that there is; empty where there is none
	}{
		{"https://one.test", "", nil, ""},
		{"https://one.test", "people", []string{"people"}, `""`},
		{"https://named.test", "people", nil, ""},
		{"https://named.test", "people", []string{"people"}, ""},
		{"https://named.test", "people", []string{"services"}, `"people"`},
		{"https://two.test", "services", []string{"services"}, ""},
		{"https://two.test", "people", []string{"people"}, ""},
		{"https://two.test", "", nil, `one of ["people" "services"]`},
	} {
		c, err := a.UnverifiedClaims([]byte(`{"iss":"`+tt.issuer+`","sub":"a","exp":1}`), nil, tt.given...)
		refused, is := errors.AsType[*oidcauth.Refusal](err)
		switch {
		case tt.want == "" && (err != nil || c.Description() != tt.name):
			t.Errorf("%s as %q: error = %v, want claims by %q", tt.issuer, tt.given, err, tt.name)
		case tt.want != "" && (!is || !errors.Is(err, oidcauth.ErrUnknownIssuer) || refused.Want != tt.want):
			t.Errorf("%s as %q: error = %v, want %v and %s", tt.issuer, tt.given, err, oidcauth.ErrUnknownIssuer, tt.want)
		}
	}
}
