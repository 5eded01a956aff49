package issuers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/quote"
)

// refused returns a description that oidcauth.New refuses, quoting these words:
// an issuer's name cannot contain white space. A password goes before the rest is cut, which
// may take what tells that it is one.
func refused(function, argument, got, want string) oidcauth.Issuer {
	return oidcauth.Issuer{URL: fmt.Sprintf("issuers.%s: %s is %.40q, want %s", function, argument, quote.WithoutUser(got), want)}
}

// made reports whether every character of s is in one of the sets; an empty s is not.
func made(s string, sets ...string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !slices.ContainsFunc(sets, func(set string) bool { return strings.ContainsRune(set, r) })
	})
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyz"
)

// isHost reports whether s is a host name of several labels, without scheme,
// port or path, in the small letters that issuers write.
func isHost(s string) bool {
	return made(s, letters, digits, ".-") && strings.Contains(strings.Trim(s, "."), ".") &&
		!strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}

// isLabel reports whether s can be one label of a host name.
func isLabel(s string) bool { return made(s, letters, digits, "-") && len(s) <= 63 }

// isName reports whether s can stand in the path of a URL as it is.
func isName(s string) bool {
	return made(s, letters, strings.ToUpper(letters), digits, "-_") && len(s) <= 100
}

// isGUID reports whether s is a GUID in small letters.
func isGUID(s string) bool {
	return len(s) == 36 && made(s, "abcdef", digits, "-") && strings.Count(s, "-") == 4 &&
		s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}

// isURL reports whether s begins like a URL and has neither query nor fragment.
// The rest oidcauth.New checks.
func isURL(s string) bool {
	return (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && !strings.ContainsAny(s, "?#")
}

// claimIn demands one of the values. An empty value becomes no value, which
// oidcauth.New refuses, rather than a demand that a token might meet.
func claimIn(values []string, path ...string) oidcauth.ClaimRule {
	if slices.Contains(values, "") {
		values = nil
	}
	return oidcauth.ClaimRule{Claim: path, In: append([]string{}, values...)}
}

func absentOrIn(values []string, path ...string) oidcauth.ClaimRule {
	rule := claimIn(values, path...)
	rule.Optional = true
	return rule
}

func is(value string, path ...string) oidcauth.ClaimRule {
	return claimIn([]string{value}, path...)
}

func isNot(value string, path ...string) oidcauth.ClaimRule {
	return oidcauth.ClaimRule{Claim: path, NotIn: []string{value}}
}

func present(path ...string) oidcauth.ClaimRule {
	return oidcauth.ClaimRule{Claim: path, Present: true}
}

func absent(path ...string) oidcauth.ClaimRule {
	return oidcauth.ClaimRule{Claim: path, Absent: true}
}
