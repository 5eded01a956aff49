package policy

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// CheckIssuerName enforces what makes an identity's input split one way only.
func CheckIssuerName(name string) error {
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf("issuer %s: contains white space", refusal.Quote(name))
	}
	if name == "" || len(name) > claims.MaxNameBytes {
		return fmt.Errorf("issuer %s: got %d bytes, want 1 to %d", refusal.Quote(name), len(name), claims.MaxNameBytes)
	}
	if strings.Contains(name, "|") {
		return fmt.Errorf("issuer %q: contains \"|\", which separates issuer and subject in an identity", name)
	}
	return nil
}
