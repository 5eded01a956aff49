package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/ports"
	"github.com/oidcauth/oidcauth/internal/said"
	"github.com/oidcauth/oidcauth/oidctest"
)

// tokenFlagTests has a test for every flag of token.
func tokenFlagTests() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"token --issuer":              testTokenIssuer,
		"token --client-id":           testTokenClientID,
		"token --client-secret-file":  testTokenSecretFile,
		"token --assertion-audience":  testTokenAssertionAudience,
		"token --client-key":          testTokenClientKey,
		"token --client-auth":         testTokenClientAuth,
		"token --scope":               testTokenScope,
		"token --audience":            func(t *testing.T) { testTokenParameter(t, "audience", "my-db") },
		"token --resource":            func(t *testing.T) { testTokenParameter(t, "resource", "https://db.example.com") },
		"token --listen":              testTokenListen,
		"token --id-token":            testTokenIDToken,
		"token --export":              testTokenExport,
		"token --json":                testTokenJSON,
		"token --allow-insecure-http": testTokenInsecureHTTP,
	}
}

// withSecret has the environment hold the client's secret.
func withSecret(t *testing.T) *fakeProvider {
	t.Helper()
	t.Setenv(secretVariable, testSecret)
	return newFakeProvider(t)
}

// A provider may want its issuer for the audience of assertions, or its token endpoint.
func testTokenAssertionAudience(t *testing.T) {
	p := newFakeProvider(t)
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.key = &jose.JSONWebKey{Key: signer.Public()}
	key := []string{"--client-key", writeFile(t, "key", pkcs8(t, signer))}
	const hint = "--assertion-audience issuer"
	for _, test := range []struct {
		said, wanted string
		hinted       bool // where it is refused
	}{
		{"", "", false}, {audienceEndpoint, "", false}, {audienceIssuer, p.iss.URL(), false},
		{"", p.iss.URL(), true}, {audienceEndpoint, p.iss.URL(), false}, {audienceIssuer, p.iss.URL() + "/token", false},
	} {
		p.named = test.wanted
		flags := key
		if test.said != "" {
			flags = append(slices.Clone(key), "--assertion-audience", test.said)
		}
		got := invoke(t, "", p.flags(grantClientCredentials, flags...)...)
		accepted := test.wanted == "" && test.said != audienceIssuer || test.wanted == p.iss.URL() && test.said == audienceIssuer
		if (got.code == exitOK) != accepted || strings.Contains(got.err, hint) != test.hinted {
			t.Errorf("said %q, wanted %q: got %d, %s, want accepted: %t, hinted at: %t", test.said, test.wanted, got.code, got.err, accepted, test.hinted)
		}
	}
	for _, flags := range [][]string{
		append(slices.Clone(key), "--assertion-audience", "me"), {"--assertion-audience", audienceIssuer},
	} {
		if got := invoke(t, "", p.flags(grantClientCredentials, flags...)...); got.code != exitUsage || !strings.Contains(got.err, "--assertion-audience") {
			t.Errorf("%q: got %d, %s, want a usage error", flags, got.code, got.err)
		}
	}
}

// A client may be registered for one of the ways that the provider lists.
func testTokenClientAuth(t *testing.T) {
	p := withSecret(t)
	both := []string{authBasic, authPost}
	for _, test := range []struct {
		name    string
		methods []string
		flags   []string
		header  bool
	}{
		{"both, and nothing said", both, nil, true},
		{"both, and post said", both, []string{"--client-auth", authPost}, false},
		{"both, and basic said", both, []string{"--client-auth", authBasic}, true},
		{"basic alone, and post said", both[:1], []string{"--client-auth", authPost}, false},
		{"post alone, and basic said", both[1:], []string{"--client-auth", authBasic}, true},
	} {
		p.describe(map[string]any{"token_endpoint_auth_methods_supported": test.methods})
		got := invoke(t, "", p.flags(grantClientCredentials, test.flags...)...)
		if got.code != 0 || subjectOf(t, got.out) != "app" {
			t.Errorf("%s: got %d, %s", test.name, got.code, got.err)
		}
		if inHeader := p.header.Get("Authorization") != ""; inHeader != test.header || p.last(t).Has("client_secret") == test.header {
			t.Errorf("%s: secret in the header: %t, want %t", test.name, inHeader, test.header)
		}
	}
	for _, flags := range [][]string{
		{"--client-auth", "client_secret_jwt"}, {"--client-auth", "private_key_jwt"}, {"--client-auth", authPost, "--client-key", "key.pem"},
	} {
		if got := invoke(t, "", p.flags(grantClientCredentials, flags...)...); got.code != exitUsage || !strings.Contains(got.err, "--client-auth") {
			t.Errorf("%q: got %d, %s, want a usage error", flags, got.code, got.err)
		}
	}
	t.Setenv(secretVariable, "")
	if got := invoke(t, "", p.flags(grantLogin, "--client-auth", authPost)...); got.code != exitUsage || !strings.Contains(got.err, "put one into") {
		t.Errorf("without a secret: got %d, %s, want a usage error", got.code, got.err)
	}
}

func testTokenIssuer(t *testing.T) {
	p, other := withSecret(t), oidctest.NewIssuer(t, oidctest.Config{})
	other.Start()
	if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != 0 || subjectOf(t, got.out) != "app" {
		t.Errorf("got %d, %s", got.code, got.err)
	}
	for issuer, want := range map[string]int{
		"":                  exitUsage,
		"id.example.com":    exitUsage,
		p.iss.URL() + "/no": exitFailed,
		other.URL():         exitFailed, // it has no token endpoint to speak of
	} {
		got := invoke(t, "", "token", grantClientCredentials, "--issuer", issuer, "--client-id", "app", "--allow-insecure-http")
		if got.code != want || got.out != "" {
			t.Errorf("issuer %q: exit code = %d, want %d; %s", issuer, got.code, want, got.err)
		}
	}
}

func testTokenClientID(t *testing.T) {
	p := withSecret(t)
	flags := []string{"token", grantClientCredentials, "--issuer", p.iss.URL(), "--allow-insecure-http"}
	if got := invoke(t, "", flags...); got.code != exitUsage {
		t.Errorf("without the flag: exit code = %d, want %d", got.code, exitUsage)
	}
	for id, want := range map[string]int{"app": exitOK, "another": exitFailed} {
		if got := invoke(t, "", append(flags, "--client-id", id)...); got.code != want {
			t.Errorf("client %q: exit code = %d, want %d; %s", id, got.code, want, got.err)
		}
	}
}

func testTokenSecretFile(t *testing.T) {
	t.Setenv(secretVariable, "")
	p := newFakeProvider(t)
	flags := p.flags(grantClientCredentials)
	if got := invoke(t, "", flags...); got.code != exitUsage || !strings.Contains(got.err, secretVariable) {
		t.Errorf("without a secret: got %+v", got)
	}
	for content, want := range map[string]int{
		testSecret:          exitOK,
		testSecret + "\n":   exitOK,
		testSecret + "\r\n": exitOK,
		testSecret + " ":    exitFailed,
		"\n":                exitUsage,

		strings.Repeat("x", longestSecret+1): exitUsage,
	} {
		file := writeFile(t, "secret", content)
		if got := invoke(t, "", append(flags, "--client-secret-file", file)...); got.code != want {
			t.Errorf("file with %q: exit code = %d, want %d; %s", content, got.code, want, got.err)
		}
	}
	t.Setenv(secretVariable, "another")
	file := writeFile(t, "secret", testSecret)
	if got := invoke(t, "", append(flags, "--client-secret-file", file)...); got.code != exitOK {
		t.Errorf("a secret in file and environment: exit code = %d, want that of the file to count", got.code)
	}
}

func testTokenScope(t *testing.T) {
	p := withSecret(t)
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{nil, ""},
		{[]string{"--scope", "read"}, "read"},
		{[]string{"--scope", "read", "--scope", "write"}, "read write"},
	} {
		invoke(t, "", p.flags(grantClientCredentials, test.flags...)...)
		if got := p.last(t).Get("scope"); got != test.want {
			t.Errorf("with %q: scope = %q, want %q", test.flags, got, test.want)
		}
	}
}

// testTokenParameter tests flags that add a parameter to the request.
func testTokenParameter(t *testing.T, name, value string) {
	p := withSecret(t)
	invoke(t, "", p.flags(grantClientCredentials)...)
	if p.last(t).Has(name) {
		t.Errorf("without the flag: %s = %q", name, p.last(t).Get(name))
	}
	invoke(t, "", p.flags(grantClientCredentials, "--"+name, value)...)
	if got := p.last(t).Get(name); got != value {
		t.Errorf("with the flag: %s = %q, want %q", name, got, value)
	}
	address := startLogin(t, p, "--"+name, value).visit(t)
	if got := address.Query().Get(name); got != value {
		t.Errorf("login: %s = %q, want %q", name, got, value)
	}
	if got := p.last(t).Get(name); got != value {
		t.Errorf("login, token request: %s = %q, want %q", name, got, value)
	}
}

func testTokenListen(t *testing.T) {
	p := newFakeProvider(t)
	want := ports.ReserveFor(t).Address()
	back, err := url.Parse(startLogin(t, p, "--listen", want).visit(t).Query().Get("redirect_uri"))
	if err != nil || back.Host != want {
		t.Errorf("with --listen %s: the browser is sent to %v, %v", want, back, err)
	}
	back, err = url.Parse(startLogin(t, p).visit(t).Query().Get("redirect_uri"))
	if err != nil || back.Hostname() != "127.0.0.1" || back.Host == want {
		t.Errorf("without: the browser is sent to %v, %v", back, err)
	}
	// The provider compares texts, and a client may be registered for this one.
	back, err = url.Parse(startLogin(t, p, "--listen", "localhost:0").visit(t).Query().Get("redirect_uri"))
	if err != nil || back.Hostname() != "localhost" || back.Port() == "0" {
		t.Errorf("at localhost: the browser is sent to %v, %v", back, err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "127.0.0.1", "192.0.2.1:0", ""} {
		if got := invoke(t, "", p.flags(grantLogin, "--listen", address)...); got.code != exitUsage {
			t.Errorf("--listen %q: exit code = %d, want %d", address, got.code, exitUsage)
		}
	}
}

func testTokenIDToken(t *testing.T) {
	p := newFakeProvider(t)
	p.idToken = map[string]any{"sub": "alice-as-the-client-knows-her"}
	for flag, want := range map[string]string{"": "alice", "--id-token": "alice-as-the-client-knows-her"} {
		l := startLogin(t, p, strings.Fields(flag)...)
		l.visit(t)
		if got := subjectOf(t, l.ended(t).out); got != want {
			t.Errorf("with %q: got the token of %q, want %q", flag, got, want)
		}
	}
}

func testTokenExport(t *testing.T) {
	p := withSecret(t)
	p.answer = map[string]any{"access_token": `it's$(id)"\`}
	got := invoke(t, "", p.flags(grantClientCredentials, "--export", "DB_TOKEN")...)
	// In POSIX, section 2.2.2, all between two ' is itself, and \' stands alone.
	if want := `export DB_TOKEN='it'\''s$(id)"\'` + "\n"; got.code != 0 || got.out != want {
		t.Fatalf("got %+v, want %s", got, want)
	}
	if shell, err := exec.LookPath("sh"); err == nil { // not on every system
		out, err := exec.Command(shell, "-c", got.out+`printf %s "$DB_TOKEN"`).Output()
		if err != nil || string(out) != `it's$(id)"\` {
			t.Errorf("the shell has %q, %v", out, err)
		}
	}
	for _, name := range []string{"1TOKEN", "A B", "A;id", "A-B", "Ä"} {
		if got := invoke(t, "", p.flags(grantClientCredentials, "--export", name)...); got.code != exitUsage {
			t.Errorf("--export %q: exit code = %d, want %d", name, got.code, exitUsage)
		}
	}
}

func testTokenJSON(t *testing.T) {
	p := withSecret(t)
	refresh := said.NewSecret("refresh token")
	p.answer = map[string]any{"refresh_token": refresh}
	got := invoke(t, "", p.flags(grantClientCredentials, "--json", "--scope", "read")...)
	var answer tokenJSON
	if err := json.Unmarshal([]byte(got.out), &answer); err != nil {
		t.Fatalf("%v: %s", err, got.out)
	}
	if answer.TokenType != "Bearer" || answer.Scope != "read" || answer.RefreshToken != refresh ||
		answer.ExpiresAt == nil || subjectOf(t, answer.AccessToken) != "app" {
		t.Errorf("got %s", got.out)
	}
}

func testTokenInsecureHTTP(t *testing.T) {
	p := withSecret(t)
	secure := []string{"token", grantClientCredentials, "--client-id", "app", "--issuer"}
	if got := invoke(t, "", append(secure, p.iss.URL())...); got.code != exitUsage {
		t.Errorf("without the flag: exit code = %d, want %d", got.code, exitUsage)
	}
	if got := invoke(t, "", append(secure, p.iss.URL(), "--allow-insecure-http")...); got.code != exitOK {
		t.Errorf("with the flag: exit code = %d, want 0; %s", got.code, got.err)
	}
	if got := invoke(t, "", append(secure, "http://id.example.com", "--allow-insecure-http")...); got.code != exitUsage {
		t.Errorf("another machine: exit code = %d, want %d", got.code, exitUsage)
	}
}
