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
	}{
		{"one", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}}, `"https://one.test"`},
		{"one, or one that is found", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, FindIssuer: find}, `"https://one.test", or ` + found},
		{"one that is found", oidcauth.Config{FindIssuer: find}, found},
		{"any", oidcauth.Config{AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"a"}}}, public},
		{"each", oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}, FindIssuer: find, AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{"a"}}}, `"https://one.test", or ` + found + ", or " + public},
		{"one but for the slash", oidcauth.Config{Issuers: []oidcauth.Issuer{described("https://two.test"), described("http://other.test/")}}, `"http://other.test/", to the last slash`},
	} {
		if tt.cfg.AnyIssuer == nil {
			tt.cfg.Client = issuer.Client()
		}
		a := newAuthenticator(t, tt.cfg)
		_, err := a.Authenticate(t.Context(), issuer.Token(map[string]any{"iss": "http://other.test"}))
		refused, is := errors.AsType[*oidcauth.Refusal](err)
		if !is || !errors.Is(err, oidcauth.ErrUnknownIssuer) || refused.Want != tt.want {
			t.Errorf("%s: Authenticate() error = %v, want one that names %s", tt.name, err, tt.want)
		}
	}
}
