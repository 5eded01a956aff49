package extract

import (
	"net/http"
	"slices"
	"strings"
)

// removeCopies cuts a token that stood in several places out of whatever header
// still has it: an extractor of the program's own may have left it. What is short
// could be equal to another header by chance or on purpose, an address for instance.
func removeCopies(h http.Header, token string) {
	const shortest = 64
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
			left := strings.TrimSpace(strings.ReplaceAll(value, token, ""))
			if !hasToken(value) {
				left = value
			}
			if left != "" && !strings.EqualFold(left, "Bearer") {
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
