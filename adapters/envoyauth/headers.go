package envoyauth

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

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

// A leftover is what is left of a header that a token, or what goes with it, was taken out of.
type leftover struct{ name, left string }

// takenOut returns what is left of the headers that something was taken out of, and of those
// that a token may stand in and that are not there: Envoy may have some of which it does not
// tell. What nothing was taken out of is not among them: what Envoy says of a header is not
// always what came, and its own is better.
func takenOut(came, now http.Header) (all []leftover) {
	for _, name := range slices.Sorted(maps.Keys(came)) {
		if left := proxied.Left(now, name); left != proxied.Left(came, name) {
			all = append(all, leftover{name, left})
		}
	}
	for _, name := range proxied.TokenHeaders {
		if proxied.Left(came, name) == "" {
			all = append(all, leftover{name, ""})
		}
	}
	return all
}
