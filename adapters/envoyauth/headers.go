package envoyauth

import (
	"errors"
	"fmt"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/proxied"
)

// defaultHeaders are those of a configuration that names none.
func defaultHeaders() []Header {
	return []Header{
		{"X-Auth-Identity", func(c *oidcauth.Claims) []string { return []string{c.Identity().String()} }},
		{"X-Auth-Issuer", func(c *oidcauth.Claims) []string { return []string{c.Issuer()} }},
		{"X-Auth-Subject", func(c *oidcauth.Claims) []string { return []string{c.Subject()} }},
	}
}

// checkHeader reports why a header cannot be had.
func checkHeader(h Header) error {
	if err := proxied.CheckName(h.Name); err != nil {
		return fmt.Errorf("name %q: %w", h.Name, err)
	}
	if h.Values == nil {
		return errors.New("no function for its values")
	}
	return nil
}
