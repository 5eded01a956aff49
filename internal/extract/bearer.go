package extract

import (
	"net/http"
	"strings"
)

const headerAuth = "Authorization"

// Bearer takes the token from the Authorization header (RFC 6750, section 2.1).
// Another scheme than Bearer counts as no token and stays in the request.
func Bearer(r *http.Request) (string, error) {
	token, err := TakeBearer(r)
	if err == nil {
		err = CheckBearer(token)
	}
	if err != nil {
		return "", err
	}
	return token, nil
}

// CheckBearer refuses what [TakeBearer] has returned and no token can be.
func CheckBearer(token string) error {
	if !isToken68(token) {
		return malformedBearer()
	}
	return nil
}

// TakeBearer is [Bearer] without [CheckBearer].
func TakeBearer(r *http.Request) (string, error) {
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
			return "", manyTokens("several Authorization headers")
		}
		var err error
		if tokens[i], err = trimBearer(credentials); err != nil {
			return "", err
		}
	}
	if !allSame(tokens) {
		return "", manyTokens("several Authorization headers that differ")
	}
	return tokens[0], nil
}

func malformedBearer() error {
	return malformed("an Authorization header of another form", `"Bearer", a space and a token`)
}

// cutBearer returns what follows the scheme Bearer, and whether that is the scheme.
func cutBearer(header string) (credentials string, isBearer bool) {
	return cutScheme(header, "Bearer")
}

// cutScheme returns what follows a scheme, in any case of letters, and whether that is
// the scheme (RFC 9110, section 11.1).
func cutScheme(header, scheme string) (credentials string, is bool) {
	if len(header) < len(scheme) || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	credentials = header[len(scheme):]
	if credentials != "" && isTokenChar(credentials[0]) {
		return "", false
	}
	return credentials, true
}
