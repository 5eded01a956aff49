package lemonldap_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var tried = trial.New("lemonldap", "LemonLDAP::NG", "")

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.LemonLDAP))) }

// portal is one that ends with the test. Its issuer is its address, which ends with a
// slash.
type portal struct {
	url string
	dir string
}

func start(t *testing.T) portal {
	t.Helper()
	port := server.NewPort(t)
	p := portal{url: "http://127.0.0.1:" + port + "/", dir: t.TempDir()}
	p.configure(t)
	server.Run(t, server.Command{
		Name: "LemonLDAP::NG", Dir: p.dir, Ready: p.url + "oauth2/jwks", Env: []string{p.environment()},
		Args: []string{"plackup", "--host", "127.0.0.1", "--port", port, "-E", "deployment", "--app", programs.LemonLDAPPortal},
	})
	version, err := exec.CommandContext(t.Context(), "perl", "-MLemonldap::NG::Portal", "-e", "print $Lemonldap::NG::Portal::VERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	tried.SetVersion(string(version))
	return p
}

func (p portal) environment() string {
	return "LLNG_DEFAULTCONFFILE=" + filepath.Join(p.dir, "lemonldap-ng.ini")
}

// settings is the file that says where everything else is.
const settings = `[all]
logLevel = warn
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Std
checkTime = 1
[configuration]
type = File
dirName = %[1]s/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'config', 'default_expires_in' => 1, 'cache_root' => '%[1]s/cache', 'cache_depth' => 1 }
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
`

// configure writes the portal's configuration, with a key that has no ID.
func (p portal) configure(t *testing.T) {
	t.Helper()
	for _, name := range []string{"conf", "cache", "sessions/lock", "lasting/lock"} {
		if err := os.MkdirAll(filepath.Join(p.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	private, public := newKey(t)
	files := func(name string) map[string]any {
		dir := filepath.Join(p.dir, name)
		return map[string]any{
			"Directory": dir, "LockDirectory": filepath.Join(dir, "lock"),
			"generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
		}
	}
	text, err := json.Marshal(map[string]any{
		"cfgNum": 1, "cfgDate": 1, "cfgAuthor": "test", "cfgVersion": "2.16.1", "key": rand.Text(),
		"portal": p.url, "domain": "127.0.0.1", "cookieName": "lemonldap", "securedCookie": 0,
		"authentication": "Demo", "userDB": "Same", "passwordDB": "Demo", "registerDB": "Null",
		"demoExportedVars": map[string]any{"cn": "cn", "mail": "mail", "uid": "uid"},
		"whatToTrace":      "_whatToTrace", "macros": map[string]any{"_whatToTrace": "$uid"},
		"locationRules": map[string]any{"127.0.0.1": map[string]any{"default": "accept"}}, "exportedHeaders": map[string]any{},
		"globalStorage": "Apache::Session::File", "globalStorageOptions": files("sessions"),
		"persistentStorage": "Apache::Session::File", "persistentStorageOptions": files("lasting"),
		"localSessionStorage": "Cache::FileCache",
		"localSessionStorageOptions": map[string]any{
			"namespace": "sessions", "cache_root": filepath.Join(p.dir, "cache"), "cache_depth": 1, "default_expires_in": 600,
		},
		"issuerDBOpenIDConnectActivation": 1, "issuerDBOpenIDConnectPath": "^/oauth2/", "issuerDBOpenIDConnectRule": 1,
		"oidcServiceMetaDataIssuer": p.url, "oidcServiceAllowAuthorizationCodeFlow": 1,
		"oidcServicePrivateKeySig": private, "oidcServicePublicKeySig": public,
		"oidcRPMetaDataExportedVars": map[string]any{"app": map[string]any{"email": "mail"}},
		"oidcRPMetaDataOptions":      clients(),
	})
	for name, content := range map[string][]byte{
		"conf/lmConf-1.json": text, "lemonldap-ng.ini": fmt.Appendf(nil, settings, p.dir),
	} {
		if err = errors.Join(err, os.WriteFile(filepath.Join(p.dir, name), content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// clients returns those that the portal knows.
func clients() map[string]any {
	const option = "oidcRPMetaDataOptions"
	client := func(id, audience, idAlgorithm string, jwt, service int) map[string]any {
		return map[string]any{
			option + "ClientID": id, option + "ClientSecret": id + "-secret", option + "AdditionalAudiences": audience,
			option + "IDTokenSignAlg": idAlgorithm, option + "AccessTokenSignAlg": "RS256", option + "AccessTokenJWT": jwt,
			option + "AllowClientCredentialsGrant": service, option + "BypassConsent": 1, option + "RedirectUris": browser.Callback,
		}
	}
	return map[string]any{
		"app":       client("app", "my-db", "RS256", 1, 0),
		"importer":  client("importer", "my-db", "RS256", 1, 1),
		"elsewhere": client("elsewhere", "other-db", "RS256", 1, 1),
		"namesake":  client("dwho", "my-db", "RS256", 1, 1),
		"ordinary":  client("ordinary", "my-db", "HS256", 0, 0),
	}
}

// newKey returns a key as the portal's configuration has it.
func newKey(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	published, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: published}))
}

// signIn has a person of the demonstration sign in.
func (p portal) signIn(t *testing.T, clientID string) *oauth2.Token {
	t.Helper()
	app := oauth2.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", Scopes: []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{
			AuthURL: p.url + "oauth2/authorize", TokenURL: p.url + "oauth2/token", AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	return browser.New().SignIn(t, app, func(b *browser.Browser) {
		b.Submit(t, url.Values{"user": {"dwho"}, "password": {"dwho"}})
	})
}

func (p portal) service(t *testing.T, clientID string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: p.url + "oauth2/token",
		Scopes: []string{"write"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// rotate has the portal's own program replace the key.
func (p portal) rotate(t *testing.T) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "perl", "/usr/share/lemonldap-ng/bin/rotateOidcKeys")
	command.Env = append(os.Environ(), p.environment())
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("rotateOidcKeys: %v\n%s", err, said)
	}
}
