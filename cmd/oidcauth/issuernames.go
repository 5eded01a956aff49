package main

import (
	"errors"
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
		for _, name := range namesOf(&n[i]) {
			if !slices.Contains(names, name) { // it may have several descriptions
				names = append(names, name)
			}
		}
	}
	return names
}

func namesOf(i *oidcauth.Issuer) []string {
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

// check reports why no caller has an issuer of that name.
func (n issuerNames) check(name string) error {
	list := n.list()
	if slices.Contains(list, name) {
		return nil
	}
	for i := range n {
		tenants := tenantsOf(&n[i])
		switch {
		case tenants == nil:
		case name == n[i].URL:
			return fmt.Errorf("is the template of many issuers, and no caller's: want that of a tenant%s", suchAs(tenants.Names()))
		case len(n[i].Tenants) == 0 && tenants.Match(name):
			return nil
		case len(n[i].Tenants) == 0:
			list = append(list, n[i].URL+" with a tenant's ID")
		}
	}
	if len(list) == 0 {
		return errors.New("is not accepted at all")
	}
	return fmt.Errorf("is not accepted at all: want one of %s", strings.Join(list, ", "))
}

// suchAs shows the first of several names.
func suchAs(names []string) string {
	if len(names) == 0 {
		return ", with its ID in place of the braces"
	}
	return ", such as " + names[0]
}
