package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/oidcauth/oidcauth/internal/claims"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// CheckIssuerName enforces what makes an identity's input split one way only.
func CheckIssuerName(name string) error {
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		if strings.HasPrefix(name, "issuers.") { // what that package says of wrong arguments
			return fmt.Errorf("issuer %s", refusal.QuoteAddress(name))
		}
		return fmt.Errorf("issuer %s: contains white space", refusal.QuoteAddress(name))
	}
	if name == "" {
		return errors.New(`issuer "": it is empty, want what tokens have in "iss"`)
	}
	if len(name) > claims.MaxIssuerBytes {
		return fmt.Errorf("issuer %s: got %d bytes, want 1 to %d", refusal.QuoteAddress(name), len(name), claims.MaxIssuerBytes)
	}
	if strings.Contains(name, "|") {
		return fmt.Errorf("issuer %s: contains \"|\", which separates issuer and subject in an identity", refusal.QuoteAddress(name))
	}
	if strings.HasPrefix(name, claims.SPIFFE) && !claims.IsTrustDomain(name) {
		return fmt.Errorf("issuer %s: want a trust domain's name and nothing behind it, such as spiffe://example.org", refusal.Quote(name))
	}
	return nil
}
