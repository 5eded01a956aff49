package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/said"
)

// Whoever writes a secret where it does not belong is told what is wrong, in no words of
// the secret: in the place of the file that has it, under a name that there is not, as a
// value of another type, or in an address.
func TestConfig_SecretsNotShown(t *testing.T) {
	secret := said.NewSecret("secret in the configuration")
	t.Setenv("HTTPS_PROXY", "http://user:"+secret+"@127.0.0.1:1")
	address := "https://user:" + secret + "@id.example.com"
	file := writeFile(t, "lines", secret+"\n"+secret)
	broken := writeFile(t, "key.pem", "-----BEGIN PRIVATE KEY-----\n"+secret+"\n-----END PRIVATE KEY-----\n")
	private, err := json.Marshal(jose.JSONWebKey{Key: authtest.NewKey(t), KeyID: "1", Algorithm: "ES256", Use: "sig"})
	if err != nil {
		t.Fatal(err)
	}
	issuer := func(more string) string {
		return `{"issuers": [{"url": "https://id.example.com", "audiences": ["a"]` + more + `}]}`
	}
	with := func(more string) string { return "{" + more + ", " + issuer("")[1:] }
	for config, want := range map[string]string{
		// In the place of a file's name.
		issuer(`, "introspection": {"client_id": "db", "client_secret_file": "SECRET"}`):                "could be the secret itself",
		issuer(`, "keys": {"token_file": "SECRET"}`):                                                    "could be the secret itself",
		with(`"admin": {"secret_file": "SECRET"}`):                                                      "could be the secret itself",
		with(`"dpop": {"public_url": "https://x", "nonces": true, "nonce_key_file": "SECRET"}`):         "could be the secret itself",
		with(`"revocations": {"nats": {"servers": ["tls://nats:4222"], "token_file": "SECRET"}}`):       "could be the secret itself",
		with(`"revocations": {"nats": {"servers": ["tls://nats:4222"], "credentials_file": "SECRET"}}`): "could be the secret itself",
		// Under another name, or of another type.
		issuer(`, "introspection": {"client_id": "db", "client_secret": "SECRET"}`):        `client_secret: there is no such member`,
		issuer(`, "introspection": {"client_id": "db", "client_secret_file": ["SECRET"]}`): "got a list, want a text",
		issuer(`, "introspection": "SECRET"`):                                              "got a text, want an object",
		issuer(`, "keys": {"token": "SECRET"}`):                                            "there is no such member",
		issuer(`, "keys": {"jwks": "SECRET"}`):                                             "key set not accepted",
		with(`"admin": {"secret": "SECRET"}`):                                              "there is no such member",
		with(`"admin": "SECRET"`):                                                          "got a text, want an object",
		with(`"cache_bytes": "SECRET"`):                                                    "got a text, want a whole number",
		with(`"dpop": {"nonce_key": "SECRET"}`):                                            "there is no such member",
		`{"admin": {"secret_file": "SECRET`:                                                "does not end",
		`{"admin": SECRET}`:                                                                "line 1",
		// In a file that has another form.
		with(`"admin": {"secret_file": "` + file + `"}`):                                             "visible ASCII in one line",
		with(`"tls": {"cert_file": "` + broken + `", "key_file": "` + broken + `"}`):                 "tls",
		issuer(`, "keys": {"token_file": "` + file + `"}`):                                           "one token in visible ASCII",
		issuer(`, "keys": {"ca_file": "` + file + `"}`):                                              "has none (PEM)",
		issuer(`, "keys": {"jwks": {"keys": [{"kty": "oct", "k": "SECRET"}]}}`):                      "no usable key",
		issuer(`, "keys": {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "d": "SECRET"}]}}`):       "no usable key",
		issuer(`, "keys": {"jwks": {"keys": [PRIVATE]}}`):                                            "no usable key",
		issuer(`, "keys": {"jwks": {"keys": [{"kty": "RSA", "n": "AQAB", "e": "SECRET", "d": 1}]}}`): "no usable key",
		// In an address.
		`{"issuers": [{"url": "ADDRESS", "audiences": ["a"]}]}`:                     "user information",
		`{"issuers": [{"url": "ADDRESS"}]}`:                                         "no audience for issuer",
		`{"issuers": [{"url": "ADDRESS ", "audiences": ["a"]}]}`:                    "white space",
		`{"issuers": [{"url": "ADDRESS|", "audiences": ["a"]}]}`:                    "separates",
		issuer(`, "keys": {"jwks_url": "ADDRESS"}`):                                 "user information",
		issuer(`, "keys": {"jwks_url": "ADDRESS "}`):                                "white space",
		issuer(`, "keys": {"discovery_url": "ADDRESS"}`):                            "user information",
		issuer(`, "introspection": {"endpoint": "ADDRESS", "client_id": "db"}`):     "user information",
		issuer(`, "http_proxy": "http://user:SECRET@proxy.example.com:3128"`):       "there is a secret in the proxy's URL",
		issuer(`, "http_proxy": "http://user:SECRET @proxy"`):                       "want the URL of a proxy",
		with(`"resource": "ADDRESS"`):                                               "want scheme, host and path only",
		with(`"resource": "ADDRESS:x"`):                                             "invalid port",
		with(`"ready_issuers": ["ADDRESS"]`):                                        `is not the "url" of an issuer`,
		with(`"dpop": {"public_url": "ADDRESS"}`):                                   "want a host",
		with(`"revocations": {"nats": {"servers": ["nats://user:SECRET@nats"]}}`):   "there is a secret in an address",
		with(`"revocations": {"nats": {"servers": ["nats://SECRET@nats:4222"]}}`):   "there is a secret in an address",
		with(`"revocations": {"nats": {"servers": ["nats://user:SECRET @nats"]}}`):  "want addresses such as",
		with(`"local_issuer": {"dir": "` + t.TempDir() + `", "name": "ADDRESS |"}`): "",
	} {
		name := writeFile(t, "config.json", strings.NewReplacer("SECRET", secret, "ADDRESS", address, "PRIVATE", string(private)).Replace(config))
		got := invoke(t, "", "serve", "--check", "--config", name)
		if got.code == exitOK || !strings.Contains(got.err, want) {
			t.Errorf("%s: code %d, want one that says %q: %s", config, got.code, want, got.err)
		}
		all := got.out + got.err
		for _, command := range []string{"keys", "explain"} {
			more := invoke(t, "no.to.ken", command, "--config", name)
			all += more.out + more.err
		}
		if strings.Contains(all, secret) {
			t.Errorf("%s: the secret is shown", config)
		}
	}
	// The twins: names that are some.
	t.Setenv("CREDENTIALS_DIRECTORY", "/nowhere")
	for _, name := range []string{"/nowhere/admin", credentials + "admin"} {
		got := invoke(t, "", "serve", "--check", "--config", writeFile(t, "config.json", with(`"admin": {"secret_file": "`+name+`"}`)))
		if got.code == exitOK || !strings.Contains(got.err, "/nowhere/admin") {
			t.Errorf("a file that is not there: code %d: %s", got.code, got.err)
		}
	}
}

// What a provider repeats of what it was sent is not printed: secret, code, verifier,
// device code and assertion, in whatever form they were sent in.
func TestToken_SecretsNotShown(t *testing.T) {
	key := authtest.NewKey(t)
	keyFile := writeFile(t, "key.pem", string(authtest.PrivatePEM(t, key)))
	for _, tt := range []struct {
		name   string
		secret string
		run    func(*fakeProvider) result
	}{
		{"a service with a secret", testSecret, func(p *fakeProvider) result { return invoke(t, "", p.flags(grantClientCredentials)...) }},
		{"a service with a secret in the form", testSecret, func(p *fakeProvider) result {
			return invoke(t, "", p.flags(grantClientCredentials, "--client-auth", authPost)...)
		}},
		{"a service with a key", "", func(p *fakeProvider) result {
			p.key = &jose.JSONWebKey{Key: key.Public()}
			return invoke(t, "", p.flags(grantClientCredentials, "--client-key", keyFile)...)
		}},
		{"a device", "", func(p *fakeProvider) result { return invoke(t, "", p.flags(grantDevice)...) }},
		{"a person", "", func(p *fakeProvider) result {
			l := startLogin(t, p)
			l.visit(t)
			return l.ended(t)
		}},
	} {
		t.Setenv(secretVariable, tt.secret)
		p := newFakeProvider(t)
		p.repeats = true
		got := tt.run(p)
		if got.code != exitFailed || !strings.Contains(got.err, "refused: ") || !strings.Contains(got.err, "(not shown)") {
			t.Errorf("%s: code %d, want one that says what the provider said: %s", tt.name, got.code, got.err)
		}
		sent := []string{tt.secret, url.QueryEscape(tt.secret)}
		if tt.secret != "" {
			sent = append(sent, base64.RawStdEncoding.EncodeToString([]byte("app:"+url.QueryEscape(tt.secret))))
		}
		for _, name := range []string{"code", "code_verifier", "device_code", "client_assertion", "client_secret"} {
			sent = append(sent, p.last(t).Get(name))
		}
		for _, secret := range sent {
			if secret != "" && strings.Contains(got.out+got.err, secret) {
				t.Errorf("%s: a secret of %d bytes is shown", tt.name, len(secret))
			}
		}
	}
}

// A secret on the command line in the place of the file that has it is not shown either.
func TestToken_SecretInPlaceOfItsFile(t *testing.T) {
	t.Setenv(secretVariable, "")
	p := newFakeProvider(t)
	for _, flag := range []string{"--client-secret-file", "--client-key"} {
		secret := said.NewSecret("client's secret")
		got := invoke(t, "", p.flags(grantClientCredentials, flag, secret)...)
		if got.code != exitUsage || strings.Contains(got.err, secret) || !strings.Contains(got.err, "could be the secret itself") {
			t.Errorf("%s: code %d: %s", flag, got.code, got.err)
		}
		missing := filepath.Join(t.TempDir(), "missing")
		if got := invoke(t, "", p.flags(grantClientCredentials, flag, missing)...); got.code != exitUsage || !strings.Contains(got.err, missing) {
			t.Errorf("%s: a file that is not there: code %d: %s", flag, got.code, got.err)
		}
	}
}

// The help shows nothing of the environment.
func TestHelp_NothingOfTheEnvironment(t *testing.T) {
	secret := said.NewSecret("client's secret")
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "OIDCAUTH_") && name != said.Variable {
			t.Setenv(name, secret)
		}
	}
	t.Setenv(secretVariable, secret)
	for _, c := range commands() {
		for _, args := range [][]string{{c.name, "--help"}, {"help", c.name}, {c.name, "--no-such-flag"}} {
			if got := invoke(t, "", args...); strings.Contains(got.out+got.err, secret) || got.out+got.err == "" {
				t.Errorf("%q shows what is in the environment, or nothing", fmt.Sprint(args))
			}
		}
	}
}
