package proxied_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
)

// What no browser sends in a preflight makes another request of one, in whatever
// spelling a service reads it.
func TestIsPreflight_NeverWith(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Authorization", "Cookie", "Dpop", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Upgrade", "Http2-Settings",
		"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol",
	} {
		for _, spelling := range []string{name, strings.ToLower(name), strings.ReplaceAll(name, "-", "_")} {
			r := httptest.NewRequest("OPTIONS", "/items", nil)
			r.Header = http.Header{"Origin": {"https://app.example.com"}, "Access-Control-Request-Method": {"PUT"}}
			if !proxied.IsPreflight(r) {
				t.Fatal("IsPreflight = false of a browser's")
			}
			if r.Header[spelling] = []string{"x"}; proxied.IsPreflight(r) {
				t.Errorf("with %s: IsPreflight = true, want false", spelling)
			}
		}
	}
}

// What browsers send before a request of another origin's page is a preflight, with what
// proxies add to it; what a service could take for another request is none.
func TestIsPreflight(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, target string
		header         []string // beside or in place of what a preflight has
		set            http.Header
		length         int64
		chunked        bool
		want           bool
	}{
		"a browser's": {header: []string{
			"Access-Control-Request-Headers", "authorization,content-type,x-http-method-override", "Accept", "*/*", "Sec-Fetch-Mode", "cors",
			"Referer", "https://app.example.com/", "User-Agent", "Mozilla/5.0", "Accept-Language", "en", "Priority", "u=1, i"}, want: true},
		"behind proxies":                 {header: []string{"X-Forwarded-For", "192.0.2.1", "Via", "1.1 edge", "X-Request-Id", "1", "Content-Length", "0", "X-Original-Method", "OPTIONS"}, want: true},
		"of a page without origin":       {header: []string{"Origin", "null"}, want: true},
		"with a query":                   {target: "/items?method=all", want: true},
		"another method":                 {method: "GET"},
		"small letters":                  {method: "options"},
		"no origin":                      {header: []string{"Origin", ""}},
		"no method asked":                {header: []string{"Access-Control-Request-Method", ""}},
		"another method in header":       {header: []string{"X-HTTP-Method-Override", "DELETE"}},
		"as OData has it":                {header: []string{"X-HTTP-Method", "DELETE"}},
		"as Express has it":              {header: []string{"X-Method-Override", "DELETE"}},
		"with underscores":               {header: []string{"X_HTTP_METHOD_OVERRIDE", "DELETE"}},
		"another method in query":        {target: "/items?_method=DELETE"},
		"the same, encoded":              {target: "/items?a=1&%5fMETHOD=DELETE"},
		"a query that is malformed":      {target: "/items?%5"},
		"another method as PHP reads it": {target: "/items?a=1&.method=DELETE"},
		"a space for PHP's underscore":   {target: "/items?+%20%2Emethod=DELETE"},
		"a dot within another name":      {target: "/items?payment.method=card&b=x.method", want: true},
		"of an extension's page":         {header: []string{"Origin", "chrome-extension://abcdefgh"}, want: true},
		"a method of one's own":          {header: []string{"Access-Control-Request-Method", "patch"}, want: true},
		"one in small letters":           {header: []string{"Access-Control-Request-Method", "az"}, want: true},
		"an empty origin":                {set: http.Header{"Origin": {""}}},
		"no origin but a name":           {header: []string{"Origin", "app.example.com"}},
		"two origins in one":             {header: []string{"Origin", "https://a.example,https://b.example"}},
		"an origin with a path":          {header: []string{"Origin", "https://a.example/x"}},
		"an empty method asked":          {set: http.Header{"Access-Control-Request-Method": {""}}},
		"two methods asked":              {header: []string{"Access-Control-Request-Method", "PUT,GET"}},
		"a body of unknown length":       {length: -1},
		"a body in chunks":               {chunked: true},
		"another scheme's password":      {header: []string{"Authorization", "Basic eDp5"}},
		"a cookie":                       {header: []string{"Cookie", "session=1"}},
		"a proof":                        {header: []string{"DPoP", "x"}},
		"a body's type":                  {header: []string{"Content-Type", "application/json"}},
		"a body's length":                {header: []string{"Content-Length", "2"}},
		"another protocol":               {header: []string{"Upgrade", "h2c"}},
		"a WebSocket":                    {header: []string{"Sec-WebSocket-Key", "x"}},
	} {
		r := httptest.NewRequest("OPTIONS", "/items", nil)
		if tt.target != "" {
			r = httptest.NewRequest("OPTIONS", tt.target, nil)
		}
		if tt.method != "" {
			r.Method = tt.method
		}
		header := append([]string{"Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT"}, tt.header...)
		for i := 0; i < len(header); i += 2 {
			name := header[i]
			if canonical := http.CanonicalHeaderKey(name); name != "X_HTTP_METHOD_OVERRIDE" {
				name = canonical
			}
			if r.Header[name] = []string{header[i+1]}; header[i+1] == "" {
				delete(r.Header, name)
			}
		}
		maps.Copy(r.Header, tt.set)
		if r.ContentLength = tt.length; tt.chunked {
			r.TransferEncoding = []string{"chunked"}
		}
		if got := proxied.IsPreflight(r); got != tt.want {
			t.Errorf("%s: IsPreflight = %t, want %t", name, got, tt.want)
		}
	}
	twice := httptest.NewRequest("OPTIONS", "/", nil)
	twice.Header = http.Header{"Origin": {"https://a.example", "https://b.example"}, "Access-Control-Request-Method": {"PUT"}}
	if proxied.IsPreflight(twice) {
		t.Error("two origins: IsPreflight = true, want false")
	}
}
