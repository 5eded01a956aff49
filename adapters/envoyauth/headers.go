package envoyauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/oidcauth/oidcauth"
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
	lowered := strings.ToLower(h.Name)
	rest, found := strings.CutPrefix(lowered, "x-")
	if !found {
		rest, found = strings.CutPrefix(lowered, "remote-")
	}
	isOther := func(c rune) bool { return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') }
	switch {
	case !found || rest == "" || strings.ContainsFunc(rest, isOther):
		return fmt.Errorf(`name %q: want "X-" or "Remote-", and letters, digits and hyphens`, h.Name)
	case strings.HasPrefix(lowered, "x-envoy-") || strings.HasPrefix(lowered, "x-forwarded-"):
		return fmt.Errorf("name %q: it is Envoy's own", h.Name)
	case h.Values == nil:
		return errors.New("no function for its values")
	}
	return nil
}

// list joins values so that none can be taken for two.
func list(values []string) string {
	const digits = "0123456789ABCDEF"
	var out strings.Builder
	for i, value := range values {
		if i > 0 {
			out.WriteByte(',')
		}
		for j := range len(value) {
			if c := value[j]; c > ' ' && c < 0x7f && c != '%' && c != ',' {
				out.WriteByte(c)
			} else {
				out.Write([]byte{'%', digits[c>>4], digits[c&15]})
			}
		}
	}
	return out.String()
}
