package extract_test

import (
	"encoding/base64"
	"fmt"
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
	ticket := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"ticket+jwt"}`)) + ".e30.c2ln"
	const place = "Config.Extract"
	for _, tt := range []struct{ name, target, header, value, want, remedy string }{
		{"nowhere", "/", "", "", "", ""},
		{"where it belongs", "/", "Authorization", "bearer  " + token, "the Authorization header", place},
		{"what is no JWT where it belongs", "/", "Authorization", "Bearer abc", "", ""},
		{"no scheme", "/", "Authorization", token, authorization, `"Bearer"`},
		{"another scheme", "/", "Authorization", "Token " + token, authorization, `"Bearer"`},
		{"another scheme's own", "/", "Authorization", "Basic YTpi", "", ""},
		{"query", "/?a=b&token=" + token, "", "", `the query parameter "token"`, place},
		{"ticket", "/?ticket=" + token, "", "", `the query parameter "ticket"`, "AuthenticateTicket"},
		{"ticket by another name", "/?t=" + ticket, "", "", `the query parameter "t"`, "AuthenticateTicket"},
		{"query with something else", "/?a=eyJ.b&token=1.2.3", "", "", "", ""},
		{"query whose name is one", "/?" + token + "=" + token, "", "", `the query parameter "?"`, place},
		{"cookie", "/", "Cookie", "a=b; session=" + token, `the cookie "session"`, place},
		{"quoted cookie", "/", "Cookie", `session="` + token + `"`, `the cookie "session"`, place},
		{"another cookie", "/", "Cookie", "session=abc", "", ""},
		{"subprotocol", "/", "Sec-Websocket-Protocol", "v1, " + token, "a subprotocol", "SubprotocolForm"},
		{"encoded subprotocol", "/", "Sec-Websocket-Protocol", "v1, bearer." + encoded, "a subprotocol", "SubprotocolForm"},
		{"another header", "/", "X-Auth-Token", token, `the header "X-Auth-Token"`, place},
		{"another header, behind Bearer", "/", "X-Forwarded-Access-Token", "Bearer " + token, `the header "X-Forwarded-Access-Token"`, place},
		{"another header, and something else", "/", "X-Auth-Token", token + " 1", "", ""},
		{"a proof", "/", "Dpop", token, "", ""},
		{"a header whose name is one", "/", "X-" + token, token, "", ""},
		{"a header whose name is one, as net/http writes it", "/", "Eyjhbgcioijsuzi1nij9", token, "", ""},
		{"another subprotocol", "/", "Sec-Websocket-Protocol", "v1.json, , v2", "", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.target, nil)
		if tt.header != "" {
			r.Header[tt.header] = []string{tt.value}
		}
		got, remedy := extract.Elsewhere(r)
		if got != tt.want || strings.Contains(got, "eyJ") || !strings.Contains(remedy, tt.remedy) || (remedy == "") != (got == "") {
			t.Errorf("%s: Elsewhere() = %q, %q, want %q, %q", tt.name, got, remedy, tt.want, tt.remedy)
		}
	}
	many := &http.Request{Header: http.Header{"X-Auth-Token": {token}}}
	for n := range 100 {
		if got, _ := extract.Elsewhere(many); got == "" {
			t.Errorf("not found among %d headers", n+1)
		}
		many.Header[fmt.Sprint("X-", n)] = nil
	}
	if got, _ := extract.Elsewhere(many); got != "" {
		t.Error("looked for among more than 100 headers, which takes its time")
	}
	if got, remedy := extract.Elsewhere(&http.Request{}); got != "" || remedy != "" {
		t.Errorf("Elsewhere() of an empty request = %q, %q", got, remedy)
	}
}
