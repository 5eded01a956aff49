package oidcauth_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"
)

// bundle returns an issuer's keys as a trust domain publishes them, for that use.
func bundle(t *testing.T, issuer *oidctest.Issuer, use string) json.RawMessage {
	t.Helper()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(issuer.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		key["use"] = use
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A JWT-SVID names no issuer: its subject's trust domain has to vouch for it, and
// for its own workloads alone.
func TestAuthenticate_JWTSVID(t *testing.T) {
	t.Parallel()
	const domain, workload = "spiffe://example.org", "spiffe://example.org/ns/default/sa/web"
	issuer, _ := newIssuer(t, oidctest.Config{})
	other, ordinary := newIssuer(t, oidctest.Config{URL: "https://other.test"})
	ordinary.Keys.JWKS = other.KeySet()
	trusted := oidcauth.Issuer{URL: domain, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: bundle(t, issuer, "jwt-svid")}}
	a := newAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted, ordinary}})
	for _, tt := range []struct {
		name   string
		header map[string]any
		claims map[string]any
		want   error
	}{
		{"as it should be", nil, map[string]any{"sub": workload}, nil},
		{"of type JOSE", map[string]any{"typ": "JOSE"}, map[string]any{"sub": workload}, nil},
		{"without type", map[string]any{"typ": nil}, map[string]any{"sub": workload}, nil},
		{"an issuer that is the trust domain", nil, map[string]any{"iss": domain, "sub": workload}, nil},
		{"an access token's type", map[string]any{"typ": "at+jwt"}, map[string]any{"sub": workload}, oidcauth.ErrTokenType},
		{"another audience", nil, map[string]any{"sub": workload, "aud": "x"}, oidcauth.ErrAudience},
		{"no expiry", nil, map[string]any{"sub": workload, "exp": nil}, oidcauth.ErrClaim},
		{"another trust domain", nil, map[string]any{"sub": "spiffe://example.com/ns/default/sa/web"}, oidcauth.ErrUnknownIssuer},
		{"a trust domain below", nil, map[string]any{"sub": "spiffe://a.example.org/web"}, oidcauth.ErrUnknownIssuer},
		{"its trust domain, and another's workload", nil, map[string]any{"iss": domain, "sub": "spiffe://example.com/web"}, oidcauth.ErrClaim},
		{"its trust domain, and a name", nil, map[string]any{"iss": domain, "sub": "alice"}, oidcauth.ErrClaim},
		{"another issuer's name", nil, map[string]any{"iss": "https://other.test", "sub": workload}, oidcauth.ErrUnknownKey},
		{"an issuer that is null", nil, map[string]any{"iss": json.RawMessage("null"), "sub": workload}, oidcauth.ErrClaim},
		{"the trust domain alone", nil, map[string]any{"sub": domain}, oidcauth.ErrClaim},
		{"nothing behind the slash", nil, map[string]any{"sub": domain + "/"}, oidcauth.ErrClaim},
		{"a slash at the end", nil, map[string]any{"sub": workload + "/"}, oidcauth.ErrClaim},
		{"two slashes", nil, map[string]any{"sub": domain + "//web"}, oidcauth.ErrClaim},
		{"a way up", nil, map[string]any{"sub": domain + "/ns/../web"}, oidcauth.ErrClaim},
		{"an escape", nil, map[string]any{"sub": domain + "/%77eb"}, oidcauth.ErrClaim},
		{"a query", nil, map[string]any{"sub": workload + "?x"}, oidcauth.ErrClaim},
		{"a port", nil, map[string]any{"sub": "spiffe://example.org:443/web"}, oidcauth.ErrClaim},
		{"capitals in the trust domain", nil, map[string]any{"sub": "spiffe://Example.org/web"}, oidcauth.ErrClaim},
		{"capitals in the scheme", nil, map[string]any{"sub": "SPIFFE://example.org/web"}, oidcauth.ErrClaim},
		{"2049 bytes", nil, map[string]any{"sub": domain + "/" + strings.Repeat("w", 2028)}, oidcauth.ErrClaim},
		{"no subject", nil, nil, oidcauth.ErrClaim},
	} {
		claims := map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix()}
		for name, value := range tt.claims {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		token := issuer.Sign(maps.Clone(tt.header), claims)
		c, err := a.Authenticate(t.Context(), token)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && (c.Issuer() != domain || c.Identity() != identity.New(domain, workload)) {
			t.Errorf("%s: issuer %q, identity %v", tt.name, c.Issuer(), c.Identity())
		}
	}
}

// Which keys a trust domain signs tokens with, and where they can come from.
func TestNew_TrustDomain(t *testing.T) {
	t.Parallel()
	issuer, _ := newIssuer(t, oidctest.Config{})
	token := issuer.Sign(nil, map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix(), "sub": "spiffe://example.org/web"})
	for _, tt := range []struct {
		name, url, use string
		good           bool // New
		want           error
	}{
		{"for JWT-SVIDs", "spiffe://example.org", "jwt-svid", true, nil},
		{"for signatures", "spiffe://example.org", "sig", true, nil},
		{"for X.509-SVIDs", "spiffe://example.org", "x509-svid", false, nil},
		{"for JWT-SVIDs of an issuer with a URL", "https://example.org", "jwt-svid", false, nil},
		{"a slash at the end", "spiffe://example.org/", "jwt-svid", false, nil},
		{"a workload", "spiffe://example.org/web", "jwt-svid", false, nil},
		{"capitals", "spiffe://Example.org", "jwt-svid", false, nil},
		{"no name", "spiffe://", "jwt-svid", false, nil},
	} {
		trusted := oidcauth.Issuer{URL: tt.url, Audiences: []string{testAudience}, Keys: oidcauth.KeysFrom{JWKS: bundle(t, issuer, tt.use)}}
		a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
		if (err == nil) != tt.good {
			t.Errorf("%s: New() error = %v, want one: %v", tt.name, err, !tt.good)
		}
		if err != nil {
			continue
		}
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, tt.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", tt.name, err, tt.want)
		}
		a.Close()
	}
	nowhere := oidcauth.Issuer{URL: "spiffe://example.org", Audiences: []string{testAudience}}
	if a, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{nowhere}}); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("without keys: New() error = %v, want one that says where they could come from", err)
		if err == nil {
			a.Close()
		}
	}
}

// Where no trust domain is configured, a token without issuer stays one.
func TestAuthenticate_JWTSVID_OfNobody(t *testing.T) {
	t.Parallel()
	issuer, trusted := newIssuer(t, oidctest.Config{})
	for name, cfg := range map[string]oidcauth.Config{
		"configured issuers": {Issuers: []oidcauth.Issuer{trusted}},
		"strangers too":      {Issuers: []oidcauth.Issuer{trusted}, AnyIssuer: &oidcauth.AnyIssuer{Audiences: []string{testAudience}}},
	} {
		a := newAuthenticator(t, cfg)
		token := issuer.Sign(nil, map[string]any{"aud": testAudience, "exp": time.Now().Add(time.Minute).Unix(), "sub": "spiffe://example.org/web"})
		if _, err := a.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrUnknownIssuer) {
			t.Errorf("%s: Authenticate() error = %v, want %v", name, err, oidcauth.ErrUnknownIssuer)
		}
	}
}
