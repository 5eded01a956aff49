package extract

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

const (
	headerSubprotocol  = "Sec-Websocket-Protocol" // as net/http spells it
	subprotocolPrefix  = "bearer."
	maxSubprotocolList = 64
)

// Subprotocol takes the token from the subprotocols that a WebSocket client offers:
// one is "bearer." and the token in base64url, and another stands beside it.
func Subprotocol(r *http.Request) (string, error) {
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
	token, decoded := fromBase64URL(encoded)
	rest := withoutCopies(slices.DeleteFunc(offered, isBearer), token)
	leaveSubprotocols(r, rest)
	if several {
		return "", manyTokens(`several subprotocols that begin with "bearer." and differ`)
	}
	if len(rest) == 0 {
		return "", malformed("no subprotocol beside the token's", "the application's own beside it")
	}
	if !decoded || !isToken68(token) {
		return "", malformed("a subprotocol of another form", `"bearer." and a token in base64url without padding`)
	}
	return token, nil
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
			offered = append(offered, textproto.TrimString(p))
		}
	}
	return offered, nil
}

// leaveSubprotocols leaves these to the server to choose from.
func leaveSubprotocols(r *http.Request, rest []string) {
	r.Header.Del(headerSubprotocol)
	if len(rest) > 0 {
		r.Header.Set(headerSubprotocol, strings.Join(rest, ", "))
	}
}
