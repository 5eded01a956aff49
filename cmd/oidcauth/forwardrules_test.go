package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
)

// What each demand of a rule lets pass; the rest of the callers may not.
func TestForwardAuth_Rules(t *testing.T) {
	t.Parallel()
	iss, other := startIssuer(t), startIssuer(t)
	callers := map[string]string{
		"admin":  iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}, "scope": "read write"}),
		"reader": iss.Token(map[string]any{"aud": "my-db", "roles": []string{"reader"}, "scope": "read"}),
		"joined": iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin,owner"}, "scope": "read,write"}),
		"gold":   iss.Token(map[string]any{"aud": "my-db", "acr": "gold", "org": map[string]any{"id": "7"}}),
		"other":  other.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}}),
	}
	for rule, want := range map[string]string{
		`{}`:                                               "admin reader joined gold other",
		`{"roles": ["admin"]}`:                             "admin other",
		`{"roles": ["owner", "reader"]}`:                   "reader",
		`{"scopes": ["read", "write"]}`:                    "admin",
		`{"issuers": [ISSUER]}`:                            "admin reader joined gold",
		`{"issuers": [ISSUER], "roles": ["admin"]}`:        "admin",
		`{"claims": [{"claim": ["acr"], "in": ["gold"]}]}`: "gold",
		`{"claims": [{"claim": ["org", "id"], "in": ["7"]}, {"claim": ["acr"], "in": ["x"]}]}`:                   "",
		`{"claims": [{"claim": ["org", "id"], "in": ["7"]}, {"claim": ["acr"], "in": ["x"], "optional": true}]}`: "",
		`{"route": "a"}`: "",
	} {
		rule = strings.ReplaceAll(rule, "ISSUER", fmt.Sprintf("%q", iss.URL()))
		file := writeFile(t, "config.json", fmt.Sprintf(`{"issuers": [{"url": %[1]q, %[3]s}, {"url": %[2]q, %[3]s}], "forward_auth": {"rules": [%[4]s]}}`,
			iss.URL(), other.URL(), `"audiences": ["my-db"], "roles": [["roles"]], "keys": {"insecure_http": true}`, rule))
		s := serve(t, "--config", file)
		for name, token := range callers {
			status := 403
			if strings.Contains(" "+want+" ", " "+name+" ") {
				status = 200
			}
			if got := s.get(t, "/v1/forward-auth", token); got.status != status {
				t.Errorf("%s: %s: status %d, want %d", rule, name, got.status, status)
			}
		}
	}
}

// The route is the one in the address that the proxy asks at. One that no rule names
// lets nobody pass, even where a rule is for every route.
func TestForwardAuth_Routes(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	admin := iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}})
	user := iss.Token(map[string]any{"aud": "my-db"})
	const rules = `"rules": [{"route": "admin", "roles": ["admin"]}, {"route": "open"}, {"roles": ["admin"]}]`
	for _, forward := range []string{`{` + rules + `}`, `{"proxy": "envoy", ` + rules + `}`} {
		s := serveForward(t, iss, forward)
		below := ""
		if strings.Contains(forward, "envoy") {
			below = "/x?route=open"
		}
		for _, tt := range []struct {
			path, token string
			want        int
		}{
			{"/v1/route/admin/forward-auth", admin, 200},
			{"/v1/route/admin/forward-auth", user, 403},
			{"/v1/route/open/forward-auth", user, 200},
			{"/v1/route/opne/forward-auth", admin, 500},
			{"/v1/forward-auth", user, 403},
			{"/v1/forward-auth", admin, 200},
			{"/v1/forward-auth", "", 401},
		} {
			if got := s.get(t, tt.path+below, tt.token); got.status != tt.want {
				t.Errorf("%s%s: status %d, want %d", tt.path, below, got.status, tt.want)
			}
		}
		s.awaitLog(t, `\"opne\"`)
		for _, counted := range []string{`route="/v1/forward-auth",status="200"} 1`, `route="/v1/route/{route}/forward-auth",status="403"} 1`} {
			if got := s.get(t, "/metrics", ""); !strings.Contains(got.body, counted) {
				t.Errorf("no %s in %s", counted, got.body)
			}
		}
	}
	s := serveForward(t, iss, `{"proxy": "envoy", `+rules+`}`)
	for _, path := range []string{
		"/v1/route/admin/forward-auth/../../open/forward-auth/x", "/v1/forward-auth/v1/route/open/forward-auth/",
		"/v1/route/admin/forward-auth/?route=open",
	} {
		if got := s.get(t, path, user); got.status != 403 {
			t.Errorf("%s: status %d, want 403", path, got.status)
		}
	}
}

// Settings that cannot be, or that contradict each other, are errors at the start.
func TestForwardAuth_SettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for forward, want := range map[string]string{
		`{"proxy": "apache"}`:                                                                 `forward_auth.proxy: got "apache"`,
		`{"preflight": true}`:                                                                 `need "proxy"`,
		`{"ticket_query": "t"}`:                                                               `need "proxy"`,
		`{"proxy": "nginx", "ticket_query": "t"}`:                                             `needs "local_issuer"`,
		`{"rules": []}`:                                                                       "leave it out",
		`{"rules": [{"path": "/x"}]}`:                                                         `need "proxy"`,
		`{"rules": [{"methods": ["GET"]}]}`:                                                   `need "proxy"`,
		`{"proxy": "nginx", "rules": [{"path": "x"}]}`:                                        "begin with a slash",
		`{"proxy": "nginx", "rules": [{"path": "/x/"}]}`:                                      "ends with a slash",
		`{"proxy": "nginx", "rules": [{"path": "/a/../x"}]}`:                                  "dots alone",
		`{"proxy": "nginx", "rules": [{"path": "/a//x"}]}`:                                    "two slashes",
		`{"proxy": "nginx", "rules": [{"path": "/a%20x"}]}`:                                   "write it decoded",
		`{"proxy": "nginx", "rules": [{"methods": ["get"]}]}`:                                 "in capitals",
		`{"proxy": "nginx", "rules": [{"methods": ["DELETE\t"]}]}`:                            "in capitals",
		`{"proxy": "nginx", "rules": [{"methods": ["ÄB"]}]}`:                                  "in capitals",
		`{"proxy": "nginx", "rules": [{"methods": [""]}]}`:                                    "in capitals",
		`{"rules": [{"route": "a/b"}]}`:                                                       "route",
		`{"rules": [{"roles": [""]}]}`:                                                        "empty",
		`{"rules": null}`:                                                                     "forward_auth.rules: got null",
		`{"rules": [{"roles": null}]}`:                                                        "rules[0].roles: got null, want a list: leave it out if nothing is meant",
		`{"proxy": "nginx", "rules": [{"path": null}]}`:                                       "rules[0].path: got null",
		`{"rules": [{"roles": []}]}`:                                                          "rules[0].roles: the list is empty",
		`{"rules": [{"scopes": []}]}`:                                                         "rules[0].scopes: the list is empty",
		`{"rules": [{"issuers": []}]}`:                                                        "rules[0].issuers: the list is empty",
		`{"rules": [{"claims": []}]}`:                                                         "rules[0].claims: the list is empty",
		`{"proxy": "nginx", "rules": [{"methods": []}]}`:                                      "rules[0].methods: the list is empty",
		`{"proxy": "nginx", "rules": [{"path": "", "methods": ["GET"]}]}`:                     "rules[0].path: it is empty",
		`{"rules": [{"route": ""}]}`:                                                          "rules[0].route: it is empty",
		`{"rules": [{"issuers": ["https://id.example.org"]}]}`:                                "is not accepted at all",
		`{"rules": [{"claims": [{"claim": ["a"]}]}]}`:                                         "got 0 demands",
		`{"rules": [{"role": ["admin"]}]}`:                                                    "role",
		`{"rules": [{}, {"roles": ["admin"]}]}`:                                               "rules[1] is never reached",
		`{"proxy": "nginx", "rules": [{"path": "/a"}, {"path": "/a/b", "methods": ["GET"]}]}`: "rules[1] is never reached",
		`{"proxy": "nginx", "rules": [{"methods": ["GET", "PUT"]}, {"path": "/a", "methods": ["PUT"]}]}`:     "rules[1] is never reached",
		`{"proxy": "nginx", "rules": [{"path": "/Ä"}, {"path": "/ä"}], "ignore_case": true}`:                 "rules[1] is never reached",
		`{"proxy": "nginx", "ignore_case": true}`:                                                            "no effect",
		`{"headers": {"roles": "X_Roles"}}`:                                                                  `"_"`,
		`{"headers": {"roles": "Authorization"}}`:                                                            `begins with`,
		`{"headers": {"roles": "X-Forwarded-Roles"}}`:                                                        "proxy's own",
		`{"headers": {"roles": "x-auth-subject"}}`:                                                           "two values",
		`{"headers": {"claims": {"X-Mail": []}}}`:                                                            "lead to the claim",
		`{"proxy": "nginx", "take_token_out": true}, "token_places": {"query": "token"`:                      "out of an address",
		`{"proxy": "nginx", "take_token_out": true}, "token_places": {"headers": ["X-Token"]`:                "drop the",
		`{}, "token_places": {"cookie": {"name": "session", "origins": ["https://app.example.com"]}`:         `needs "proxy"`,
		`{"rules": [{"roles": ["admin"]}]}, "dpop": {"public_url": "https://db.example.com"`:                 `"dpop" needs "proxy"`,
		`{"proxy": "nginx"}, "token_places": {"cookie": {"name": "session", "origins": ["app.example.com"]}`: "CookieToken",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://id.example.com", "audiences": ["a"]}], "forward_auth": `+forward+`}`)
		if strings.Contains(forward, "token_places") || strings.Contains(forward, "dpop") {
			file = writeFile(t, "config.json", `{"issuers": [{"url": "https://id.example.com", "audiences": ["a"]}], "forward_auth": `+forward+`}}`)
		}
		got := invoke(t, "", "serve", "--addr", "127.0.0.1:0", "--config", file)
		if got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit code %d, %s; want 2 and %q", forward, got.code, got.err, want)
		}
	}
}

// A method that is not in capitals is another to some services and the same to others,
// and some take another one from a header: where rules look at methods, neither lets
// anybody pass by a rule for the rest.
func TestForwardAuth_MethodInOtherCase(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	for rules, want := range map[string]int{
		`{"methods": ["DELETE", "POST"], "roles": ["admin"]}, {}`: 403,
		`{"path": "/x"}`: 200,
	} {
		s := serveForward(t, iss, `{"proxy": "caddy", "rules": [`+rules+`]}`)
		for _, method := range []string{"delete", "Post", "pOST"} {
			if got := s.askAs(t, "caddy", method, "/x", token); got.status != want {
				t.Errorf("%s: %s: status %d, want %d", rules, method, got.status, want)
			}
		}
		for _, name := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_Method_Override"} {
			if got := s.askAs(t, "caddy", "GET", "/x", token, name, "DELETE"); got.status != want {
				t.Errorf("%s: with %s: status %d, want %d", rules, name, got.status, want)
			}
		}
		for _, method := range []string{"GET", "M-SEARCH", "VERSION_2"} {
			if got := s.askAs(t, "caddy", method, "/x", token); got.status != 200 {
				t.Errorf("%s: %s: status %d, want 200", rules, method, got.status)
			}
		}
	}
}

// Narrower rules before wider ones are what rules are for.
func TestForwardAuth_IgnoreCase(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	for ignore, want := range map[bool]int{false: 200, true: 403} {
		s := serveForward(t, iss, fmt.Sprintf(`{"proxy": "caddy", "ignore_case": %t, "rules": [{"path": "/Admin", "roles": ["admin"]}, {}]}`, ignore))
		if got := s.askAs(t, "caddy", "GET", "/aDMIN/x", token); got.status != want {
			t.Errorf("ignore_case %t: status %d, want %d", ignore, got.status, want)
		}
	}
}

// The service gets each value so that it cannot be taken for another, in headers of
// the names that the file gives.
func TestForwardAuth_Headers(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveForward(t, iss, `{"headers": {"identity": "Remote-User", "subject": "", "expiry": "X-Auth-Expiry",
		"roles": "X-Auth-Roles", "scopes": "X-Auth-Scopes", "json": "X-Auth-Json",
		"claims": {"X-Auth-Email": ["email"], "X-Auth-Org": ["org", "id"], "X-Auth-Groups": ["groups"], "X-Auth-Mixed": ["mixed"], "X-Auth-None": ["none"]}}}`)
	expiry := time.Now().Add(time.Hour).Truncate(time.Second)
	roles := []string{"admin,owner", "naïve\r\nX-Admin: 1", "100%", "𝄞"}
	got := s.get(t, "/v1/forward-auth", iss.Token(map[string]any{
		"sub": "alice", "aud": "my-db", "exp": expiry.Unix(), "roles": roles, "scope": "read a,b",
		"email": "a,b@example.com", "org": map[string]any{"id": 7}, "groups": []string{"x", "y,z"}, "mixed": []any{"a", 1},
	}))
	for name, want := range map[string]string{
		"Remote-User":   identity.New(iss.URL(), "alice").String(),
		"X-Auth-Issuer": iss.URL(),
		"X-Auth-Expiry": fmt.Sprint(expiry.Unix()),
		"X-Auth-Roles":  "admin%2Cowner,na%C3%AFve%0D%0AX-Admin:%201,100%25,%F0%9D%84%9E",
		"X-Auth-Scopes": "read,a%2Cb",
		"X-Auth-Email":  "a%2Cb@example.com",
		"X-Auth-Org":    "7",
		"X-Auth-Groups": "x,y%2Cz",
		"X-Auth-Mixed":  "",
		"X-Auth-None":   "",
	} {
		if values := got.header.Values(name); len(values) != 1 || values[0] != want {
			t.Errorf("%s = %q, want %q", name, values, want)
		}
	}
	for _, name := range []string{"X-Auth-Identity", "X-Auth-Subject", "X-Admin"} {
		if values := got.header.Values(name); len(values) > 0 {
			t.Errorf("%s = %q, want none", name, values)
		}
	}
	text := got.header.Get("X-Auth-Json")
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) && !strings.Contains(text, "X-Admin: 1") {
		t.Errorf("X-Auth-Json = %q is not visible ASCII", text)
	}
	var object struct {
		Identity, Issuer, Subject string
		Roles, Scopes             []string
		Claims                    map[string]any
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil || object.Subject != "alice" || fmt.Sprint(object.Roles) != fmt.Sprint(roles) ||
		object.Claims["org/id"] != 7.0 || object.Claims["email"] != "a,b@example.com" {
		t.Errorf("X-Auth-Json = %s: %+v, %v", text, object, err)
	}
}

// JSON in a header is the same JSON.
func FuzzASCIIJSON(f *testing.F) {
	f.Add("naïve 𝄞 \u2028\x00\x7f")
	f.Fuzz(func(t *testing.T, value string) {
		plain, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		text := asciiJSON(string(plain))
		var want, got string
		if json.Unmarshal(plain, &want) != nil || json.Unmarshal([]byte(text), &got) != nil || got != want {
			t.Errorf("asciiJSON(%s) = %s", plain, text)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("asciiJSON(%s) = %s is not visible ASCII", plain, text)
		}
	})
}
