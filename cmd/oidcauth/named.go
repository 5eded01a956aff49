package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// A naming knows which issuers a setting may name.
type naming struct {
	issuers  []oidcauth.Issuer
	anyOther bool // further ones may be accepted
}

// check reports why tokens of an issuer that a setting names cannot be had. Of a template
// each tenant is an issuer of its own, and is named: a role is what its tenant calls so,
// and everybody may open one.
func (n naming) check(name string) error {
	if known, err := isNamed(n.issuers, name); known || err != nil || n.anyOther {
		return err
	}
	return fmt.Errorf("issuer %s is not accepted at all: want one of %s", quoteArgument(name), strings.Join(issuerURLs(n.issuers), ", "))
}

// isNamed reports whether any of the descriptions accepts tokens whose issuer has the name.
func isNamed(issuers []oidcauth.Issuer, name string) (bool, error) {
	for i := range issuers {
		if stands, err := standsFor(&issuers[i], name); stands || err != nil {
			return stands, err
		}
	}
	return false, nil
}

// standsFor reports whether a description accepts tokens whose issuer has the name.
func standsFor(i *oidcauth.Issuer, name string) (bool, error) {
	if i.TenantClaim == "" {
		return i.URL == name, nil
	}
	if i.URL == name {
		return false, fmt.Errorf("issuer %s stands for many: want each by its own name, with the tenant's ID in place of the braces", quoteArgument(name))
	}
	tenants, err := policy.NewTenants(i.URL, i.TenantClaim, i.Tenants)
	if err != nil || !tenants.Match(name) { // the library says what is wrong
		return false, nil
	}
	isIn := func(tenant string) bool { return strings.Contains(name, tenant) } // a GUID, of which the name has one
	return len(i.Tenants) == 0 || slices.ContainsFunc(i.Tenants, isIn), nil
}
