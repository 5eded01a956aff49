package proxied

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// neverInPreflights are the headers, folded, that no browser sends in a preflight, which
// has neither credentials nor a body and opens nothing (Fetch Standard, section 4.8).
var neverInPreflights = []string{
	"authorization", "cookie", "dpop",
	"content-type", "content-encoding", "transfer-encoding",
	"upgrade", "http2-settings", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
}

// IsPreflight reports whether a request is what a browser asks before one of another
// origin's page (Fetch Standard, section 4.8): never with a token. It passes unasked, so
// that what has something else about it, by which a service could take it for another
// request, is none.
func IsPreflight(r *http.Request) bool {
	if r.Method != http.MethodOptions || len(r.Header["Origin"]) != 1 || len(r.Header["Access-Control-Request-Method"]) != 1 {
		return false
	}
	for name, values := range r.Header {
		folded := foldName(name)
		if slices.Contains(neverInPreflights, folded) {
			return false
		}
		if folded == "content-length" && !slices.Equal(values, []string{"0"}) {
			return false
		}
	}
	return CheckMethodHeaders(r.Header) == nil && r.ContentLength <= 0 && !namesMethod(r.URL)
}

// namesMethod reports whether an address may name a method in its query, as "_method".
func namesMethod(u *url.URL) bool {
	query, err := url.PathUnescape(u.RawQuery)
	return err != nil || strings.Contains(strings.ToLower(query), "_method")
}
