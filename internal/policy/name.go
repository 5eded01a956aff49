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
		const want = ", want "
		if at := strings.LastIndex(name, want); at >= 0 && strings.HasPrefix(name, "issuers.") {
			// What that package says of wrong arguments: in one piece its end would be cut off.
			return fmt.Errorf("issuer %s%s%s", refusal.QuoteAddress(name[:at]), want, refusal.Plain(name[at+len(want):]))
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
