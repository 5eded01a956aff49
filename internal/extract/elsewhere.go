package extract

import (
	"net/http"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Elsewhere names a place of a request that has what looks like a token, for a request
// that had none in the places that were looked at; an empty string if there is none. It
// is for a person who wonders, and decides nothing. Never does it return the token.
func Elsewhere(r *http.Request) string {
	for _, value := range r.Header[headerAuth] {
		if credentials, isBearer := cutBearer(value); isBearer && looksLikeJWT(strings.TrimSpace(credentials)) {
			return "the Authorization header"
		}
		if _, token, spaced := strings.Cut(value, " "); looksLikeJWT(value) || spaced && looksLikeJWT(strings.TrimSpace(token)) {
			return "the Authorization header, without or with another scheme than Bearer"
		}
	}
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); looksLikeJWT(name) || strings.HasPrefix(name[strings.LastIndexByte(name, '.')+1:], encodedJWT) {
				return "a subprotocol"
			}
		}
	}
	if r.URL != nil {
		if name, found := namedJWT(r.URL.RawQuery, "&"); found {
			return "the query parameter " + refusal.Quote(name)
		}
	}
	for _, line := range r.Header["Cookie"] {
		if name, found := namedJWT(line, ";"); found {
			return "the cookie " + refusal.Quote(name)
		}
	}
	return ""
}

const (
	startOfJWT = "eyJ"  // of `{"` in base64url
	encodedJWT = "ZXlK" // of that, once more
)

// looksLikeJWT reports whether text has the form of a signed JWT.
func looksLikeJWT(text string) bool {
	return strings.HasPrefix(text, startOfJWT) && strings.Count(text, ".") == 2 && isToken68(text)
}

// namedJWT returns the name of the first of the pairs in a list whose value looks like
// a JWT. A name that has what may be one is not repeated.
func namedJWT(list, separator string) (name string, found bool) {
	for pair := range strings.SplitSeq(list, separator) {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if looksLikeJWT(strings.Trim(value, `"`)) {
			if strings.Contains(name, startOfJWT) {
				name = "?"
			}
			return name, true
		}
	}
	return "", false
}
