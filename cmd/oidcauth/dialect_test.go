package main

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/internal/proxied"
	"github.com/oidcauth/oidcauth/oidctest"
)

// serveForward serves with the given "forward_auth", and further members of the file.
func serveForward(t *testing.T, iss *oidctest.Issuer, forward string, more ...string) *service {
	t.Helper()
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [{"url": %q, "audiences": ["my-db"], "roles": [["roles"]], "keys": {"insecure_http": true}}], "forward_auth": %s%s}`,
		iss.URL(), forward, strings.Join(append([]string{""}, more...), ", ")))
	return serve(t, "--config", file)
}

// askAs asks as a proxy of the dialect does about a request, whose headers follow.
func (s *service) askAs(t *testing.T, dialect, method, target, token string, headers ...string) reply {
	t.Helper()
	switch dialect {
	case "nginx", "haproxy":
		return s.do(t, "GET", "/v1/forward-auth", token, append(headers, "X-Original-Method", method, "X-Original-URI", target)...)
	case "caddy":
		// It passes the client's query on.
		_, query, _ := strings.Cut(target, "?")
		return s.do(t, "GET", "/v1/forward-auth?"+query, token, append(headers, "X-Forwarded-Method", method, "X-Forwarded-Uri", target)...)
	case "traefik":
		return s.do(t, "GET", "/v1/forward-auth", token, append(headers, "X-Forwarded-Method", method, "X-Forwarded-Uri", target)...)
	case "envoy":
		return s.do(t, method, "/v1/forward-auth"+target, token, headers...)
	}
	t.Fatalf("no dialect %q", dialect)
	return reply{}
}

// In each dialect the rules see the client's method and path, and nothing that a
// client can set beside them.
func TestForwardAuth_Dialects(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	admin := iss.Token(map[string]any{"aud": "my-db", "roles": []string{"admin"}})
	user := iss.Token(map[string]any{"aud": "my-db", "roles": []string{"user"}})
	const forward = `{"proxy": %q, "rules": [
		{"path": "/admin", "roles": ["admin"]},
		{"path": "/items", "methods": ["GET", "HEAD"]},
		{"path": "/items", "roles": ["admin", "writer"]}
	]}`
	lies := map[string][]string{ // what the proxies of each dialect may hand on as the client sent it
		"nginx":   {"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/items"},
		"haproxy": {"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/items"},
		"caddy":   {"X-Original-Method", "GET", "X-Original-URI", "/items"},
		"traefik": {"X-Original-Method", "GET", "X-Original-URI", "/items"},
		"envoy":   {"X-Original-Method", "GET", "X-Original-URI", "/items", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/items", "X-Envoy-Original-Path", "/items"},
	}
	for _, d := range dialects {
		s := serveForward(t, iss, fmt.Sprintf(forward, d.name))
		for _, tt := range []struct {
			method, target, token string
			want                  int
		}{
			{"GET", "/items", user, 200},
			{"GET", "/items/7?x=/admin", user, 200},
			{"HEAD", "/items/7", user, 200},
			{"POST", "/items/7", user, 403},
			{"POST", "/items/7", admin, 200},
			{"GET", "/admin/x", user, 403},
			{"GET", "/admin/x", admin, 200},
			{"GET", "/admin?path=/items", user, 403},
			{"GET", "/other", admin, 403},
			{"GET", "/items/../admin", admin, 403},
			{"GET", "/items%2f..%2fadmin", admin, 403},
			{"GET", "//admin", admin, 403},
			{"GET", "/items", "", 401},
			{"GET", "/admin/%2e%2e", "", 401},
		} {
			if got := s.askAs(t, d.name, tt.method, tt.target, tt.token, lies[d.name]...); got.status != tt.want {
				t.Errorf("%s: %s %s: status %d, want %d", d.name, tt.method, tt.target, got.status, tt.want)
			}
		}
	}
}

// TestForwardAuth_PathBesideAToken: a path that can be read in several ways is refused also
// where the token, or a ticket, is taken out of the query behind it.
func TestForwardAuth_PathBesideAToken(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serveForward(t, iss, `{"proxy": "nginx", "rules": [{"path": "/public"}, {"path": "/", "roles": ["admin"]}]}`, `"token_places": {"query": "access_token"}`)
	token := iss.Token(map[string]any{"aud": "my-db"})
	s.used(token)
	for path, want := range map[string]int{"/public/x": 200, "/public/x^": 403, "/public%2Fx": 403, "/public%2Fx^": 403, "/%70ublic/x|": 403} {
		got := s.askAs(t, "nginx", "GET", path+"?access_token="+token, "")
		if got.status != want {
			t.Errorf("%s: status %d, want %d", path, got.status, want)
		}
	}
}

// A refusal is logged as one of the request that the proxy asked about, and of whose it
// was; its query, where a token may be, is not.
func TestForwardAuth_Log(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	user := iss.Token(map[string]any{"sub": "alice", "aud": "my-db"})
	for _, d := range dialects {
		s := serveForward(t, iss, fmt.Sprintf(`{"proxy": %q, "rules": [{"path": "/admin", "roles": ["admin"]}]}`, d.name), `"proxies": ["127.0.0.1/32"]`)
		for token, line := range map[string]string{
			"":   `method=DELETE path=/admin/7 client=203.0.113.9`,
			user: `method=DELETE path=/admin/7 client=203.0.113.9 issuer=` + iss.URL() + ` subject=alice`,
		} {
			// The proxy says the one, and hands the other on.
			s.askAs(t, d.name, "DELETE", "/admin/7?secret=x", token, "X-Forwarded-For", "203.0.113.9", "Forwarded", "for=198.51.100.7")
			s.awaitLog(t, line)
		}
		if strings.Contains(s.err.String(), "secret") {
			t.Errorf("%s: the query is in the log: %s", d.name, s.err.String())
		}
	}
}

// A target that is refused for its form is logged without its query, too, and no reason
// repeats what the line does not show of a path.
func TestForwardAuth_LogOfBadTargets(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	user := iss.Token(map[string]any{"aud": "my-db"})
	for _, d := range dialects {
		s := serveForward(t, iss, fmt.Sprintf(`{"proxy": %q, "rules": [{"path": "/items"}]}`, d.name), `"token_places": {"query": "t"}`)
		for _, tt := range []struct {
			target, token, line string
			envoy               bool // can ask about it
		}{
			{"/100%/x?t=s3cret", "", `path \"/100%/x\"`, false},
			{"https://db.example.com/x?t=s3cret", "", `path \"https://db.example.com/x\"`, false},
			{"https://me:s3cret@db.example.com/x", "", `path \"https://…@db.example.com/x\"`, false},
			{"x#t=s3cret", "", `path \"x\"`, false},
			{"/other/" + user, user, "path=\"/other/(token not shown)\"", true},
		} {
			if d.appended && !tt.envoy {
				continue
			}
			s.askAs(t, d.name, "GET", tt.target, tt.token)
			s.awaitLog(t, tt.line)
		}
		if log := s.err.String(); strings.Contains(log, "s3cret") || strings.Contains(log, user[:40]) {
			t.Errorf("%s: a secret is in the log: %s", d.name, log)
		}
	}
}

// A question without the headers that the proxy always sets, or with two of one, is
// that of another proxy: nobody passes, and the log says why.
func TestForwardAuth_AnotherProxy(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	s := serveForward(t, iss, `{"proxy": "nginx"}`)
	for _, headers := range [][]string{
		{},
		{"X-Original-Method", "GET"},
		{"X-Original-URI", "/"},
		{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/"},
		{"X-Original-Method", "", "X-Original-URI", "/"},
	} {
		if got := s.do(t, "GET", "/v1/forward-auth", token, headers...); got.status != 500 {
			t.Errorf("%q: status %d, want 500", headers, got.status)
		}
	}
	s.awaitLog(t, "X-Original-Method")
	if got := s.askAs(t, "nginx", "GET", "/", token, "X-Original-URI", "/admin"); got.status != 500 {
		t.Errorf("two paths: status %d, want 500", got.status)
	}
	for target, want := range map[string]int{"/": 200, "items": 401, "http://h/": 401, "*": 401, "": 401} {
		if got := s.askAs(t, "nginx", "GET", target, token); got.status != want {
			t.Errorf("path %q: status %d, want %d", target, got.status, want)
		}
	}
}

// A WebSocket's token is taken from wherever the file says, and the request that the
// service gets has what is left.
func TestForwardAuth_WebSockets(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	const app, other = "https://app.example.com", "https://evil.example.com"
	socket := []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13"}
	encoded := base64.RawURLEncoding.EncodeToString([]byte(token))
	for _, d := range dialects {
		s := serveForward(t, iss, fmt.Sprintf(`{"proxy": %q, "take_token_out": true}`, d.name),
			`"token_places": {"subprotocol": true, "cookie": {"name": "session", "origins": ["`+app+`"]}}`)
		for name, tt := range map[string]struct {
			headers []string
			status  int
			left    [4]string // of proxied.TokenHeaders
		}{
			"header":                   {[]string{"Authorization", "Bearer " + token, "Origin", other}, 200, [4]string{}},
			"subprotocol":              {[]string{"Sec-WebSocket-Protocol", "chat, bearer." + encoded, "Origin", other}, 200, [4]string{"", "", "chat", ""}},
			"cookie":                   {[]string{"Cookie", "a=1; session=" + token + "; b=2", "Origin", app}, 200, [4]string{"", "a=1; b=2", "", ""}},
			"cookie of another site":   {[]string{"Cookie", "session=" + token, "Origin", other}, 403, [4]string{}},
			"cookie without origin":    {[]string{"Cookie", "session=" + token}, 403, [4]string{}},
			"a proof nobody asked for": {[]string{"Authorization", "Bearer " + token, "DPoP", "x"}, 200, [4]string{"", "", "", "x"}},
			"another scheme":           {[]string{"Authorization", "Basic YTpi", "Cookie", "session=" + token, "Origin", app}, 200, [4]string{"Basic YTpi", "", "", ""}},
			"nothing":                  {[]string{"Origin", app}, 401, [4]string{}},
			"subprotocol without one":  {[]string{"Sec-WebSocket-Protocol", "bearer." + encoded}, 401, [4]string{}},
		} {
			got := s.askAs(t, d.name, "GET", "/socket", "", append(tt.headers, socket...)...)
			if got.status != tt.status {
				t.Errorf("%s: %s: status %d, want %d", d.name, name, got.status, tt.status)
			}
			for i, header := range proxied.TokenHeaders {
				want := []string{tt.left[i]}
				if d.absent && !slices.ContainsFunc(tt.headers, func(h string) bool { return strings.EqualFold(h, header) }) {
					want = nil // which nobody has sent
				}
				if d.keeps && tt.left[i] != "" && slices.Contains(tt.headers, tt.left[i]) {
					want = nil // which the proxy hands on as it came
				}
				if left := got.header.Values(header); tt.status == 200 && !slices.Equal(left, want) {
					t.Errorf("%s: %s: %s = %q, want %q", d.name, name, header, left, want)
				}
			}
		}
		// A cookie of no WebSocket depends on the client's method.
		for method, want := range map[string]int{"GET": 200, "POST": 403} {
			if got := s.askAs(t, d.name, method, "/x", "", "Cookie", "session="+token); got.status != want {
				t.Errorf("%s: %s with a cookie: status %d, want %d", d.name, method, got.status, want)
			}
		}
	}
}

// A page's WebSocket brings a ticket, once, and nothing else can.
func TestForwardAuth_Tickets(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	dir := t.TempDir() + "/keys"
	token := iss.Token(map[string]any{"aud": "my-db"})
	const app = "https://app.example.com"
	socket := []string{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version", "13", "Origin", app}
	for _, d := range dialects {
		s := serveForward(t, iss, fmt.Sprintf(`{"proxy": %q, "ticket_query": "ticket"}`, d.name),
			fmt.Sprintf(`"local_issuer": {"dir": %q, "allow_origins": [%q]}`, dir, app))
		buy := func() string {
			got := s.do(t, "POST", "/v1/identity/websocket-token", "", "Authorization", "Bearer "+token, "Origin", app)
			if got.status != 200 {
				t.Fatalf("no ticket: %+v", got)
			}
			return "/socket?x=y&ticket=" + url.QueryEscape(decode[struct{ Token string }](t, got).Token)
		}
		target := buy()
		for _, tt := range []struct {
			name, token string
			headers     []string
			want        int
		}{
			{"no WebSocket", "", []string{"Origin", app}, 401},
			{"a token beside it", token, socket, 401},
			{"once", "", socket, 200},
			{"twice", "", socket, 401},
		} {
			got := s.askAs(t, d.name, "GET", target, tt.token, tt.headers...)
			if got.status != tt.want || got.status == 200 && got.header.Get("X-Auth-Issuer") != iss.URL() {
				t.Errorf("%s: %s: %+v, want %d", d.name, tt.name, got, tt.want)
			}
		}
		if got := s.askAs(t, d.name, "GET", buy(), "", append(socket[:4:4], "Origin", "https://evil.example.com")...); got.status != 403 {
			t.Errorf("%s: of another page: %+v, want 403", d.name, got)
		}
	}
}

// Preflights pass where the file says so, as nobody's; nothing else does.
func TestForwardAuth_Preflights(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	preflight := []string{"Origin", "https://app.example.com", "Access-Control-Request-Method", "PUT"}
	for _, d := range dialects {
		for _, passes := range []bool{false, true} {
			s := serveForward(t, iss, fmt.Sprintf(`{"proxy": %q, "preflight": %t, "rules": [{"path": "/x", "roles": ["admin"]}]}`, d.name, passes))
			want := map[bool]int{false: 401, true: 200}[passes]
			got := s.askAs(t, d.name, "OPTIONS", "/x", "", append(preflight, "X-Auth-Identity", "spoofed")...)
			if id := got.header.Values("X-Auth-Identity"); got.status != want || passes && (len(id) != 1 || id[0] != "") {
				t.Errorf("%s: preflight %t: %+v, want %d", d.name, passes, got, want)
			}
			for name, tt := range map[string]struct {
				method, token string
				headers       []string
				want          int
			}{
				"no origin":       {"OPTIONS", "", preflight[2:], 401},
				"no method asked": {"OPTIONS", "", preflight[:2], 401},
				"an empty one":    {"OPTIONS", "", append(preflight[:3:3], ""), 401},
				"another method":  {"GET", "", preflight, 401},
				"bad token":       {"OPTIONS", token[:len(token)-9], preflight, 401},
				"token":           {"OPTIONS", token, preflight, 403},
				"method override": {"OPTIONS", "", append(preflight[:4:4], "X-HTTP-Method-Override", "DELETE"), 401},
				"credentials":     {"OPTIONS", "", append(preflight[:4:4], "Cookie", "session=1"), 401},
			} {
				if got := s.askAs(t, d.name, tt.method, "/x", tt.token, tt.headers...); got.status != tt.want {
					t.Errorf("%s: %s: status %d, want %d", d.name, name, got.status, tt.want)
				}
			}
		}
	}
}
