package extract

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Elsewhere names a place of a request that has what looks like a token, for a request
// that had none in the places that were looked at, and what to do about it; empty strings
// if there is none. It is for a person who wonders, and decides nothing. Never does it
// return the token.
func Elsewhere(r *http.Request) (place, remedy string) {
	for _, find := range []func(*http.Request) (place, remedy string){inAuthorization, inSubprotocols, inQuery, inCookies, inOtherHeaders} {
		if place, remedy = find(r); place != "" {
			return place, remedy
		}
	}
	return "", ""
}

const remedyScheme = `"Bearer" and a space belong in front of it, where Config.Extract takes it from there; "DPoP" counts with Config.DPoP`

const remedyExtract = `is that a place of Config.Extract, or of "token_places" in the command's file?`

// remedyTicket is for what is good once, and no token.
const remedyTicket = `if it is a ticket, the route that it is for takes it with Authenticator.AuthenticateTicket, and not behind Middleware`

func inAuthorization(r *http.Request) (place, remedy string) {
	for _, value := range r.Header[headerAuth] {
		if credentials, isBearer := cutBearer(value); isBearer && looksLikeJWT(strings.TrimSpace(credentials)) {
			return "the Authorization header", remedyExtract
		}
		if _, token, spaced := strings.Cut(value, " "); looksLikeJWT(value) || spaced && looksLikeJWT(strings.TrimSpace(token)) {
			return "the Authorization header, without or with another scheme than Bearer", remedyScheme
		}
	}
	return "", ""
}

func inSubprotocols(r *http.Request) (place, remedy string) {
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); looksLikeJWT(name) || strings.HasPrefix(name[strings.LastIndexByte(name, '.')+1:], encodedJWT) {
				return "a subprotocol", remedyExtract + " SubprotocolToken takes \"bearer.\" with the token in base64url, and SubprotocolForm other clients' forms"
			}
		}
	}
	return "", ""
}

func inQuery(r *http.Request) (place, remedy string) {
	if r.URL != nil {
		if name, value, found := namedJWT(r.URL.RawQuery, "&"); found {
			if isTicket(name, value) {
				return "the query parameter " + refusal.Quote(name), remedyTicket
			}
			return "the query parameter " + refusal.Quote(name), remedyExtract
		}
	}
	return "", ""
}

func inCookies(r *http.Request) (place, remedy string) {
	for _, line := range r.Header["Cookie"] {
		if name, _, found := namedJWT(line, ";"); found {
			return "the cookie " + refusal.Quote(name), remedyExtract
		}
	}
	return "", ""
}

// maxHeaders is how many names a request may have that is looked through.
const maxHeaders = 100

// inOtherHeaders looks for a token that stands alone or behind Bearer, as proxies and some
// clients send it. A proof (RFC 9449) has the form of a token, and is none.
func inOtherHeaders(r *http.Request) (place, remedy string) {
	if len(r.Header) > maxHeaders {
		return "", ""
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if name == "Dpop" || strings.Contains(strings.ToLower(name), strings.ToLower(startOfJWT)) {
			continue
		}
		for _, value := range r.Header[name] {
			if credentials, isBearer := cutBearer(value); isBearer {
				value = strings.TrimSpace(credentials)
			}
			if looksLikeJWT(value) {
				return "the header " + refusal.Quote(name), remedyExtract
			}
		}
	}
	return "", ""
}

const (
	startOfJWT = "eyJ"  // of `{"` in base64url
	encodedJWT = "ZXlK" // of that, once more
)

// looksLikeJWT reports whether text has the form of a signed JWT.
func looksLikeJWT(text string) bool {
	return strings.HasPrefix(text, startOfJWT) && strings.Count(text, ".") == 2 && isToken68(text)
}

// isTicket reports whether a query parameter seems to be a ticket of package localissuer,
// by its name or by its header.
func isTicket(name, jwt string) bool {
	header, _, _ := strings.Cut(jwt, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	return strings.EqualFold(name, "ticket") || err == nil && strings.Contains(string(text), `"ticket+jwt"`)
}

// namedJWT returns the first of the pairs in a list whose value looks like a JWT. A name
// that has what may be one is not repeated.
func namedJWT(list, separator string) (name, jwt string, found bool) {
	for pair := range strings.SplitSeq(list, separator) {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if value = strings.Trim(value, `"`); looksLikeJWT(value) {
			if strings.Contains(name, startOfJWT) {
				name = "?"
			}
			return name, value, true
		}
	}
	return "", "", false
}
