package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/oidctest"
)

const adminSecret = "of-the-admin-listener-0123456789"

// adminOf returns the address of a service's admin listener.
func adminOf(t *testing.T, s *service) string {
	t.Helper()
	s.awaitLog(t, "the admin listener is open")
	m := regexp.MustCompile(`the admin listener is open" addr=(\S+)`).FindStringSubmatch(s.err.String())
	if m == nil {
		t.Fatalf("no address in %s", s.err.String())
	}
	return "http://" + m[1]
}

// sendAdmin sends a request to an admin listener.
func sendAdmin(t *testing.T, method, address, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// bearer is the header with a token or secret.
func bearer(text string) []string {
	return []string{"Authorization", "Bearer " + text, "Content-Type", "application/json"}
}

// serveAdmin starts a server with an admin listener; more are further members of
// "admin".
func serveAdmin(t *testing.T, iss *oidctest.Issuer, more string) (*service, string) {
	t.Helper()
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"watch": "5ms", "issuers": [%s], "admin": {"addr": "127.0.0.1:0"%s}}`, described(iss, ""), more))
	s := serve(t, "--config", file)
	return s, adminOf(t, s)
}

// TestAdmin_Authentication: the admin listener knows its secret and the tokens of
// admins, and nobody else.
func TestAdmin_Authentication(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	secretFile := writeFile(t, "secret", adminSecret+"\n")
	token := func(claims map[string]any) string {
		claims["aud"] = "my-db"
		return iss.Token(claims)
	}
	s, at := serveAdmin(t, iss, fmt.Sprintf(`, "secret_file": %q, "bearer": {"issuers": [%q], "roles": ["oidcauth-admin", "root"]}`, secretFile, iss.URL()))
	query := at + "/metrics?access_token=" + url.QueryEscape(adminSecret)
	for _, test := range []struct {
		name    string
		address string
		headers []string
		want    int
	}{
		{"the secret", at + "/metrics", bearer(adminSecret), 200},
		{"an admin", at + "/metrics", bearer(token(map[string]any{"roles": []string{"root"}})), 200},
		{"nothing", at + "/metrics", nil, 401},
		{"another secret", at + "/metrics", bearer(adminSecret + "0"), 401},
		{"the beginning of the secret", at + "/metrics", bearer(adminSecret[:31]), 401},
		{"the secret in the query", query, nil, 401},
		{"the secret in a cookie", at + "/metrics", []string{"Cookie", "token=" + adminSecret}, 401},
		{"the secret and another", at + "/metrics", append(bearer(adminSecret), "Authorization", "Bearer "+adminSecret+"0"), 400},
		{"somebody without role", at + "/metrics", bearer(token(map[string]any{})), 403},
		{"somebody with another role", at + "/metrics", bearer(token(map[string]any{"roles": []string{"admin"}})), 403},
		{"an admin of yesterday", at + "/metrics", bearer(token(map[string]any{"roles": []string{"root"}, "exp": time.Now().Add(-time.Hour).Unix()})), 401},
		{"an admin whose token is of no use without a key", at + "/metrics", bearer(token(map[string]any{"roles": []string{"root"}, "cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})), 401},
		{"an admin elsewhere", at + "/metrics", bearer(iss.Token(map[string]any{"roles": []string{"root"}, "aud": "another"})), 401},
		{"health needs nothing", at + "/healthz", nil, 200},
		{"nor does readiness", at + "/readyz", nil, 200},
		{"a page", at + "/healthz", []string{"Origin", "https://evil.example"}, 403},
		{"a page, with the secret", at + "/metrics", append(bearer(adminSecret), "Origin", "null"), 403},
		{"a page that says where it is from alone", at + "/metrics", append(bearer(adminSecret), "Sec-Fetch-Site", "cross-site"), 403},
		{"a person's own address bar", at + "/healthz", []string{"Sec-Fetch-Site", "none"}, 200},
		{"a name that was led here", at + "/healthz", []string{"Host", "evil.example:8081"}, 421},
		{"localhost", at + "/healthz", []string{"Host", "localhost:8081"}, 200},
		{"an address of six", at + "/healthz", []string{"Host", "[::1]:8081"}, 200},
	} {
		if got := sendAdmin(t, "GET", test.address, "", test.headers...); got.status != test.want {
			t.Errorf("%s: status %d, want %d: %s", test.name, got.status, test.want, got.body)
		}
	}
	if got := s.get(t, "/metrics", ""); got.status != 404 {
		t.Errorf("the metrics are on the main listener too: status %d", got.status)
	}
	if got := s.do(t, "POST", "/v1/revocations", ""); got.status != 404 {
		t.Errorf("revocations are on the main listener too: status %d", got.status)
	}
	wrong := sendAdmin(t, "GET", at+"/metrics", "", bearer(adminSecret+"0")...)
	if challenge := wrong.header.Get("WWW-Authenticate"); !strings.Contains(wrong.body, "not the secret of the admin listener") || !strings.HasPrefix(challenge, `Bearer error="invalid_token"`) {
		t.Errorf("another secret: %+v, want to be told that it is one", wrong)
	}
	if !strings.Contains(s.err.String(), `reason="the admin listener's secret is another one" method=GET path=/metrics client=127.0.0.1`) {
		t.Errorf("another secret is not in the log: %s", s.err.String())
	}
	if got := sendAdmin(t, "GET", at+"/metrics", "", bearer(token(map[string]any{"aud": "x"})+"x")...); strings.Contains(got.body, "secret") {
		t.Errorf("a bad token: %+v, want nothing of a secret", got)
	}
	if log := s.err.String(); strings.Contains(log, adminSecret) {
		t.Errorf("the log has the secret: %s", log)
	}

	replaceFile(t, secretFile, strings.Repeat("n", 40))
	s.awaitLines(t, reloaded, 1)
	for secret, want := range map[string]int{adminSecret: 401, strings.Repeat("n", 40): 200} {
		if got := sendAdmin(t, "GET", at+"/metrics", "", bearer(secret)...); got.status != want {
			t.Errorf("after another secret was written: status %d, want %d", got.status, want)
		}
	}
	replaceFile(t, secretFile, "short")
	s.awaitLines(t, notReloaded, 1)
	if got := sendAdmin(t, "GET", at+"/metrics", "", bearer(strings.Repeat("n", 40))...); got.status != 200 {
		t.Errorf("after a secret that is none: status %d, want 200 for that of before", got.status)
	}
}

// TestAdmin_WithoutHost: who checks by HTTP/1.0 names no host, and has an answer.
func TestAdmin_WithoutHost(t *testing.T) {
	t.Parallel()
	_, at := serveAdmin(t, startIssuer(t), `, "open_metrics": true`)
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /healthz HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 200 OK\r\n") {
		t.Errorf("got %q, %v, want 200", answer, err)
	}
}

// TestAdmin_Revocations: what is revoked is refused at once, and nothing else is.
func TestAdmin_Revocations(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s, at := serveAdmin(t, iss, fmt.Sprintf(`, "secret_file": %q`, writeFile(t, "secret", adminSecret)))
	issued := time.Now().Add(-time.Minute).Unix()
	tokens := map[string]string{}
	for _, name := range []string{"by token", "by session", "by subject", "untouched"} {
		tokens[name] = iss.Token(map[string]any{"aud": "my-db", "sub": name, "sid": "sid " + name, "jti": "jti " + name, "iat": issued})
	}
	status := func(want map[string]int) {
		t.Helper()
		for name, status := range want {
			if got := s.get(t, "/v1/whoami", tokens[name]); got.status != status {
				t.Errorf("%s: status %d, want %d", name, got.status, status)
			}
		}
	}
	post := func(body string) reply {
		t.Helper()
		return sendAdmin(t, "POST", at+"/v1/revocations", strings.ReplaceAll(body, "ISS", iss.URL()), bearer(adminSecret)...)
	}
	all := map[string]int{"by token": 200, "by session": 200, "by subject": 200, "untouched": 200}
	status(all)
	for _, wrong := range []string{
		``, `{}`, `[]`, `{"revoke": "everything"}`,
		`{"issuer": "ISS"}`, // an empty form with an issuer
		`{"revoke": "token", "issuer": "ISS"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": ""}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": null}`,
		`{"revoke": "token", "token_id": "jti by token"}`,
		`{"revoke": "token", "issuer": "", "token_id": "jti by token"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "subject": "by token"}`,
		`{"revoke": "session", "issuer": "ISS", "session_id": ""}`,
		`{"revoke": "subject", "issuer": "ISS", "subject": "by subject"}`,
		`{"revoke": "subject", "issuer": "ISS", "issued_before": "now"}`,
		`{"revoke": "key", "issuer": "ISS"}`,
		`{"revoke": "issuer", "issuer": "ISS"}`,
		`{"revoke": "issuer", "issuer": "ISS", "issued_before": "soon"}`,
		`{"revoke": "issuer", "issuer": "ISS", "issued_before": "any"}`,
		`{"revoke": "issuer", "issuer": "ISS", "issued_before": "now", "token_id": "a"}`,
		`{"revoke": "issuer", "issuer": "ISS", "issued_before": "0001-01-01T00:00:00Z"}`,
		`{"revoke": "subject", "issuer": "ISS", "subject": "a", "issued_before": "0001-01-01T01:00:00+01:00"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "until": "0001-01-01T00:00:00Z"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "until": "9999-12-31T23:59:59-01:00"}`,
		`{"revoke": "issuer", "issuer": "https://another.example", "issued_before": "now"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "tokenid": "b"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "token_id": "b"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "until": "2001-01-01T00:00:00Z"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "a", "until": "tomorrow"}`,
		`{"revoke": "token", "issuer": "ISS", "token_id": "` + tokens["by token"] + `"}`,
	} {
		got := post(wrong)
		if body := decode[apiError](t, got); got.status != 400 || body.Error != "invalid_request" || body.Description == "" {
			t.Errorf("%s: status %d, %s, want 400 and why", wrong, got.status, got.body)
		}
	}
	status(all)
	if got := sendAdmin(t, "POST", at+"/v1/revocations", "revoke=token", "Authorization", "Bearer "+adminSecret, "Content-Type", "application/x-www-form-urlencoded"); got.status != 400 {
		t.Errorf("a form of a page: status %d, want 400", got.status)
	}
	if got := sendAdmin(t, "POST", at+"/v1/revocations", strings.Repeat(" ", revocationBytes+1), bearer(adminSecret)...); got.status != 400 {
		t.Errorf("a long body: status %d, want 400", got.status)
	}
	if got := sendAdmin(t, "POST", at+"/v1/revocations", `{}`, "Content-Type", "application/json"); got.status != 401 {
		t.Errorf("without the secret: status %d, want 401", got.status)
	}
	for _, right := range []struct{ body, ends string }{
		{`{"revoke": "token", "issuer": "ISS", "token_id": "jti by token"}`, "by token"},
		{`{"revoke": "session", "issuer": "ISS", "session_id": "sid by session"}`, "by session"},
		{`{"revoke": "subject", "issuer": "ISS", "subject": "by subject", "issued_before": "` + time.Now().UTC().Format(time.RFC3339) + `"}`, "by subject"},
	} {
		got := post(right.body)
		if answer := decode[revocationAnswer](t, got); got.status != 200 || !answer.Shared {
			t.Errorf("%s: status %d, %s", right.body, got.status, got.body)
		}
		all[right.ends] = 401
		status(all)
	}
	// A later login of the same subject is as good as before.
	tokens["by subject"] = iss.Token(map[string]any{"aud": "my-db", "sub": "by subject", "iat": time.Now().Add(2 * time.Second).Unix()})
	all["by subject"] = 200
	status(all)
	if got := post(`{"revoke": "issuer", "issuer": "ISS", "issued_before": "now"}`); got.status != 200 {
		t.Errorf("a whole issuer so far: status %d, %s", got.status, got.body)
	}
	status(map[string]int{"untouched": 401})
	if log := s.err.String(); strings.Count(log, "msg=revocation ") != 4+2 { // those that the library refuses too
		t.Errorf("not a line for each revocation: %s", log)
	}
}

// An opaque token in the place of its ID is told from that by what such tokens begin
// with, and stands in no log.
func TestAdmin_RevocationOfOpaque(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [{"url": %q, "audiences": ["my-db"], "keys": {"insecure_http": true}, "opaque_prefix": "opaque_", "introspection": {}}], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}}`,
		iss.URL(), writeFile(t, "secret", adminSecret))))
	token := iss.OpaqueToken(map[string]any{"aud": "my-db", "jti": "its ID"})
	for id, want := range map[string]int{token: 400, "its ID": 200} {
		got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", fmt.Sprintf(`{"revoke": "token", "issuer": %q, "token_id": %q}`, iss.URL(), id), bearer(adminSecret)...)
		if got.status != want || strings.Contains(got.body, token) {
			t.Errorf("token_id %s: status %d, want %d: %s", id, got.status, want, got.body)
		}
	}
	if got := s.get(t, "/v1/whoami", token); got.status != 401 {
		t.Errorf("by its ID: status %d, want 401", got.status)
	}
	if strings.Contains(s.err.String(), token) {
		t.Errorf("the token is in the log: %s", s.err.String())
	}
}

// TestAdmin_RevokeNow: what there is now is refused, also of an issuer whose clock is
// ahead by as much as is allowed.
func TestAdmin_RevokeNow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		issuer, file string // further members
		ahead        time.Duration
		later        int // of a login after the revocation; 0 where that is not looked at
	}{
		{"clocks that agree", "", "", 0, 401},
		{"as far ahead as by default", "", "", 25 * time.Second, 401},
		{"as far as the file allows", "", `"leeway": "4m", `, 230 * time.Second, 0},
		{"as far as the issuer's own leeway allows", `, "leeway": "4m"`, "", 230 * time.Second, 0},
		{"no leeway for the others", `, "leeway": "4m"`, `"leeway": "0s", `, 230 * time.Second, 0},
		{"a clock that must agree", `, "leeway": "0s"`, "", 0, 200},
	} {
		iss := startIssuer(t)
		s := serve(t, "--config", writeFile(t, "config.json", fmt.Sprintf(
			`{%s"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "secret_file": %q}}`,
			test.file, described(iss, test.issuer), writeFile(t, "secret", adminSecret))))
		token := iss.Token(map[string]any{"aud": "my-db", "sub": "alice", "iat": time.Now().Add(test.ahead).Unix()})
		if got := s.get(t, "/v1/whoami", token); got.status != 200 {
			t.Errorf("%s: before: status %d, want 200", test.name, got.status)
		}
		body := fmt.Sprintf(`{"revoke": "subject", "issuer": %q, "subject": "alice", "issued_before": "now"}`, iss.URL())
		if got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", body, bearer(adminSecret)...); got.status != 200 {
			t.Errorf("%s: status %d, %s", test.name, got.status, got.body)
		}
		if got := s.get(t, "/v1/whoami", token); got.status != 401 {
			t.Errorf("%s: after: status %d, want 401", test.name, got.status)
		}
		if test.later == 0 {
			continue
		}
		later := iss.Token(map[string]any{"aud": "my-db", "sub": "alice", "iat": float64(time.Now().UnixNano()) / 1e9})
		if got := s.get(t, "/v1/whoami", later); got.status != test.later {
			t.Errorf("%s: the next login: status %d, want %d", test.name, got.status, test.later)
		}
	}
}

// TestAdmin_Logout: issuers end logins by their logout tokens, on the admin listener
// and, where the file says so, for everybody.
func TestAdmin_Logout(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	for _, public := range []bool{false, true} {
		file := writeFile(t, "config.json", fmt.Sprintf(
			`{"issuers": [%s], "admin": {"addr": "127.0.0.1:0", "open_metrics": true}, "backchannel_logout": %t}`, described(iss, ""), public))
		s := serve(t, "--config", file)
		at := map[bool]string{true: s.url, false: adminOf(t, s)}[public]
		token := iss.Token(map[string]any{"aud": "my-db", "sub": "alice", "sid": "1"})
		if got := s.get(t, "/v1/whoami", token); got.status != 200 {
			t.Fatalf("before the logout: status %d", got.status)
		}
		logout := iss.Token(map[string]any{
			"aud": "my-db", "sub": "alice", "sid": "1", "jti": fmt.Sprint("logout ", public),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		})
		form := "logout_token=" + logout
		if got := sendAdmin(t, "POST", at+logoutPath, form, "Content-Type", "application/x-www-form-urlencoded"); got.status != 200 {
			t.Errorf("public %t: status %d, %s", public, got.status, got.body)
		}
		if got := s.get(t, "/v1/whoami", token); got.status != 401 {
			t.Errorf("public %t, after the logout: status %d, want 401", public, got.status)
		}
		if got := sendAdmin(t, "POST", s.url+logoutPath, "", "Content-Type", "application/x-www-form-urlencoded"); (got.status == 404) == public {
			t.Errorf("public %t: on the main listener status %d", public, got.status)
		}
		if got := sendAdmin(t, "GET", adminOf(t, s)+"/metrics", ""); got.status != 200 {
			t.Errorf("open metrics: status %d", got.status)
		}
		if got := sendAdmin(t, "POST", adminOf(t, s)+"/v1/revocations", "{}", bearer(adminSecret)...); got.status != 401 {
			t.Errorf("without secret and bearer anybody is an admin: status %d", got.status)
		}
	}
}

// TestAdmin_Socket: a socket is the process's user's alone, and one that was left
// behind is no hindrance; anything else in its place is.
func TestAdmin_Socket(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	socket := filepath.Join(shortDir(t), "admin")
	left, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [%s], "admin": {"addr": "unix:%s", "secret_file": %q}}`, described(iss, ""), socket, writeFile(t, "secret", adminSecret)))
	s := serve(t, "--config", file)
	s.awaitLog(t, "the admin listener is open")
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v, want mode 0600", info.Mode(), err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	for secret, want := range map[string]int{adminSecret: 200, adminSecret + "x": 401} {
		req, _ := http.NewRequest("GET", "http://oidcauth/metrics", nil)
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
	second := invoke(t, "", "serve", "--config", file, "--addr", "127.0.0.1:0")
	if second.code != exitFailed || !strings.Contains(second.err, " admin.addr: another process listens") || strings.Count(second.err, "admin.addr") > 1 {
		t.Errorf("a second server: %+v, want exit code %d as with an address that is taken", second, exitFailed)
	}
	s.stop()
	s.ended(t)
	if err := os.WriteFile(socket, []byte("a file of somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := invoke(t, "", "serve", "--config", file, "--addr", "127.0.0.1:0")
	if text, _ := os.ReadFile(socket); third.code != 2 || string(text) != "a file of somebody's" {
		t.Errorf("beside a file: %+v, which holds %q", third, text)
	}
}

// Admin listeners that would be of no use, or of use to others, are errors.
func TestAdmin_Mistakes(t *testing.T) {
	t.Parallel()
	short, lines := writeFile(t, "short", "secret"), writeFile(t, "lines", adminSecret+"\n"+adminSecret)
	good, unusable := writeFile(t, "good", adminSecret), writeFile(t, "unusable", adminSecret+"!")
	for admin, want := range map[string]string{
		`{}`: "nobody could use it",
		`{"addr": "0.0.0.0:8081", "open_metrics": true}`:                                       `without "tls"`,
		`{"addr": "8081", "open_metrics": true}`:                                               "HOST:PORT",
		`{"addr": "unix:", "open_metrics": true}`:                                              "has no name",
		`{"addr": "unix:@oidcauth", "open_metrics": true}`:                                     "everybody on the machine could open it",
		`{"bearer": {"roles": ["admin"]}}`:                                                     `want "issuers" and "roles"`,
		`{"bearer": {"issuers": ["https://a.example"]}}`:                                       `want "issuers" and "roles"`,
		`{"bearer": {"issuers": ["https://a.example"], "roles": [""]}}`:                        "a role is empty",
		`{"bearer": {"issuers": ["https://b.example"], "roles": ["admin"]}}`:                   "admin.bearer.issuers",
		`{"secret_file": "` + short + `"}`:                                                     "got a secret of 6 bytes, want 32",
		`{"secret_file": "` + lines + `"}`:                                                     "one line",
		`{"secret_file": "` + unusable + `"}`:                                                  "want a secret of letters, digits and any of",
		`{"secret_file": "` + short + `.none"}`:                                                "admin.secret_file: open ",
		`{"secret": "` + adminSecret + `"}`:                                                    "admin.secret: there is no such member",
		`{"secret_file": "` + good + `"}`:                                                      "",
		`{"bearer": {"issuers": ["https://a.example"], "roles": ["r"]}, "addr": "[::1]:8081"}`: "",
		`{"addr": "localhost:8081", "open_metrics": true}`:                                     "",
	} {
		file := writeFile(t, "config.json", `{"issuers": [{"url": "https://a.example", "audiences": ["a"]}], "admin": `+admin+`}`)
		got := invoke(t, "", "serve", "--config", file, "--check")
		if want == "" {
			if got.code != 0 {
				t.Errorf("%s: %+v, want exit code 0", admin, got)
			}
			continue
		}
		if got.code != 2 || !strings.Contains(got.err, want) || strings.Contains(got.err, adminSecret) {
			t.Errorf("%s: %+v, want exit code 2 and %q", admin, got, want)
		}
	}
}

// An address of the admin listener that is taken is told as its own: no flag gives another.
func TestAdmin_AddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := writeFile(t, "config.json", fmt.Sprintf(`{"addr": "127.0.0.1:0", "issuers": [{"url": "https://a.example", "audiences": ["a"]}], "admin": {"open_metrics": true, "addr": %q}}`, taken.Addr()))
	got := invoke(t, "", "serve", "--config", file)
	if got.code != 1 || !strings.Contains(got.err, "admin.addr: ") || strings.Contains(got.err, "--addr") || got.out != "" {
		t.Errorf("got %+v, want exit code 1 and admin.addr", got)
	}
}
