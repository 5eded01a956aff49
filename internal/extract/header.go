package extract

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// Header returns a function that takes the token from the header of a name, which a
// proxy sets: the token alone, or the scheme Bearer and the token. The error says
// that the name can never be right.
func Header(name string) (Func, error) {
	if !isHTTPToken(name) {
		return nil, fmt.Errorf("oidcauth: HeaderToken: got the name %s, want that of a header (RFC 9110, section 5.1)", refusal.Quote(name))
	}
	name = http.CanonicalHeaderKey(name)
	if slices.Contains([]string{headerAuth, "Cookie", headerSubprotocol}, name) {
		return nil, fmt.Errorf("oidcauth: HeaderToken: got the name %q, whose values are more than tokens: want BearerToken, CookieToken or SubprotocolToken", name)
	}
	return func(r *http.Request) (string, error) {
		values := r.Header[name]
		if len(values) == 0 {
			return "", noToken("a header " + refusal.Quote(name))
		}
		delete(r.Header, name)
		tokens := make([]string, len(values))
		for i, value := range values {
			tokens[i] = value
			if credentials, isBearer := cutBearer(value); isBearer {
				tokens[i] = strings.TrimLeft(credentials, " ")
			}
		}
		switch {
		case !allSame(tokens):
			return "", manyTokens("several headers " + refusal.Quote(name) + " that differ")
		case tokens[0] == "":
			return "", noToken("a header " + refusal.Quote(name))
		case !isToken68(tokens[0]):
			return "", malformed("a header "+refusal.Quote(name)+" of another form", "a token")
		}
		return tokens[0], nil
	}, nil
}
