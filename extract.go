package oidcauth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// An Extractor takes the token out of a request, in both senses: it returns the
// token, and removes it from the request so that no handler or access log that
// comes later sees it. It returns [ErrNoToken] when the request carries none in
// the place it looks at, [ErrMalformedRequest] when it carries more than one or
// carries it wrongly, and [ErrOrigin] when it may not be used from where the
// request comes. It must be safe for concurrent use, as those of this package are.
type Extractor func(r *http.Request) (token string, err error)

const (
	checkRequest       = "request"
	headerAuth         = "Authorization"
	headerSubprotocol  = "Sec-Websocket-Protocol" // as net/http spells it
	subprotocolPrefix  = "bearer."
	maxSubprotocolList = 64
)

func noToken(want string) error { return refuse(checkRequest, ErrNoToken, "", want) }

func malformed(got, want string) error {
	return refuse(checkRequest, ErrMalformedRequest, got, want)
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
		r.Header.Del(headerAuth)
		return "", malformed("several Authorization headers", "one")
	}
	credentials, isBearer := cutBearer(values[0])
	if !isBearer {
		return "", noToken("an Authorization header with a bearer token")
	}
	delete(r.Header, headerAuth)
	if !strings.HasPrefix(credentials, " ") {
		return "", malformedBearer()
	}
	return strings.Trim(credentials, " "), nil
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
	rest := slices.DeleteFunc(slices.Clone(offered), isBearer)
	r.Header.Del(headerSubprotocol)
	if len(rest) > 0 {
		r.Header.Set(headerSubprotocol, strings.Join(rest, ", "))
	}
	if len(rest) != len(offered)-1 {
		return "", malformed(`several subprotocols that begin with "bearer."`, "one")
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

// QueryToken takes the token from the query parameter of the given name. RFC
// 6750, section 2.3, advises against it, since addresses end up in logs of
// proxies and browsers that this package cannot reach; it serves clients that
// can do no other.
func QueryToken(name string) Extractor {
	return func(r *http.Request) (string, error) {
		if !strings.Contains(r.URL.RawQuery, name+"=") && !strings.ContainsAny(r.URL.RawQuery, "%+") {
			return "", noToken("a query parameter " + quote(name))
		}
		tokens := removeQuery(r, name)
		switch {
		case len(tokens) == 0:
			return "", noToken("a query parameter " + quote(name))
		case len(tokens) > 1:
			return "", malformed("several query parameters "+quote(name), "one")
		case !isToken68(tokens[0]):
			return "", malformed("a query parameter "+quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}
}

// removeQuery takes every parameter called name out of the request's address
// and returns their values. The other parameters stay as they were written.
func removeQuery(r *http.Request, name string) []string {
	var tokens, rest []string
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		if k, err := url.QueryUnescape(key); err != nil || k != name {
			rest = append(rest, part)
			continue
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			value = ""
		}
		tokens = append(tokens, value)
	}
	if len(tokens) > 0 {
		r.URL.RawQuery = strings.Join(rest, "&")
		r.RequestURI = r.URL.RequestURI()
	}
	return tokens
}

// CookieToken takes the token from the cookie of the given name.
//
// A browser sends cookies with requests that other sites' pages make. So a
// request that opens a WebSocket or is neither GET, HEAD nor OPTIONS must bear
// an Origin header with one of the origins, such as "https://app.example.com",
// and any other request must not bear one with a different value.
func CookieToken(name string, origins ...string) Extractor {
	origins = slices.Clone(origins)
	return func(r *http.Request) (string, error) {
		tokens := removeCookie(r, name)
		switch {
		case len(tokens) == 0:
			return "", noToken("a cookie " + quote(name))
		case len(tokens) > 1:
			return "", malformed("several cookies "+quote(name), "one")
		}
		if err := checkOrigin(r, origins); err != nil {
			return "", err
		}
		if !isToken68(tokens[0]) {
			return "", malformed("a cookie "+quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}
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
	return refuse(checkRequest, ErrOrigin, "Origin "+quoteAll(got), oneOf(origins))
}

// isSafe reports whether the request neither changes anything (RFC 9110,
// section 9.2.1) nor opens a WebSocket, over HTTP/1.1 or HTTP/2.
func isSafe(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" || r.Header.Get("Sec-WebSocket-Key") != "" || r.Header.Get("Sec-WebSocket-Version") != "" {
		return false
	}
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// FirstOf tries the extractors in their order and returns the token of the first
// that finds one. All of them are tried: a request that carries a token in two
// places is malformed (RFC 6750, section 2), and so is one that carries a good
// token beside a badly written one.
func FirstOf(extractors ...Extractor) Extractor {
	extractors = slices.Clone(extractors)
	return func(r *http.Request) (string, error) {
		token, refusal, found := "", error(nil), 0
		for _, extract := range extractors {
			t, err := extract(r)
			if errors.Is(err, ErrNoToken) {
				continue
			}
			found++
			if found == 1 {
				token, refusal = t, err
			}
		}
		switch {
		case found == 0:
			return "", noToken("")
		case found > 1:
			return "", malformed("tokens in more than one place", "one token")
		}
		return token, refusal
	}
}
