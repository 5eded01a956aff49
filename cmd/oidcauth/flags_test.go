package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/oidctest"
)

// flagTests has a test for every flag of every command, by "command --flag".
// Each runs the command without the flag and with it, and sees a difference.
func flagTests() map[string]func(*testing.T) {
	tests := map[string]func(*testing.T){
		"serve --addr":               testAddr,
		"serve --key-cache-dir":      testKeyCacheDir,
		"serve --check":              testCheck,
		"healthcheck --addr":         testHealthcheckAddr,
		"healthcheck --config":       testHealthcheckConfig,
		"healthcheck --ready":        testHealthcheckReady,
		"serve --log-format":         testLogFormat,
		"serve --resource":           testResource,
		"explain --json":             testExplainJSON,
		"explain --token-file":       testTokenFile,
		"keys --allow-insecure-http": testKeysInsecureHTTP,
		"keys --config":              testKeysConfig,
		"keys --json":                testKeysJSON,
	}
	maps.Copy(tests, tokenFlagTests())
	maps.Copy(tests, localFlagTests())
	for name, j := range map[string]judge{"serve": judgeByServe, "explain": judgeByExplain} {
		for flag, test := range map[string]func(*testing.T, judge){
			"issuer":              testIssuer,
			"audience":            testAudience,
			"token-type":          testTokenType,
			"leeway":              testLeeway,
			"allow-insecure-http": testInsecureHTTP,
			"any-issuer":          testAnyIssuer,
			"config":              testConfig,
		} {
			tests[name+" --"+flag] = func(t *testing.T) { test(t, j) }
		}
	}
	return tests
}

func TestFlags(t *testing.T) {
	tests := flagTests()
	var defined []string
	for _, c := range commands() {
		flags := c.flagSet()
		c.setup(flags)
		flags.VisitAll(func(f *flag.Flag) { defined = append(defined, c.name+" --"+f.Name) })
	}
	slices.Sort(defined)
	if tested := slices.Sorted(maps.Keys(tests)); !slices.Equal(tested, defined) {
		t.Errorf("tests for %q\nand flags %q", tested, defined)
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}

// What a judge found.
const (
	accepted = 0
	refused  = 1
	mistaken = 2 // the flags
)

// judge has a command decide about a token.
type judge func(t *testing.T, token string, flags ...string) int

func judgeByExplain(t *testing.T, token string, flags ...string) int {
	t.Helper()
	return invoke(t, token, append([]string{"explain"}, flags...)...).code
}

func judgeByServe(t *testing.T, token string, flags ...string) int {
	t.Helper()
	s, code := tryServe(t, flags...)
	if s == nil {
		return code
	}
	got := s.get(t, "/v1/whoami", token)
	s.stop()
	switch got.status {
	case 200:
		return accepted
	case 401:
		return refused
	}
	t.Fatalf("status = %d, %s", got.status, got.body)
	return -1
}

// must fails the test unless the judge finds what is wanted.
func (j judge) must(t *testing.T, want int, token string, flags ...string) {
	t.Helper()
	if got := j(t, token, flags...); got != want {
		t.Errorf("with %q: got %d, want %d", flags, got, want)
	}
}

func testIssuer(t *testing.T, j judge) {
	a, b := startIssuer(t), startIssuer(t)
	claims := map[string]any{"aud": "my-db"}
	common := []string{"--audience", "my-db", "--allow-insecure-http"}
	j.must(t, mistaken, a.Token(claims), common...)
	one := append(common, "--issuer", a.URL())
	j.must(t, accepted, a.Token(claims), one...)
	j.must(t, refused, b.Token(claims), one...)
	two := append(one, "--issuer", b.URL())
	j.must(t, accepted, a.Token(claims), two...)
	j.must(t, accepted, b.Token(claims), two...)
}

func testAudience(t *testing.T, j judge) {
	a, b := startIssuer(t), startIssuer(t)
	common := []string{"--issuer", a.URL(), "--issuer", b.URL(), "--allow-insecure-http"}
	j.must(t, mistaken, a.Token(map[string]any{"aud": "x"}), common...)
	one := append(common, "--audience", "x")
	j.must(t, accepted, a.Token(map[string]any{"aud": "x"}), one...)
	j.must(t, refused, a.Token(map[string]any{"aud": "y"}), one...)
	two := append(one, "--audience", "y")
	for _, iss := range []*oidctest.Issuer{a, b} {
		for _, audience := range []string{"x", "y"} {
			j.must(t, accepted, iss.Token(map[string]any{"aud": audience}), two...)
		}
	}
}

func testTokenType(t *testing.T, j judge) {
	iss := startIssuer(t)
	flags := []string{"--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http"}
	plain := iss.Token(map[string]any{"aud": "my-db"})
	access := iss.Sign(map[string]any{"typ": "at+jwt"}, map[string]any{
		"iss": iss.URL(), "sub": "alice", "aud": "my-db", "exp": time.Now().Add(time.Hour).Unix(),
	})
	j.must(t, accepted, plain, flags...)
	j.must(t, refused, access, flags...)
	only := append(flags, "--token-type", "at+jwt")
	j.must(t, refused, plain, only...)
	j.must(t, accepted, access, only...)
	both := append(only, "--token-type", "JWT")
	j.must(t, accepted, plain, both...)
	j.must(t, accepted, access, both...)
}

func testLeeway(t *testing.T, j judge) {
	iss := startIssuer(t)
	flags := []string{"--issuer", iss.URL(), "--audience", "my-db", "--allow-insecure-http"}
	expired := func(ago time.Duration) string {
		return iss.Token(map[string]any{"aud": "my-db", "exp": time.Now().Add(-ago).Unix()})
	}
	j.must(t, refused, expired(time.Minute), flags...)
	j.must(t, accepted, expired(time.Minute), append(flags, "--leeway", "4m")...)
	j.must(t, accepted, expired(2*time.Second), flags...)
	j.must(t, refused, expired(2*time.Second), append(flags, "--leeway", "0s")...)
	j.must(t, mistaken, expired(time.Minute), append(flags, "--leeway", "6m")...)
	j.must(t, mistaken, expired(time.Minute), append(flags, "--leeway", "-1s")...)
	file := writeFile(t, "config.json", `{"leeway": "4m"}`)
	j.must(t, accepted, expired(time.Minute), append(flags, "--config", file)...)
	j.must(t, refused, expired(time.Minute), append(flags, "--config", file, "--leeway", "1s")...)
}

func testInsecureHTTP(t *testing.T, j judge) {
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	flags := []string{"--issuer", iss.URL(), "--audience", "my-db"}
	j.must(t, mistaken, token, flags...)
	j.must(t, accepted, token, append(flags, "--allow-insecure-http")...)
	elsewhere := []string{"--issuer", "http://id.example.com", "--audience", "my-db", "--allow-insecure-http"}
	j.must(t, mistaken, token, elsewhere...)
}

func testConfig(t *testing.T, j judge) {
	a, b := startIssuer(t), startIssuer(t)
	file := writeFile(t, "config.json", fmt.Sprintf(
		`{"issuers": [{"url": %q, "audiences": ["for-a"], "keys": {"insecure_http": true}}]}`, a.URL()))
	forA := a.Token(map[string]any{"aud": "for-a"})
	j.must(t, mistaken, forA)
	j.must(t, accepted, forA, "--config", file)
	combined := []string{"--config", file, "--issuer", b.URL(), "--audience", "for-b", "--allow-insecure-http"}
	j.must(t, accepted, forA, combined...)
	j.must(t, accepted, b.Token(map[string]any{"aud": "for-b"}), combined...)
	j.must(t, refused, b.Token(map[string]any{"aud": "for-a"}), combined...)
	j.must(t, refused, a.Token(map[string]any{"aud": "for-b"}), combined...)
	j.must(t, mistaken, forA, "--config", writeFile(t, "wrong.json", `{"isuers": []}`))
	j.must(t, mistaken, forA, "--config", file+".missing")
	j.must(t, mistaken, forA, "--config", "", "--issuer", a.URL(), "--audience", "for-a", "--allow-insecure-http")
}

func testAddr(t *testing.T) {
	iss := startIssuer(t)
	// The other tests ask for port 0 on 127.0.0.1; the flag's last value counts.
	s := serveFor(t, iss, "--addr", "127.0.0.2:0")
	if !strings.HasPrefix(s.url, "http://127.0.0.2:") || s.get(t, "/healthz", "").status != 200 {
		t.Errorf("listens on %s, want 127.0.0.2", s.url)
	}
	for addr, want := range map[string]int{
		"nonsense": exitUsage, "8080": exitUsage, "127.0.0.1": exitUsage, "127.0.0.1:65536": exitUsage,
		"127.0.0.1:nonsense": exitUsage, "192.0.2.1:0": exitFailed,
	} {
		got := invoke(t, "", "serve", "--issuer", iss.URL(), "--audience", "a", "--allow-insecure-http", "--resource", "https://db.example.com", "--addr", addr)
		if got.code != want || got.out != "" || (want == exitUsage) != strings.Contains(got.err, "want HOST:PORT") {
			t.Errorf("with address %q: got %+v, want exit code %d", addr, got, want)
		}
	}
}

func testKeyCacheDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	iss := startIssuer(t)
	token := iss.Token(map[string]any{"aud": "my-db"})
	first := serveFor(t, iss, "--key-cache-dir", dir)
	if got := first.get(t, "/v1/whoami", token); got.status != 200 {
		t.Fatalf("status = %d, want 200", got.status)
	}
	first.stop()
	first.ended(t)
	if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
		t.Fatalf("the directory has %v, %v", files, err)
	}
	for _, endpoint := range []oidctest.Endpoint{oidctest.Discovery, oidctest.JWKS} {
		iss.Fail(endpoint, oidctest.Fault{Status: 500})
	}
	if got := serveFor(t, iss).get(t, "/v1/whoami", token); got.status != 503 {
		t.Errorf("without the flag, during an outage: status = %d, want 503", got.status)
	}
	if got := serveFor(t, iss, "--key-cache-dir", dir).get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("with the flag, during an outage: status = %d, want 200", got.status)
	}
	file := writeFile(t, "config.json", fmt.Sprintf(`{"key_cache_dir": %q}`, dir))
	if got := serveFor(t, iss, "--config", file).get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("with the file's setting: status = %d, want 200", got.status)
	}
}

func testLogFormat(t *testing.T) {
	iss := startIssuer(t)
	lineOf := func(flags ...string) string {
		s := serveFor(t, iss, flags...)
		s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "shop"}))
		s.stop()
		s.ended(t)
		for line := range strings.Lines(s.err.String()) {
			if strings.Contains(line, "request refused") {
				return line
			}
		}
		t.Fatalf("no line about the refusal in %s", s.err.String())
		return ""
	}
	isJSON := func(line string) bool { return json.Valid([]byte(line)) }
	if line := lineOf(); isJSON(line) || !strings.Contains(line, "level=INFO") {
		t.Errorf("without the flag: %s", line)
	}
	if line := lineOf("--log-format", "text"); isJSON(line) {
		t.Errorf("text: %s", line)
	}
	if line := lineOf("--log-format", "json"); !isJSON(line) {
		t.Errorf("json: %s", line)
	}
	if _, code := tryServe(t, "--issuer", iss.URL(), "--audience", "a", "--allow-insecure-http", "--log-format", "xml"); code != 2 {
		t.Errorf("xml: exit code = %d, want 2", code)
	}
}

func testResource(t *testing.T) {
	iss := startIssuer(t)
	for _, test := range []struct {
		flags []string
		want  func(s *service) string
	}{
		{nil, func(s *service) string { return s.url }},
		{[]string{"--resource", "https://db.example.com"}, func(*service) string { return "https://db.example.com" }},
	} {
		s := serveFor(t, iss, test.flags...)
		got := decode[map[string]any](t, s.get(t, metadataPath, ""))
		if want := test.want(s); got["resource"] != want {
			t.Errorf("with %q: resource = %v, want %s", test.flags, got["resource"], want)
		}
	}
}

func testExplainJSON(t *testing.T) {
	l := newLab(t)
	token := l.iss.Token(map[string]any{"aud": "my-db"})
	if got := l.explain(t, token); json.Valid([]byte(got.out)) {
		t.Errorf("without the flag: %s", got.out)
	}
	if got := l.explain(t, token, "--json"); !json.Valid([]byte(got.out)) {
		t.Errorf("with the flag: %s", got.out)
	}
}

func testTokenFile(t *testing.T) {
	l := newLab(t)
	token := l.iss.Token(map[string]any{"aud": "my-db"})
	file := writeFile(t, "token", token+"\n")
	for _, test := range []struct {
		name, stdin string
		args        []string
		code        int
		says        string // on standard error
	}{
		{"without the flag", "", nil, exitUsage, "--token-file"},
		{"with the flag", "", []string{"--token-file", file}, exitOK, ""},
		{"the file wins over standard input", "nonsense", []string{"--token-file", file}, exitOK, ""},
		{"with its scheme", "", []string{"--token-file", writeFile(t, "header", "Bearer "+token)}, exitOK, "took off"},
		{"and a dash", token, []string{"--token-file", file, "-"}, exitUsage, "exclude each other"},
		{"no such file", token, []string{"--token-file", file + ".missing"}, exitUsage, "no such file"},
		{"a directory", token, []string{"--token-file", t.TempDir()}, exitFailed, "is a directory"},
		{"an empty file", token, []string{"--token-file", writeFile(t, "empty", "")}, exitUsage, "no token"},
		{"the token instead of the file", "", []string{"--token-file", token}, exitUsage, "(token not shown)"},
	} {
		c := newConsole(t, token)
		args := append([]string{"explain", "--config", l.config}, test.args...)
		code := run(t.Context(), args, strings.NewReader(test.stdin), &c.out, &c.err)
		if said := c.err.String(); code != test.code || !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
			t.Errorf("%s: exit code %d, %q, want %d and %q", test.name, code, said, test.code, test.says)
		}
	}
}

func testKeysInsecureHTTP(t *testing.T) {
	iss := startIssuer(t)
	if got := invoke(t, "", "keys", iss.URL()); got.code != 2 {
		t.Errorf("without the flag: exit code = %d, want 2", got.code)
	}
	if got := invoke(t, "", "keys", iss.URL(), "--allow-insecure-http"); got.code != 0 {
		t.Errorf("with the flag: exit code = %d, want 0; %s", got.code, got.err)
	}
}

func testKeysConfig(t *testing.T) {
	iss := startIssuer(t)
	iss.Fail(oidctest.Discovery, oidctest.Fault{Status: 500})
	if got := invoke(t, "", "keys", "--allow-insecure-http", iss.URL()); got.code != 1 {
		t.Errorf("without the flag: exit code = %d, want 1", got.code)
	}
	text, err := json.Marshal(map[string]any{"issuers": []oidcauth.Issuer{{
		URL: iss.URL(), Aliases: []string{"https://alias.example"}, Audiences: []string{"my-db"},
		Keys: oidcauth.KeysFrom{JWKSURL: iss.JWKSURL(), InsecureHTTP: true},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, "config.json", string(text))
	for _, name := range []string{iss.URL(), "https://alias.example"} {
		if got := invoke(t, "", "keys", "--config", file, name); got.code != 0 {
			t.Errorf("with the flag, %s: exit code = %d, want 0; %s", name, got.code, got.err)
		}
	}
	if got := invoke(t, "", "keys", "--config", file+".missing", iss.URL()); got.code != 2 {
		t.Errorf("with no such file: exit code = %d, want 2", got.code)
	}
}

func testKeysJSON(t *testing.T) {
	iss := startIssuer(t)
	if got := invoke(t, "", "keys", iss.URL(), "--allow-insecure-http"); json.Valid([]byte(got.out)) {
		t.Errorf("without the flag: %s", got.out)
	}
	got := invoke(t, "", "keys", iss.URL(), "--allow-insecure-http", "--json")
	var report keysJSON
	if err := json.Unmarshal([]byte(got.out), &report); err != nil || len(report.Keys) != 1 || report.Issuer != iss.URL() {
		t.Errorf("with the flag: %s, %v", got.out, err)
	}
}
