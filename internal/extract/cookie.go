package extract

import (
	"fmt"
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/origin"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Cookie returns a function that takes the token from the cookie of a name. It is
// refused to pages of other origins. The error says which argument can never be
// right.
func Cookie(name string, origins []string) (Func, error) {
	if !isHTTPToken(name) {
		return nil, fmt.Errorf("oidcauth: CookieToken: got the name %s, want that of a cookie (RFC 6265, section 4.1.1)", refusal.Quote(name))
	}
	for _, text := range origins {
		if err := origin.Check(text); err != nil {
			return nil, fmt.Errorf("oidcauth: CookieToken: origin %s: %w: want one as a browser sends it, such as \"https://app.example.com\"", refusal.QuoteAddress(text), err)
		}
	}
	origins = slices.Clone(origins)
	return func(r *http.Request) (string, error) {
		tokens, read := removeCookie(r, name)
		switch {
		case len(tokens) == 0:
			return "", noToken("a cookie " + refusal.Quote(name))
		case !read:
			return "", malformed("a cookie "+refusal.Quote(name)+" among so many that net/http reads none", "fewer cookies")
		case !allSame(tokens):
			return "", manyTokens("several cookies " + refusal.Quote(name) + " that differ")
		}
		if err := checkOrigin(r, origins); err != nil {
			return "", withhold(err, tokens[0])
		}
		if !isToken68(tokens[0]) {
			return "", malformed("a cookie "+refusal.Quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}, nil
}

// isHTTPToken reports whether text is a token of HTTP (RFC 9110, section 5.6.2), as the
// names of headers, cookies and subprotocols are.
func isHTTPToken(name string) bool {
	for i := range len(name) {
		if !isTokenChar(name[i]) {
			return false
		}
	}
	return name != ""
}

// removeCookie takes every cookie called name out of the request and returns
// their values. It finds the same cookies as [http.Request.Cookies], and leaves the
// others as they were to it: what is no white space there is none here. Where that reads
// none, because there are too many, it removes none, and says so.
func removeCookie(r *http.Request, name string) (tokens []string, read bool) {
	var rest []string
	for part := range cookiesOf(r.Header) {
		key, value, _ := strings.Cut(part, "=")
		if textproto.TrimString(key) == name {
			tokens = append(tokens, unquoted(value))
			continue
		}
		rest = append(rest, part)
	}
	switch {
	case len(tokens) == 0:
		return nil, true
	case tooMany(r):
		return tokens, false
	}
	setCookies(r.Header, rest)
	return tokens, true
}

// manyCookies is how many there are at least where it is asked whether there are too many.
const manyCookies = 100

// tooMany reports whether there are so many cookies that net/http reads none.
func tooMany(r *http.Request) bool {
	n := 0
	for _, line := range r.Header["Cookie"] {
		n += strings.Count(line, ";") + 1
	}
	return n >= manyCookies && len(r.Cookies()) == 0
}

// cookiesOf yields the cookies of a request as they are written, without the blanks
// around them (RFC 6265, section 4.2.1).
func cookiesOf(h http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range h["Cookie"] {
			for part := range strings.SplitSeq(line, ";") {
				if part = textproto.TrimString(part); part != "" && !yield(part) {
					return
				}
			}
		}
	}
}

// setCookies leaves a request these cookies, in one line.
func setCookies(h http.Header, cookies []string) {
	delete(h, "Cookie")
	if len(cookies) > 0 {
		h["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
}

// unquoted returns a cookie's value without the quotes that may stand around it (RFC
// 6265, section 4.1.1).
func unquoted(value string) string {
	if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// checkOrigin keeps other sites' pages from using a browser's cookies.
func checkOrigin(r *http.Request, origins []string) error {
	got := r.Header["Origin"]
	if len(got) == 0 && isSafe(r) {
		return nil
	}
	if len(got) == 1 && slices.Contains(origins, got[0]) {
		return nil
	}
	return refusal.New(refusal.Request, refusal.ErrOrigin, "Origin "+refusal.QuoteAll(got), refusal.OneOf(origins))
}

// isSafe reports whether the request neither changes anything (RFC 9110,
// section 9.2.1) nor opens a WebSocket, over HTTP/1.1 or HTTP/2.
func isSafe(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" || r.Header.Get("Sec-WebSocket-Key") != "" || r.Header.Get("Sec-WebSocket-Version") != "" {
		return false
	}
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}
