package policy

import "strings"

// Media types of tokens, in the spelling of [MediaType].
const (
	TypeJWT    = "jwt"
	TypeLogout = "logout+jwt"
	TypeTicket = "ticket+jwt"
)

// MediaType returns the value of "typ" in one spelling (RFC 7515, section 4.1.9).
func MediaType(typ string) string {
	if typ == "JWT" {
		return TypeJWT // without the allocation that lower case costs
	}
	return strings.TrimPrefix(strings.ToLower(typ), "application/")
}

// NeverAuthenticates reports whether tokens of the type have another purpose:
// logout (OpenID Connect Back-Channel Logout 1.0), proof of possession (RFC
// 9449), security events (RFC 8417), and tickets, which are good once.
func NeverAuthenticates(mediaType string) bool {
	switch mediaType {
	case TypeLogout, "dpop+jwt", "secevent+jwt", TypeTicket:
		return true
	}
	return false
}
