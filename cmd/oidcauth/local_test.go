package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/localissuer"
)

// ask makes a request of the service and decodes the answer into a value that
// is not nil.
func (s *service) ask(t *testing.T, method, path, token string, into any) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s %s: %d %s: %v", method, path, resp.StatusCode, body, err)
		}
	}
	return resp
}

// With nothing but a directory the server makes identities, recognizes them,
// also after a restart, and greets WebSockets.
func TestServe_LocalIssuer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	s := serve(t, "--local-issuer", dir)
	var made struct{ Identity, Token string }
	s.ask(t, "POST", "/v1/identity", "", &made)
	s.used(made.Token)
	var who struct {
		Identity, Issuer string
		Audience         []string
		ExpiresAt        *string `json:"expires_at"`
	}
	s.ask(t, "GET", "/v1/whoami", made.Token, &who)
	if who.Identity != made.Identity || who.Issuer != "localhost" || who.ExpiresAt != nil || len(who.Audience) != 1 || who.Audience[0] != "spacetimedb" {
		t.Errorf("whoami: %+v, made %s", who, made.Identity)
	}
	if resp := s.ask(t, "GET", "/v1/identity/"+made.Identity+"/verify", made.Token, nil); resp.StatusCode != 204 {
		t.Errorf("verify: got %d, want 204", resp.StatusCode)
	}
	if resp := s.ask(t, "GET", "/readyz", "", nil); resp.StatusCode != 200 {
		t.Errorf("readyz: got %d, want 200", resp.StatusCode)
	}
	var keys struct{ Keys []any }
	if s.ask(t, "GET", "/.well-known/jwks.json", "", &keys); len(keys.Keys) != 2 {
		t.Errorf("%d keys, want 2", len(keys.Keys))
	}

	var ticket struct{ Token string }
	s.ask(t, "POST", "/v1/identity/websocket-token", made.Token, &ticket)
	s.used(ticket.Token)
	socket, _, err := websocket.Dial(t.Context(), s.url+"/v1/database/chat/subscribe?token="+ticket.Token,
		&websocket.DialOptions{Subprotocols: []string{"v3.bsatn.spacetimedb"}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	if _, m, err := socket.Read(t.Context()); err != nil || len(m) != 54+len(made.Token) {
		t.Errorf("first message: %d bytes, %v, want %d", len(m), err, 54+len(made.Token))
	}
	metrics := s.get(t, "/metrics", "").body
	for _, want := range []string{`route="/v1/identity/websocket-token"`, `route="/v1/identity"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not have %s", want)
		}
	}
	s.stop()
	_, _, err = socket.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %v, want %d", err, websocket.StatusGoingAway)
	}
	if code := s.ended(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}

	again := serve(t, "--local-issuer", dir, "--audience", "chat")
	again.used(made.Token)
	again.ask(t, "GET", "/v1/whoami", made.Token, &who)
	if who.Identity != made.Identity {
		t.Errorf("after a restart: %s, want %s", who.Identity, made.Identity)
	}
	ok(t, "issuer", "rotate", dir)
	again.ask(t, "POST", "/v1/identity", "", &made)
	again.used(made.Token)
}

// What the file says of SpacetimeDB's routes arrives there.
func TestServe_LocalIssuerFile(t *testing.T) {
	issuer := startIssuer(t)
	token := func(subject string) string { return issuer.Token(map[string]any{"sub": subject, "aud": "chat"}) }
	alice, long := token("alice"), token(strings.Repeat("x", 50))
	for _, tt := range []struct {
		members        string
		database       string
		token          string // in the address, exchanged or whole
		whole          bool
		want           int
		givesTokenBack bool
	}{
		{`"databases": ["chat"]`, "chat", alice, false, 101, false},
		{`"databases": ["chat"]`, "other", alice, false, 404, false},
		{`"databases": []`, "chat", alice, false, 404, false},
		{``, "other", alice, false, 101, false},
		{`"remember_tokens": true`, "chat", alice, false, 101, true},
		{`"insecure_query_token": true`, "chat", alice, true, 101, true},
		{``, "chat", alice, true, 401, false},
		{``, "chat", long, false, 101, false},
		{`"max_name_bytes": 49`, "chat", long, false, 401, false},
		{`"max_name_bytes": 50`, "chat", long, false, 101, false},
		{`"max_name_bytes": -1`, "chat", long, false, 101, false},
	} {
		members := fmt.Sprintf(`"dir": %q`, filepath.Join(t.TempDir(), "keys"))
		if tt.members != "" {
			members += ", " + tt.members
		}
		s := serve(t, "--config", writeFile(t, "config.json", `{"local_issuer": {`+members+`}}`),
			"--issuer", issuer.URL(), "--audience", "chat", "--allow-insecure-http")
		got, first := s.open(t, tt.database, tt.token, tt.whole)
		if got != tt.want || strings.HasSuffix(first, tt.token) != tt.givesTokenBack {
			t.Errorf("%s, database %s: status %d, want %d; the token is given back: %t, want %t",
				tt.members, tt.database, got, tt.want, strings.HasSuffix(first, tt.token), tt.givesTokenBack)
		}
	}
}

// open opens a WebSocket as a browser does, and returns the first message, if any.
func (s *service) open(t *testing.T, database, token string, whole bool) (status int, first string) {
	t.Helper()
	s.used(token)
	if !whole {
		var ticket struct{ Token string }
		if resp := s.ask(t, "POST", "/v1/identity/websocket-token", token, &ticket); resp.StatusCode != 200 {
			return resp.StatusCode, ""
		}
		token = ticket.Token
		s.used(token)
	}
	socket, resp, err := websocket.Dial(t.Context(), s.url+"/v1/database/"+database+"/subscribe?token="+token,
		&websocket.DialOptions{Subprotocols: []string{"v3.bsatn.spacetimedb"}})
	if err != nil {
		return resp.StatusCode, ""
	}
	defer socket.CloseNow()
	_, m, err := socket.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(m)
}

func TestServe_LocalIssuerMistakes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	ok(t, "issuer", "list", dir, "--url", "localhost")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--local-issuer-url", "x"}, "no effect"},
		{[]string{"--allow-origin", "*"}, "no effect"},
		{[]string{"--local-issuer", dir, "--allow-origin", "app.example.com"}, "such as https://"},
		{[]string{"--local-issuer", dir, "--local-issuer-url", "x"}, `"x"`},
		{[]string{"--local-issuer", writeFile(t, "file", "")}, "not a directory"},
	} {
		r := invoke(t, "", append([]string{"serve", "--addr", "127.0.0.1:0"}, tt.args...)...)
		if r.code != exitUsage || !strings.Contains(r.err, tt.want) {
			t.Errorf("%q: exit code %d, %q, want %d and %q", tt.args, r.code, r.err, exitUsage, tt.want)
		}
	}
}

// TestServe_LocalIssuerBesideOthers: clients are sent to issuers that have an
// address, and the local issuer's documents are below its name.
func TestServe_LocalIssuerBesideOthers(t *testing.T) {
	t.Parallel()
	dir := func() string { return filepath.Join(t.TempDir(), "keys") }
	iss := startIssuer(t)
	got := decode[map[string]any](t, serveFor(t, iss, "--local-issuer", dir()).get(t, metadataPath, ""))
	if want := fmt.Sprint([]any{iss.URL()}); fmt.Sprint(got["authorization_servers"]) != want {
		t.Errorf("authorization_servers = %v, want %s", got["authorization_servers"], want)
	}
	for name, want := range map[string]string{
		"localhost": "", "https://db.example.com": "", "https://db.example.com/": "",
		"https://db.example.com/a": "/a", "https://db.example.com/a/": "/a", "https://db.example.com/{a}": "",
		"https://db.example.com/a//b": "", "https://db.example.com/a/../b": "", "https://db.example.com//": "", "https://db.example.com/./": "",
	} {
		s := serve(t, "--local-issuer", dir(), "--local-issuer-url", name)
		if got := s.get(t, want+"/.well-known/jwks.json", ""); got.status != 200 {
			t.Errorf("%s: status = %d at %q, want 200", name, got.status, want)
		}
		s.stop()
	}
}

func TestIsOrigin(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"*": true, "https://app.example.com": true, "http://localhost:3000": true, "http://[::1]:3000": true, "capacitor://localhost": true,
		"": false, "app.example.com": false, "app.example.com:443": false, "https://": false, "https://app.example.com/": false,
		"https://App.example.com": false, "https://a@app.example.com": false, "https://app.example.com?x": false, "https://*.example.com": false,
	} {
		if got := isOrigin(origin); got != want {
			t.Errorf("isOrigin(%q) = %t, want %t", origin, got, want)
		}
	}
}

// localFlagTests are the [flagTests] for a local issuer.
func localFlagTests() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"serve --local-issuer":     testServeLocalIssuer,
		"explain --local-issuer":   testExplainLocalIssuer,
		"serve --local-issuer-url": testLocalIssuerURL,
		"serve --allow-origin":     testAllowOrigin,
		"issuer --url":             testIssuerURL,
	}
}

func testServeLocalIssuer(t *testing.T) {
	common := []string{"--issuer", startIssuer(t).URL(), "--audience", "x", "--allow-insecure-http"}
	for flags, want := range map[string]int{"": 404, filepath.Join(t.TempDir(), "keys"): 200} {
		args := common
		if flags != "" {
			args = append(args, "--local-issuer", flags)
		}
		if got := serve(t, args...).do(t, "POST", "/v1/identity", ""); got.status != want {
			t.Errorf("with %q: got %d, want %d", flags, got.status, want)
		}
	}
}

// testExplainLocalIssuer explains a token that a server with the same directory
// has made, one that never expires.
func testExplainLocalIssuer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	l, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: dir, Audiences: []string{"spacetimedb"}, NoExpiry: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	token, _, err := l.Issue(t.Context(), localissuer.Request{NoExpiry: true})
	if err != nil {
		t.Fatal(err)
	}
	config := func(text string) string { return writeFile(t, "config.json", text) }
	missing := filepath.Join(t.TempDir(), "none")
	for _, test := range []struct {
		name  string
		flags []string
		code  int
		says  string // on standard output, or on standard error for a mistake
	}{
		{"without it", []string{"--issuer", "https://id.example.com", "--audience", "x"}, exitFailed, "issuer"},
		{"with the flag", []string{"--local-issuer", dir}, exitOK, "expires at  never"},
		{"with the file", []string{"--config", config(fmt.Sprintf(`{"local_issuer": {"dir": %q}}`, dir))}, exitOK, "localhost"},
		{"with its name in the file", []string{"--config", config(fmt.Sprintf(`{"local_issuer": {"dir": %q, "url": "localhost"}}`, dir))}, exitOK, "localhost"},
		{"with another name in the file", []string{"--config", config(fmt.Sprintf(`{"local_issuer": {"dir": %q, "url": "other"}}`, dir))}, exitUsage, `"other"`},
		{"without keys", []string{"--local-issuer", missing}, exitUsage, "no keys in " + missing},
		{"without a directory", []string{"--local-issuer", writeFile(t, "file", "")}, exitUsage, "not a directory"},
	} {
		got := invoke(t, token, append([]string{"explain"}, test.flags...)...)
		if got.code != test.code || !strings.Contains(got.out+got.err, test.says) {
			t.Errorf("%s: exit code %d, %s%s, want %d and %q", test.name, got.code, got.out, got.err, test.code, test.says)
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("explain made the directory: %v", err)
	}
}

func testLocalIssuerURL(t *testing.T) {
	for want, flags := range map[string][]string{
		"localhost":              nil,
		"https://db.example.com": {"--local-issuer-url", "https://db.example.com"},
	} {
		s := serve(t, append(flags, "--local-issuer", filepath.Join(t.TempDir(), "keys"))...)
		var made struct{ Token string }
		s.ask(t, "POST", "/v1/identity", "", &made)
		s.used(made.Token)
		var who struct{ Issuer string }
		s.ask(t, "GET", "/v1/whoami", made.Token, &who)
		if who.Issuer != want {
			t.Errorf("with %q: issuer %q, want %q", flags, who.Issuer, want)
		}
	}
}

func testAllowOrigin(t *testing.T) {
	const page, resource = "https://app.example.com", "https://DB.example.com:443/x"
	for _, test := range []struct {
		flags []string
		page  string
		want  int
	}{
		{nil, page, 403},
		{[]string{"--allow-origin", page}, page, 204},
		{[]string{"--allow-origin", "*"}, page, 204},
		{[]string{"--allow-origin", "https://other.example.com"}, page, 403},
		{[]string{"--resource", resource}, "https://db.example.com", 204},
		{[]string{"--resource", resource}, "http://db.example.com", 403},
		{[]string{"--resource", resource, "--allow-origin", page}, "https://db.example.com", 204},
		{[]string{"--resource", resource, "--allow-origin", page}, page, 204},
		{[]string{"--resource", resource}, page, 403},
	} {
		s := serve(t, append(test.flags, "--local-issuer", filepath.Join(t.TempDir(), "keys"))...)
		if got := s.do(t, "OPTIONS", "/v1/identity/websocket-token", "", "Origin", test.page); got.status != test.want {
			t.Errorf("with %q, from %s: got %d, want %d", test.flags, test.page, got.status, test.want)
		}
		if got := s.do(t, "POST", "/v1/identity", "", "Origin", s.url); got.status != 200 {
			t.Errorf("with %q, from its own page: got %d, want 200", test.flags, got.status)
		}
	}
}

func testIssuerURL(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if r := invoke(t, "", "issuer", "list", dir); r.code != exitFailed {
		t.Errorf("without: exit code %d, want %d", r.code, exitFailed)
	}
	if out := ok(t, "issuer", "list", dir, "--url", "my-db"); !strings.Contains(out, "issuer my-db\n") {
		t.Errorf("with: %s", out)
	}
}
