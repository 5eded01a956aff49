package oidctest_test

import (
	"testing"
	"testing/synctest"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/oidcauth/oidcauth/oidctest"
)

// A client that was not written for this package is content with the issuer,
// and notices what is wrong with it.
func TestGoOIDC(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "https://tenant.test/realms/one", "https://slash.test/"} {
		synctest.Test(t, func(t *testing.T) {
			iss := oidctest.NewIssuer(t, oidctest.Config{URL: url, Algorithm: "RS256"})
			ctx := oidc.ClientContext(t.Context(), iss.Client())
			provider, err := oidc.NewProvider(ctx, iss.URL())
			if err != nil {
				t.Fatalf("NewProvider() error = %v", err)
			}
			verifier := provider.Verifier(&oidc.Config{ClientID: "my-db"})
			claims := map[string]any{"aud": "my-db"}
			if _, err := verifier.Verify(ctx, iss.Token(claims)); err != nil {
				t.Errorf("Verify() error = %v", err)
			}
			// Until go-oidc has put its fetch away, it hands the result out again.
			synctest.Wait()
			iss.Replace()
			if _, err := verifier.Verify(ctx, iss.Token(claims)); err != nil {
				t.Errorf("Verify() after a rotation: error = %v", err)
			}
			for _, f := range iss.Key().Forgeries(claims) {
				if _, err := verifier.Verify(ctx, f.Token); err == nil {
					t.Errorf("%s: accepted", f.Name)
				}
			}
			iss.SetDiscovery(map[string]any{"issuer": "https://evil.test"})
			if _, err := oidc.NewProvider(ctx, iss.URL()); err == nil {
				t.Error("NewProvider() with another issuer in the document: error = nil")
			}
		})
	}
}
