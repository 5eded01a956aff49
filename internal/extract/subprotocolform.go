package extract

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/oidcauth/oidcauth/internal/refusal"
)

// SubprotocolForm returns a function that takes the token from the subprotocols that
// a WebSocket client offers, in the form of a published client: what follows a
// prefix in one of them, or, paired, the whole of the one after that name, which
// itself stays. Without prefix it is the one that is a JWT. The token stands as it
// is, or in base64url. The error says which argument can never be right.
func SubprotocolForm(prefix string, paired bool) (Func, error) {
	f := form{prefix, paired}
	switch {
	case prefix == "" && paired:
		return nil, fmt.Errorf("oidcauth: SubprotocolForm: got no name, want that which stands before the token")
	case prefix != "" && !isHTTPToken(prefix):
		return nil, fmt.Errorf("oidcauth: SubprotocolForm: got %s, want what can stand in a subprotocol (RFC 6455, section 4.1)", refusal.Quote(prefix))
	}
	return f.take, nil
}

// A form is how a published client puts its token among the subprotocols.
type form struct {
	prefix string
	paired bool
}

func (f form) take(r *http.Request) (string, error) {
	offered, err := offeredSubprotocols(r)
	if err != nil {
		return "", err
	}
	tokens, rest := f.split(offered)
	if len(tokens) == 0 {
		return "", noToken(f.String())
	}
	for i := range tokens {
		tokens[i] = decoded(tokens[i])
		rest = withoutCopies(rest, tokens[i])
	}
	leaveSubprotocols(r, rest)
	switch {
	case !allSame(tokens):
		return "", manyTokens("several tokens among the subprotocols that differ")
	case !isToken68(tokens[0]):
		return "", malformed("a subprotocol of another form", f.String())
	}
	return tokens[0], nil
}

// String describes the form.
func (f form) String() string {
	switch {
	case f.paired:
		return "a token after the subprotocol " + refusal.Quote(f.prefix)
	case f.prefix == "":
		return "a subprotocol that is a JWT"
	}
	return "a subprotocol that begins with " + refusal.Quote(f.prefix)
}

// split returns the tokens, as they are offered, and the other subprotocols.
func (f form) split(offered []string) (tokens, rest []string) {
	for i := 0; i < len(offered); i++ {
		switch p := offered[i]; {
		case f.paired && p == f.prefix && i+1 < len(offered) && offered[i+1] != f.prefix:
			rest = append(rest, p)
			i++
			tokens = append(tokens, offered[i])
		case !f.paired && f.prefix == "" && isJWT(p):
			tokens = append(tokens, p)
		case !f.paired && f.prefix != "" && strings.HasPrefix(p, f.prefix):
			tokens = append(tokens, strings.TrimPrefix(p, f.prefix))
		default:
			rest = append(rest, p)
		}
	}
	return tokens, rest
}

// decoded returns the JWT that text is in base64url, or text itself. A JWT has dots,
// and base64url has none.
func decoded(text string) string {
	if inside, ok := fromBase64URL(text); ok && isJWT(inside) {
		return inside
	}
	return text
}

// isJWT reports whether text has the form of a compact JWS whose header is an object
// (RFC 7515, section 3.1). Names of subprotocols may have two dots as well.
func isJWT(text string) bool {
	head, _, _ := strings.Cut(text, ".")
	if strings.Count(text, ".") != 2 || !isToken68(text) {
		return false
	}
	header, err := base64.RawURLEncoding.DecodeString(head)
	return err == nil && len(header) > 1 && header[0] == '{' && header[len(header)-1] == '}'
}
