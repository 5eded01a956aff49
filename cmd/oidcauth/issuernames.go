package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/policy"
)

// issuerNames are issuers by the names that their callers have for them
// ([oidcauth.Claims.Issuer]): their "url", or of a template those of its tenants.
type issuerNames []oidcauth.Issuer

// list returns the names, as far as they are known: a template may stand for all that
// have its form.
func (n issuerNames) list() (names []string) {
	for i := range n {
		for _, name := range issuersOf(&n[i]) {
			if !slices.Contains(names, name) { // it may have several descriptions
				names = append(names, name)
			}
		}
	}
	return names
}

func issuersOf(i *oidcauth.Issuer) []string {
	if tenants := tenantsOf(i); tenants != nil {
		return tenants.Names()
	}
	return []string{i.URL}
}

// tenantsOf returns the tenants of an issuer that is described as a template, or nil. What
// is wrong with one is for the library to say.
func tenantsOf(i *oidcauth.Issuer) *policy.Tenants {
	if i.TenantClaim == "" {
		return nil
	}
	tenants, _ := policy.NewTenants(i.URL, i.TenantClaim, i.Tenants) // nil with an error
	return tenants
}

// A naming knows which issuers a setting may name.
type naming struct {
	issuers  issuerNames
	anyOther bool // further ones may be accepted
}

// check reports why no caller has an issuer of that name.
func (n naming) check(name string) error {
	known := n.issuers.list()
	if slices.Contains(known, name) {
		return nil
	}
	for i := range n.issuers {
		described := &n.issuers[i]
		tenants := tenantsOf(described)
		switch {
		case tenants == nil:
		case name == described.URL:
			return fmt.Errorf("issuer %s stands for many, and is no caller's: want that of a tenant%s", quoteArgument(name), suchAs(tenants.Names()))
		case len(described.Tenants) == 0 && tenants.Match(name):
			return nil
		case len(described.Tenants) == 0:
			known = append(known, described.URL+" with a tenant's ID")
		}
	}
	switch {
	case n.anyOther:
		return nil
	case len(known) == 0:
		return fmt.Errorf("issuer %s is not accepted at all", quoteArgument(name))
	}
	return fmt.Errorf("issuer %s is not accepted at all: want one of %s", quoteArgument(name), strings.Join(known, ", "))
}

// suchAs shows the first of several names.
func suchAs(names []string) string {
	if len(names) == 0 {
		return ", with its ID in place of the braces"
	}
	return ", such as " + names[0]
}
