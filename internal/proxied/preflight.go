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
// request, is none. Of a body most proxies tell nothing but its type, by which services
// read it.
func IsPreflight(r *http.Request) bool {
	if r.Method != http.MethodOptions || !asksForPage(r.Header["Origin"], r.Header["Access-Control-Request-Method"]) {
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
	hasBody := r.ContentLength != 0 || len(r.TransferEncoding) > 0 // below zero: as long as it takes
	return !hasBody && CheckMethodHeaders(r.Header) == nil && !namesMethod(r.URL)
}

// asksForPage reports whether these are an origin and a method as a preflight names
// them. Services take what has one of them empty for no preflight, and serve it.
func asksForPage(origins, methods []string) bool {
	if len(origins) != 1 || len(methods) != 1 || checkToken(methods[0]) != nil {
		return false
	}
	scheme, host, found := strings.Cut(origins[0], "://")
	return origins[0] == "null" || found && scheme != "" && !strings.ContainsAny(origins[0], " \t,") && !strings.Contains(host, "/")
}

// namesMethod reports whether an address may name a method in its query, as "_method".
// PHP takes a dot or a space in a parameter's name for "_", and drops spaces before it.
func namesMethod(u *url.URL) bool {
	query, err := url.QueryUnescape(u.RawQuery)
	if query = strings.ToLower(query); err != nil || strings.Contains(query, "_method") {
		return true
	}
	for name := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' || r == '?' }) {
		if strings.HasPrefix(foldName(strings.TrimLeft(name, " ")), "-method") {
			return true
		}
	}
	return false
}
