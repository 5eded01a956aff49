package extract

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// shortest is how long a token is at least that is looked for within other values.
// What is shorter could be in one by chance or on purpose, in an address for instance.
const shortest = 64

// removeCopies cuts a token that stood in several places out of whatever header
// still has it: an extractor of the program's own may have left it.
func removeCopies(h http.Header, token string) {
	if len(token) < shortest {
		return
	}
	hasToken := func(value string) bool { return strings.Contains(value, token) }
	for name, values := range h {
		if !slices.ContainsFunc(values, hasToken) {
			continue
		}
		if name == "Cookie" {
			removeCookieCopies(h, hasToken)
			continue
		}
		var rest []string
		for _, value := range values {
			if left, kept := Without(value, token); kept {
				rest = append(rest, left)
			}
		}
		if len(rest) == 0 {
			delete(h, name)
			continue
		}
		h[name] = rest
	}
}

// Without returns what is left of a header's value without a token, and whether anything is
// that says something. Where what stands around the token would be the token once more a space
// keeps the two apart: whole, the value may have more than a client's words, as where proxies
// add to X-Forwarded-For, and no client is to have those dropped.
func Without(value, token string) (left string, kept bool) {
	if !strings.Contains(value, token) {
		return value, true
	}
	left = strings.TrimSpace(strings.ReplaceAll(value, token, ""))
	if strings.Contains(left, token) {
		left = strings.TrimSpace(strings.ReplaceAll(value, token, " "))
	}
	return left, left != "" && !strings.Contains(left, token) && !strings.EqualFold(left, "Bearer")
}

// removeCookieCopies removes the cookies that have the token, whole: to whoever
// looks at it next, one that is left empty is a token badly written.
func removeCookieCopies(h http.Header, hasToken func(string) bool) {
	var rest []string
	for part := range cookiesOf(h) {
		if !hasToken(part) {
			rest = append(rest, part)
		}
	}
	setCookies(h, rest)
}

// withoutCopies returns the subprotocols that do not have the token that was among them,
// as it is or in base64url: what is left, the server may choose and send back.
func withoutCopies(offered []string, token string) []string {
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	return slices.DeleteFunc(offered, func(p string) bool {
		return p == token || p == encoded ||
			len(token) >= shortest && (strings.Contains(p, token) || strings.Contains(p, encoded))
	})
}
