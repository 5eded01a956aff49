package extract

import (
	"net/http"
	"strings"
)

const schemeDPoP = "DPoP"

// TakeDPoP takes a token that is sent under the scheme DPoP (RFC 9449, section 7.1),
// and the proof beside it, out of the request. It reports whether there is one. A
// request with one must carry nothing else in that header: the same token under two
// schemes would be one that is bound and not bound.
func TakeDPoP(r *http.Request) (token, proof string, found bool, err error) {
	values := r.Header[headerAuth]
	for _, value := range values {
		if credentials, is := cutScheme(value, schemeDPoP); is {
			token, found = credentials, true
		}
	}
	if !found {
		return "", "", false, nil
	}
	delete(r.Header, headerAuth)
	if len(values) > 1 {
		return "", "", true, manyTokens("several Authorization headers, one of them with the scheme DPoP")
	}
	if !strings.HasPrefix(token, " ") {
		return "", "", true, malformedDPoP()
	}
	if token = strings.Trim(token, " "); !isToken68(token) {
		return "", "", true, malformedDPoP()
	}
	proofs := r.Header["Dpop"]
	delete(r.Header, "Dpop")
	if len(proofs) > 1 {
		return "", "", true, malformed("several DPoP headers", "one")
	}
	return token, strings.Join(proofs, ""), true, nil
}

func malformedDPoP() error {
	return malformed("an Authorization header of another form", `"DPoP", a space and a token`)
}
