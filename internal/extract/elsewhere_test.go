package extract_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/extract"
)

func TestElsewhere(t *testing.T) {
	t.Parallel()
	const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
	const authorization = "the Authorization header, without or with another scheme than Bearer"
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	for _, tt := range []struct{ name, target, header, value, want string }{
		{"nowhere", "/", "", "", ""},
		{"where it belongs", "/", "Authorization", "bearer  " + token, "the Authorization header"},
		{"what is no JWT where it belongs", "/", "Authorization", "Bearer abc", ""},
		{"no scheme", "/", "Authorization", token, authorization},
		{"another scheme", "/", "Authorization", "Token " + token, authorization},
		{"another scheme's own", "/", "Authorization", "Basic YTpi", ""},
		{"query", "/?a=b&token=" + token, "", "", `the query parameter "token"`},
		{"query with something else", "/?a=eyJ.b&token=1.2.3", "", "", ""},
		{"query whose name is one", "/?" + token + "=" + token, "", "", `the query parameter "?"`},
		{"cookie", "/", "Cookie", "a=b; session=" + token, `the cookie "session"`},
		{"quoted cookie", "/", "Cookie", `session="` + token + `"`, `the cookie "session"`},
		{"another cookie", "/", "Cookie", "session=abc", ""},
		{"subprotocol", "/", "Sec-Websocket-Protocol", "v1, " + token, "a subprotocol"},
		{"encoded subprotocol", "/", "Sec-Websocket-Protocol", "v1, bearer." + encoded, "a subprotocol"},
		{"another subprotocol", "/", "Sec-Websocket-Protocol", "v1.json, , v2", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.target, nil)
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		got := extract.Elsewhere(r)
		if got != tt.want || strings.Contains(got, "eyJ") {
			t.Errorf("%s: Elsewhere() = %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := extract.Elsewhere(&http.Request{}); got != "" {
		t.Errorf("Elsewhere() of an empty request = %q", got)
	}
}
