package oidcauth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/hostile"
	"github.com/oidcauth/oidcauth/oidctest"
)

// What comes from the issuer's address may not come from the issuer. None of
// these answers gives keys, and none leads to an address that was not configured.
func TestKeySources_Hostile(t *testing.T) {
	discovery := func(name string, value any) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.SetDiscovery(map[string]any{name: value}) }
	}
	fail := func(at oidctest.Endpoint, f oidctest.Fault) func(*oidctest.Issuer) {
		return func(i *oidctest.Issuer) { i.Fail(at, f) }
	}
	const evil = "https://evil.test/jwks.json"
	tests := []struct {
		name   string
		spoil  func(*oidctest.Issuer)
		accept bool
	}{
		{"nothing", func(*oidctest.Issuer) {}, true},
		{"discovery for another issuer", discovery("issuer", "https://evil.test"), false},
		{"discovery for an issuer with a slash", discovery("issuer", hostile.URL+"/"), false},
		{"discovery for no issuer", discovery("issuer", nil), false},
		{"discovery with the issuer in a list", discovery("issuer", []string{hostile.URL}), false},
		{"discovery with the key set nowhere", discovery("jwks_uri", nil), false},
		{"discovery with the key set over http", discovery("jwks_uri", "http://issuer.test/jwks.json"), false},
		{"discovery with the key set in a file", discovery("jwks_uri", "file:///etc/passwd"), false},
		{"discovery with the key set in capitals", func(i *oidctest.Issuer) {
			i.SetDiscovery(map[string]any{"jwks_uri": nil, "JWKS_URI": i.JWKSURL()})
		}, false},
		{"discovery as a web page", fail(oidctest.Discovery, oidctest.HTMLPage(200)), false},
		{"discovery that moved to another host", fail(oidctest.Discovery, oidctest.Fault{Redirect: "https://evil.test/.well-known/openid-configuration"}), false},
		{"key set that moved to another host", fail(oidctest.JWKS, oidctest.Fault{Redirect: evil}), false},
		{"key set that moved to another host for good", fail(oidctest.JWKS, oidctest.Fault{Redirect: evil, Status: http.StatusPermanentRedirect}), false},
		{"key set that moved to http", fail(oidctest.JWKS, oidctest.Fault{Redirect: "http://issuer.test/moved/jwks.json"}), false},
		{"key set that moved in a circle", fail(oidctest.JWKS, oidctest.Fault{Redirect: "/jwks.json"}), false},
		{"key set that moved on its host", fail(oidctest.JWKS, oidctest.Fault{Redirect: "/moved/jwks.json"}), true},
		{"key set of two mebibytes", fail(oidctest.JWKS, oidctest.Fault{Pad: 2 << 20}), false},
		{"key set of a hundred mebibytes, compressed", fail(oidctest.JWKS, oidctest.Fault{Pad: 100 << 20, Gzip: true}), false},
		{"key set of half a mebibyte", fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 19}), true},
		{"key set, compressed", fail(oidctest.JWKS, oidctest.Fault{Pad: 1 << 10, Gzip: true}), true},
		{"key set that is cut off", fail(oidctest.JWKS, oidctest.Fault{Cut: true}), false},
		{"key set as a web page", fail(oidctest.JWKS, oidctest.HTMLPage(200)), false},
		{"key set with an error's status", fail(oidctest.JWKS, oidctest.Fault{Status: 503}), false},
		{"empty key set", func(i *oidctest.Issuer) { i.RemoveKeys() }, false},
		{"key set with a secret alone", func(i *oidctest.Issuer) {
			i.RemoveKeys()
			i.AddJWK(map[string]any{"kty": "oct", "k": "AAAA", "kid": i.Key().ID()})
		}, false},
		{"key set with garbage beside the key", func(i *oidctest.Issuer) {
			for _, jwk := range []string{`null`, `1`, `"x"`, `[]`, `{}`, `{"kty":"XYZ"}`, `{"kty":"EC"}`, `{"kty":1}`} {
				i.AddJWK(jwk)
			}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			issuer, trusted := newIssuer(t, oidctest.Config{})
			thief := oidctest.NewIssuer(t, oidctest.Config{URL: "https://evil.test"})
			thief.Publish(issuer.Key())
			tt.spoil(issuer)
			a := newAuthenticator(t, oidcauth.Config{
				Issuers: []oidcauth.Issuer{trusted}, Client: oidctest.Client(issuer, thief),
			})
			var want error
			if !tt.accept {
				want = oidcauth.ErrKeysUnavailable
			}
			_, err := a.Authenticate(t.Context(), issuer.Token(nil))
			if !errors.Is(err, want) {
				t.Errorf("Authenticate() error = %v, want %v", err, want)
			}
			if status, _, description := oidcauth.Answer(err); err != nil && (status != 503 || strings.Contains(description, "issuer.test")) {
				t.Errorf("Answer() = %d %q", status, description)
			}
			if n := thief.Fetches(); n != (oidctest.Fetches{}) {
				t.Errorf("another host was asked: %+v", n)
			}
			if n := issuer.Fetches().PlainHTTP; n != 0 {
				t.Errorf("%d fetches without TLS", n)
			}
		})
	}
}
