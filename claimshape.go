package oidcauth

import (
	"strings"

	"github.com/oidcauth/oidcauth/internal/jws"
)

// isEmpty reports whether a claim holds nothing.
func isEmpty(m jws.Member) bool {
	switch m.Kind {
	case jws.Null:
		return true
	case jws.String:
		return m.Value == `""`
	case jws.Array, jws.Object:
		return strings.Trim(m.Value[1:len(m.Value)-1], " \t\r\n") == ""
	}
	return false
}

// hasOtherSpellings reports whether a claim is a number that is not written in
// the one way that a whole number without exponent has.
func hasOtherSpellings(m jws.Member) bool {
	return m.Kind == jws.Number && (strings.ContainsAny(m.Value, ".eE") || m.Value == "-0")
}
