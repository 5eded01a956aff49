package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/oidctest"
)

// loginRun is a run of the command that waits for a browser.
type loginRun struct {
	*console
	done chan int
}

// startLogin runs "oidcauth token login".
func startLogin(t *testing.T, p *fakeProvider, flags ...string) *loginRun {
	t.Helper()
	l := &loginRun{console: newConsole(t), done: make(chan int, 1)}
	l.out.Tokens = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	go func() { l.done <- run(ctx, p.flags(grantLogin, flags...), strings.NewReader(""), &l.out, &l.err) }()
	return l
}

var printedAddress = regexp.MustCompile(`\n  (http\S+)\n`)

// address waits for the address that the command prints.
func (l *loginRun) address(t *testing.T) *url.URL {
	t.Helper()
	l.awaitLog(t, "Open this address in a browser on this machine:\n  http")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found := printedAddress.FindStringSubmatch(l.err.String()); found != nil {
			address, err := url.Parse(found[1])
			if err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatalf("no address in %s", l.err.String())
	return nil
}

// visit opens the address as a browser would, and returns it.
func (l *loginRun) visit(t *testing.T) *url.URL {
	t.Helper()
	address := l.address(t)
	browse(t, address.String())
	return address
}

// browse opens an address and returns the page.
func browse(t *testing.T, address string) (status int, page string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// ended waits for the end of the run.
func (l *loginRun) ended(t *testing.T) result {
	t.Helper()
	select {
	case code := <-l.done:
		return result{code, l.out.String(), l.err.String()}
	case <-time.After(patience):
		t.Fatal("the login did not end")
		return result{}
	}
}

func TestToken_ClientCredentials(t *testing.T) {
	p := withSecret(t)
	for _, test := range []struct {
		name    string
		methods any
		header  bool
	}{
		{"provider that says nothing", nil, true},
		{"basic only", []string{"client_secret_basic"}, true},
		{"both", []string{"client_secret_post", "client_secret_basic"}, true},
		{"post only", []string{"client_secret_post"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.describe(map[string]any{"token_endpoint_auth_methods_supported": test.methods})
			before := p.times()
			got := invoke(t, "", p.flags(grantClientCredentials)...)
			if got.code != 0 || got.err != "" || subjectOf(t, got.out) != "app" || strings.Count(got.out, "\n") != 1 {
				t.Errorf("got %d, %q, want a token alone on a line", got.code, got.err)
			}
			if inHeader := p.header.Get("Authorization") != ""; inHeader != test.header || p.last(t).Has("client_secret") == test.header {
				t.Errorf("secret in the header: %t, want %t", inHeader, test.header)
			}
			if got := p.times() - before; got != 1 {
				t.Errorf("asked %d times, want once", got)
			}
		})
	}
}

// TestToken_RefusedByTheProvider: the answer repeats what was sent, and its
// description would clear the screen.
func TestToken_RefusedByTheProvider(t *testing.T) {
	t.Setenv(secretVariable, "wrong-secret-0123456789")
	p := newFakeProvider(t)
	p.describe(map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}})
	got := invoke(t, "", p.flags(grantClientCredentials)...)
	want := "oidcauth token: the provider refuses with status 400 Bad Request: \"invalid_client\": no token\\x1b[2J for you\n"
	if got.code != exitFailed || got.out != "" || got.err != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

// A provider that lists two ways to send a secret may want the other one of this client.
func TestToken_ClientAuthHint(t *testing.T) {
	t.Setenv(secretVariable, "wrong-secret-0123456789")
	p := newFakeProvider(t)
	for _, test := range []struct {
		name    string
		methods []string
		flags   []string
		hint    bool
	}{
		{"two ways", []string{authBasic, authPost}, nil, true},
		{"one way", []string{authBasic}, nil, false},
		{"a way that was chosen", []string{authBasic, authPost}, []string{"--client-auth", authPost}, false},
	} {
		p.describe(map[string]any{"token_endpoint_auth_methods_supported": test.methods})
		got := invoke(t, "", p.flags(grantClientCredentials, test.flags...)...)
		if got.code != exitFailed || strings.Contains(got.err, "--client-auth") != test.hint {
			t.Errorf("%s: got %d, %s, want a hint: %t", test.name, got.code, got.err, test.hint)
		}
	}
}

// A secret for the device's code goes the way that was chosen, too.
func TestToken_DeviceClientAuth(t *testing.T) {
	p := withSecret(t)
	p.interval = 0
	for _, test := range []struct {
		flags  []string
		header bool
	}{
		{nil, false},
		{[]string{"--client-auth", authPost}, false},
		{[]string{"--client-auth", authBasic}, true},
	} {
		if got := invoke(t, "", p.flags(grantDevice, test.flags...)...); got.code != 0 {
			t.Fatalf("%q: got %d, %s", test.flags, got.code, got.err)
		}
		asked := p.devices[len(p.devices)-1]
		id, secret, inHeader := asked.BasicAuth()
		if inHeader != test.header || asked.PostForm.Has("client_secret") == test.header {
			t.Errorf("%q: secret in the header: %t, want %t", test.flags, inHeader, test.header)
		}
		if plain, err := url.QueryUnescape(secret); inHeader && (err != nil || id != "app" || plain != testSecret) {
			t.Errorf("%q: not the client's secret: %v", test.flags, err)
		}
	}
}

func TestToken_UnsafeEndpoints(t *testing.T) {
	p := withSecret(t)
	for name, members := range map[string]map[string]any{
		"token endpoint on another machine, plain http": {"token_endpoint": "http://id.example.com/token"},
		"no token endpoint":                             {"token_endpoint": nil},
		"token endpoint that is a path":                 {"token_endpoint": "/token"},
		"issuer of another name":                        {"issuer": "https://id.example.com"},
		"key set, plain http":                           {"jwks_uri": "http://id.example.com/keys"},
		"authorization endpoint, plain http":            {"authorization_endpoint": "http://id.example.com/authorize"},
	} {
		t.Run(name, func(t *testing.T) {
			p.describe(members)
			if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitFailed || p.times() != 0 {
				t.Errorf("exit code = %d, want %d; asked %d times, want 0; %s", got.code, exitFailed, p.times(), got.err)
			}
		})
	}
	p.describe(nil)
	if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitOK {
		t.Errorf("exit code = %d with the proper document; %s", got.code, got.err)
	}
	p.iss.Fail(oidctest.Other, oidctest.Fault{Redirect: "/elsewhere", Status: http.StatusTemporaryRedirect})
	got := invoke(t, "", p.flags(grantClientCredentials)...)
	if got.code != exitFailed || !strings.Contains(got.err, errRedirected.Error()) {
		t.Errorf("redirected: got %+v", got)
	}
}

func TestToken_LongAnswer(t *testing.T) {
	p := withSecret(t)
	p.iss.Fail(oidctest.Discovery, oidctest.Fault{Status: 500, Body: []byte(strings.Repeat("<p>sorry ", 1000))})
	if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitFailed || len(got.err) > 400 {
		t.Errorf("exit code = %d, %d bytes of error", got.code, len(got.err))
	}
	p.iss.Fail(oidctest.Discovery, oidctest.Fault{Pad: 2 << 20})
	if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitFailed {
		t.Errorf("endless document: exit code = %d, want %d", got.code, exitFailed)
	}
}

func TestToken_FlagsThatDoNotFit(t *testing.T) {
	p := withSecret(t)
	key := writeFile(t, "key", "not a key")
	for name, args := range map[string][]string{
		"no grant":                    {"token"},
		"unknown grant":               p.flags("password"),
		"two grants":                  p.flags(grantLogin, grantDevice),
		"secret and key":              p.flags(grantClientCredentials, "--client-key", key, "--client-secret-file", key),
		"key that is none":            p.flags(grantClientCredentials, "--client-key", key),
		"key for a device":            p.flags(grantDevice, "--client-key", key),
		"address without login":       p.flags(grantDevice, "--listen", "127.0.0.1:1"),
		"ID token of a service":       p.flags(grantClientCredentials, "--id-token"),
		"JSON and ID token":           p.flags(grantLogin, "--json", "--id-token"),
		"JSON and variable":           p.flags(grantClientCredentials, "--json", "--export", "A"),
		"secret in a flag":            p.flags(grantClientCredentials, "--client-secret", "0123456789abcdef"),
		"secret in a file of nowhere": p.flags(grantClientCredentials, "--client-secret-file", key+".missing"),
	} {
		t.Run(name, func(t *testing.T) {
			got := invoke(t, "", args...)
			if got.code != exitUsage || got.out != "" || strings.Contains(got.err, "0123456789") {
				t.Errorf("got %+v, want exit code %d", got, exitUsage)
			}
		})
	}
}

func TestToken_Unprintable(t *testing.T) {
	p := withSecret(t)
	for _, token := range []string{"a\x1b[2Jb", "a b", "a\nb", "ä"} {
		p.answer = map[string]any{"access_token": token}
		if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitFailed || got.out != "" {
			t.Errorf("token %q: got %+v", token, got)
		}
	}
	p.answer = map[string]any{"access_token": "opaque-~token"}
	if got := invoke(t, "", p.flags(grantClientCredentials)...); got.code != exitOK || got.out != "opaque-~token\n" {
		t.Errorf("got %+v", got)
	}
}

func testTokenClientKey(t *testing.T) {
	t.Setenv(secretVariable, "not used")
	p := newFakeProvider(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file string
		public     crypto.PublicKey
		want       int
	}{
		{"RSA, PKCS #8", pkcs8(t, rsaKey), rsaKey.Public(), exitOK},
		{"RSA, PKCS #1", pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), rsaKey.Public(), exitOK},
		{"EC, PKCS #8", pkcs8(t, ecKey), ecKey.Public(), exitOK},
		{"EC, SEC 1 after its parameters", pemText("EC PARAMETERS", []byte{6}) + pemText("EC PRIVATE KEY", sec1), ecKey.Public(), exitOK},
		{"Ed25519, PKCS #8", pkcs8(t, edKey), edKey.Public(), exitOK},
		{"JWK with an algorithm of its own", jwkText(t, rsaKey, "PS256"), rsaKey.Public(), exitOK},
		{"JWK without an algorithm", jwkText(t, ecKey, ""), ecKey.Public(), exitOK},
		{"another client's key", pkcs8(t, ecKey), rsaKey.Public(), exitFailed},
		{"public key", jwkText(t, ecKey.Public(), ""), ecKey.Public(), exitUsage},
		{"JWK with an algorithm that does not fit", jwkText(t, ecKey, "RS256"), ecKey.Public(), exitUsage},
		{"symmetric JWK", jwkText(t, []byte("0123456789abcdef0123456789abcdef"), "HS256"), ecKey.Public(), exitUsage},
		{"damaged PEM", pemText("PRIVATE KEY", []byte("x")), ecKey.Public(), exitUsage},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.key = &jose.JSONWebKey{Key: test.public}
			got := invoke(t, "", p.flags(grantClientCredentials, "--client-key", writeFile(t, "key", test.file))...)
			if got.code != test.want {
				t.Fatalf("exit code = %d, want %d; %s", got.code, test.want, got.err)
			}
			if test.want == exitOK && (p.header.Get("Authorization") != "" || p.last(t).Has("client_secret")) {
				t.Error("a secret was sent beside the assertion")
			}
		})
	}
	p.key = &jose.JSONWebKey{Key: ecKey.Public()}
	l := startLogin(t, p, "--client-key", writeFile(t, "key", pkcs8(t, ecKey)))
	if address := l.visit(t); address.Query().Has("client_assertion") {
		t.Error("the browser's address has an assertion")
	}
	if got := l.ended(t); got.code != exitOK || !p.isAssertion(p.last(t).Get("client_assertion")) {
		t.Errorf("login: got %d, %s, want an assertion", got.code, got.err)
	}
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

func jwkText(t *testing.T, key any, algorithm string) string {
	t.Helper()
	text, err := jose.JSONWebKey{Key: key, KeyID: "key-1", Algorithm: algorithm}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
