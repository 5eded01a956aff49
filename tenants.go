package oidcauth

import (
	"fmt"

	"github.com/oidcauth/oidcauth/internal/policy"
)

// checkTenants reports the first contradiction about tenants.
func (i *Issuer) checkTenants() error {
	if i.TenantClaim == "" {
		if len(i.Tenants) > 0 {
			return fmt.Errorf("oidcauth: issuer %q: Tenants without TenantClaim", i.URL)
		}
		return nil
	}
	_, err := policy.NewTenants(i.URL, i.TenantClaim, i.Tenants)
	switch {
	case err != nil:
		return fmt.Errorf("oidcauth: issuer %q: %w", i.URL, err)
	case len(i.Aliases) > 0:
		return fmt.Errorf("oidcauth: issuer %q: both TenantClaim and Aliases are set", i.URL)
	case i.DiscoveryURL == "" && i.JWKSURL == "" && len(i.JWKS) == 0:
		return fmt.Errorf("oidcauth: issuer %q: a template is no address: set DiscoveryURL, JWKSURL or JWKS", i.URL)
	}
	return nil
}

// tenantTrust finds the template that stands for an issuer that is not
// configured by its name.
func (a *Authenticator) tenantTrust(iss string) *trust {
	for _, t := range a.order {
		if t.Tenants.Match(iss) {
			return t
		}
	}
	return nil
}
