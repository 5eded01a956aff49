// Package extract takes a token out of a request, from one place or from several,
// and leaves no copy of it there.
package extract

import (
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// A Func returns the token that a request carries in the places that it looks at,
// and removes it from them. Its error is [refusal.ErrNoToken] where there is none.
type Func = func(r *http.Request) (token string, err error)

func noToken(want string) error {
	return refusal.New(refusal.Request, refusal.ErrNoToken, "", want)
}

func malformed(got, want string) error {
	return refusal.New(refusal.Request, refusal.ErrMalformedRequest, got, want)
}

// manyTokens refuses a request in which tokens differ (RFC 6750, section 2).
func manyTokens(got string) error {
	return refusal.New(refusal.Request, refusal.ErrManyTokens, got, "one")
}

// sameToken compares two tokens in a time that does not tell where they differ.
func sameToken(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// allSame reports whether the tokens, of which there is at least one, are one.
func allSame(tokens []string) bool {
	for _, token := range tokens[1:] {
		if !sameToken(token, tokens[0]) {
			return false
		}
	}
	return true
}

// isTokenChar reports whether c may be part of a scheme's name (RFC 9110, section 5.6.2).
func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isToken68 reports whether s has the form of a bearer token (RFC 6750, section 2.1).
func isToken68(s string) bool {
	for i := range len(s) {
		if !token68[s[i]] {
			return false
		}
	}
	return s != ""
}

// token68 has the bytes that a bearer token may consist of. Each request's whole
// token is looked through, and a table takes half the time of comparisons.
var token68 = func() (allowed [256]bool) {
	for c := range len(allowed) {
		allowed[c] = isAlphanumeric(byte(c)) || strings.IndexByte("-._~+/=", byte(c)) >= 0
	}
	return allowed
}()
