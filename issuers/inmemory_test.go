package issuers_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestKeysElsewhere: a description that says where its keys or its discovery document are can
// be tested as it stands, with an issuer in memory that is there, as the guide says.
func TestKeysElsewhere(t *testing.T) {
	t.Parallel()
	for _, p := range providers {
		described := p.issuer(t)
		if described.TenantClaim != "" || described.Keys.JWKSURL == "" && described.Keys.DiscoveryURL == "" {
			continue
		}
		t.Run(p.name(), func(t *testing.T) {
			var issuer *oidctest.Issuer
			if keys, err := url.Parse(described.Keys.JWKSURL); err != nil {
				t.Fatal(err)
			} else if keys.Host != "" {
				issuer = oidctest.NewIssuer(t, oidctest.Config{URL: "https://" + keys.Host, JWKSPath: keys.Path})
			} else {
				at, _ := strings.CutSuffix(described.Keys.DiscoveryURL, "/.well-known/openid-configuration")
				issuer = oidctest.NewIssuer(t, oidctest.Config{URL: at})
				issuer.SetDiscovery(map[string]any{"issuer": described.URL})
			}
			auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{described}, Client: issuer.Client()})
			if err != nil {
				t.Fatal(err)
			}
			defer auth.Close()
			if err := auth.Ready(t.Context()); err != nil {
				t.Errorf("Ready() error = %v", err)
			}
		})
	}
}
