package oidcauth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/origin"
	"github.com/oidcauth/oidcauth/internal/refusal"
)

// An Extractor takes the token out of a request, in both senses: it returns the
// token, and removes it from the request so that no handler or access log that
// comes later sees it. It returns [ErrNoToken] when the request carries none in
// the place it looks at, [ErrMalformedRequest] when it carries two that differ or
// carries it wrongly, and [ErrOrigin] when it may not be used from where the
// request comes. The same token twice is one token, and both copies are removed.
// It must be safe for concurrent use, as those of this package are.
//
// Those of this package that are made with arguments that can never be right, such
// as an empty name, refuse every request with an error that says so; [New] returns
// that error.
type Extractor func(r *http.Request) (token string, err error)

const (
	headerAuth         = "Authorization"
	headerSubprotocol  = "Sec-Websocket-Protocol" // as net/http spells it
	subprotocolPrefix  = "bearer."
	maxSubprotocolList = 64
)

func noToken(want string) error { return refusal.New(refusal.Request, ErrNoToken, "", want) }

func malformed(got, want string) error {
	return refusal.New(refusal.Request, ErrMalformedRequest, got, want)
}

// BearerToken takes the token from the Authorization header (RFC 6750, section
// 2.1). Another scheme than Bearer counts as no token and stays in the request.
func BearerToken(r *http.Request) (string, error) {
	token, err := takeBearer(r)
	if err == nil && !isToken68(token) {
		return "", malformedBearer()
	}
	return token, err
}

// takeBearer is [BearerToken] but for the characters of the token.
func takeBearer(r *http.Request) (string, error) {
	values := r.Header[headerAuth]
	switch len(values) {
	case 0:
		return "", noToken("an Authorization header with a bearer token")
	case 1:
	default:
		delete(r.Header, headerAuth)
		return bearerOfAll(values)
	}
	credentials, isBearer := cutBearer(values[0])
	if !isBearer {
		return "", noToken("an Authorization header with a bearer token")
	}
	delete(r.Header, headerAuth)
	return trimBearer(credentials)
}

// trimBearer returns the token in what follows the scheme Bearer.
func trimBearer(credentials string) (string, error) {
	if !strings.HasPrefix(credentials, " ") {
		return "", malformedBearer()
	}
	return strings.Trim(credentials, " "), nil
}

// bearerOfAll returns the one token that several Authorization headers carry.
func bearerOfAll(values []string) (string, error) {
	tokens := make([]string, len(values))
	for i, value := range values {
		credentials, isBearer := cutBearer(value)
		if !isBearer {
			return "", malformed("several Authorization headers", "one")
		}
		var err error
		if tokens[i], err = trimBearer(credentials); err != nil {
			return "", err
		}
	}
	if !allSame(tokens) {
		return "", malformed("several Authorization headers that differ", "one")
	}
	return tokens[0], nil
}

func malformedBearer() error {
	return malformed("an Authorization header of another form", `"Bearer", a space and a token`)
}

// cutBearer returns what follows the scheme Bearer, in any case of letters, and
// whether that is the scheme (RFC 9110, section 11.1).
func cutBearer(header string) (credentials string, isBearer bool) {
	const scheme = "Bearer"
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	credentials = header[len(scheme):]
	if credentials != "" && isTokenChar(credentials[0]) {
		return "", false
	}
	return credentials, true
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

// token68 tells which bytes a bearer token may consist of. Each request's whole
// token is looked through, and a table takes half the time of comparisons.
var token68 = func() (allowed [256]bool) {
	for c := range len(allowed) {
		allowed[c] = isAlphanumeric(byte(c)) || strings.IndexByte("-._~+/=", byte(c)) >= 0
	}
	return allowed
}()

// SubprotocolToken takes the token from the subprotocols that a WebSocket client
// offers, the one list that a browser lets its page fill in. One of them is
// "bearer." followed by the token, encoded in base64url without padding; beside
// it stands at least one subprotocol of the application, which alone is left
// for the server to choose and echo:
//
//	new WebSocket(url, ["messages.v1", "bearer." + base64url(token)])
func SubprotocolToken(r *http.Request) (string, error) {
	offered, err := offeredSubprotocols(r)
	if err != nil {
		return "", err
	}
	isBearer := func(p string) bool { return strings.HasPrefix(p, subprotocolPrefix) }
	first := slices.IndexFunc(offered, isBearer)
	if first < 0 {
		return "", noToken(`a subprotocol that begins with "bearer."`)
	}
	encoded := strings.TrimPrefix(offered[first], subprotocolPrefix)
	// Two that differ cannot be one token, since only one way to encode it is read.
	differs := func(p string) bool { return isBearer(p) && !sameToken(p, offered[first]) }
	several := slices.ContainsFunc(offered, differs)
	rest := slices.DeleteFunc(offered, isBearer)
	r.Header.Del(headerSubprotocol)
	if len(rest) > 0 {
		r.Header.Set(headerSubprotocol, strings.Join(rest, ", "))
	}
	if several {
		return "", malformed(`several subprotocols that begin with "bearer." and differ`, "one")
	}
	if len(rest) == 0 {
		return "", malformed("no subprotocol beside the token's", "the application's own beside it")
	}
	token, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || !isToken68(string(token)) {
		return "", malformed("a subprotocol of another form", `"bearer." and a token in base64url without padding`)
	}
	return string(token), nil
}

// offeredSubprotocols lists what the client offers (RFC 6455, section 4.1).
func offeredSubprotocols(r *http.Request) ([]string, error) {
	var offered []string
	for _, line := range r.Header[headerSubprotocol] {
		for p := range strings.SplitSeq(line, ",") {
			if len(offered) == maxSubprotocolList {
				r.Header.Del(headerSubprotocol)
				return nil, malformed("a long list of subprotocols", "64 at most")
			}
			offered = append(offered, strings.TrimSpace(p))
		}
	}
	return offered, nil
}

// CookieToken takes the token from the cookie of the given name.
//
// A browser sends cookies with requests that other sites' pages make. So a
// request that opens a WebSocket or is neither GET, HEAD nor OPTIONS must bear
// an Origin header with one of the origins, such as "https://app.example.com",
// and any other request must not bear one with a different value.
//
// A name that no cookie can have and an origin that no browser sends, such as one
// that ends with a slash, are errors of [New]. Without origins a request that
// bears an Origin, or has to, is refused.
func CookieToken(name string, origins ...string) Extractor {
	if !isCookieName(name) {
		return invalid(fmt.Errorf("oidcauth: CookieToken: got the name %s, want that of a cookie (RFC 6265, section 4.1.1)", refusal.Quote(name)))
	}
	for _, text := range origins {
		if err := origin.Check(text); err != nil {
			return invalid(fmt.Errorf("oidcauth: CookieToken: origin %s: %w: want one as a browser sends it, such as \"https://app.example.com\"", refusal.Quote(text), err))
		}
	}
	origins = slices.Clone(origins)
	return func(r *http.Request) (string, error) {
		tokens := removeCookie(r, name)
		switch {
		case len(tokens) == 0:
			return "", noToken("a cookie " + refusal.Quote(name))
		case !allSame(tokens):
			return "", malformed("several cookies "+refusal.Quote(name)+" that differ", "one")
		}
		if err := checkOrigin(r, origins); err != nil {
			return "", withhold(err, tokens[0])
		}
		if !isToken68(tokens[0]) {
			return "", malformed("a cookie "+refusal.Quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}
}

// isCookieName reports whether net/http reads and writes cookies of that name.
func isCookieName(name string) bool {
	for i := range len(name) {
		if !isTokenChar(name[i]) {
			return false
		}
	}
	return name != ""
}

// removeCookie takes every cookie called name out of the request and returns
// their values.
func removeCookie(r *http.Request, name string) []string {
	var tokens, rest []string
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			key, value, _ := strings.Cut(part, "=")
			switch {
			case strings.TrimSpace(key) == name:
				tokens = append(tokens, strings.Trim(strings.TrimSpace(value), `"`))
			case part != "":
				rest = append(rest, part)
			}
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	r.Header.Del("Cookie")
	if len(rest) > 0 {
		r.Header.Set("Cookie", strings.Join(rest, "; "))
	}
	return tokens
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
	return refusal.New(refusal.Request, ErrOrigin, "Origin "+refusal.QuoteAll(got), refusal.OneOf(origins))
}

// isSafe reports whether the request neither changes anything (RFC 9110,
// section 9.2.1) nor opens a WebSocket, over HTTP/1.1 or HTTP/2.
func isSafe(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" || r.Header.Get("Sec-WebSocket-Key") != "" || r.Header.Get("Sec-WebSocket-Version") != "" {
		return false
	}
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}
