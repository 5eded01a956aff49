package glewlwyd_test

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var tried = trial.New("glewlwyd", "Glewlwyd", "")

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.MainWhole(m, programs.Glewlwyd))) }

const settings = `port=%[1]s
external_url="http://127.0.0.1:%[1]s"
bind_address="127.0.0.1"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp/"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
allow_multiple_user_per_session=true
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database={ type="sqlite3" path="%[2]s/glewlwyd.db" };
static_files_mime_types=({ extension=".html" mime_type="text/html" })
`

// resource is what tokens are for.
const resource = "https://db.example.com"

// glewlwyd is a server that ends with the test.
type glewlwyd struct {
	root, url string // the server's, and its issuer
	admin     *browser.Browser
	told      chan string // logout tokens
	keys      []jose.JSONWebKey
}

func start(t *testing.T) *glewlwyd {
	t.Helper()
	dir := t.TempDir()
	port := server.NewPort(t)
	newDatabase(t, filepath.Join(dir, "glewlwyd.db"))
	file := filepath.Join(dir, "glewlwyd.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, settings, port, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &glewlwyd{root: "http://127.0.0.1:" + port, told: make(chan string, 10), admin: browser.New()}
	g.url = g.root + "/api/oidc"
	server.Run(t, server.Command{
		Name: "Glewlwyd", Dir: dir, Ready: g.root + "/config", Args: []string{"glewlwyd", "--config-file=" + file},
	})
	g.populate(t)
	version, err := exec.CommandContext(t.Context(), "glewlwyd", "--version").CombinedOutput()
	if err != nil {
		t.Fatalf("glewlwyd --version: %v", err)
	}
	tried.SetVersion(strings.TrimSpace(string(version)))
	return g
}

// newDatabase makes the empty database that the package brings.
func newDatabase(t *testing.T, file string) {
	t.Helper()
	packed, err := os.Open(programs.GlewlwydDatabase)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	text, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "sqlite3", file)
	command.Stdin = text
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("sqlite3: %v\n%s", err, said)
	}
}

// ask calls the server's own interface as a page's script would.
func (g *glewlwyd) ask(t *testing.T, b *browser.Browser, method, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, g.root+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	b.Do(t, request)
}

type object = map[string]any

// populate gives the server its scopes, a person, clients, and the plugin that is the
// issuer.
func (g *glewlwyd) populate(t *testing.T) {
	t.Helper()
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.told <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(endpoint.Close)
	g.ask(t, g.admin, http.MethodPost, "/api/auth", object{"username": "admin", "password": "password"})
	for _, scope := range []string{"read", "write"} {
		g.ask(t, g.admin, http.MethodPost, "/api/scope/", object{"name": scope, "display_name": scope, "password_required": false, "scheme": object{}})
	}
	g.ask(t, g.admin, http.MethodPost, "/api/user/", object{
		"username": "alice", "password": "alice-password", "name": "Alice", "scope": []string{"openid", "read", "g_profile"}, "enabled": true,
	})
	client := func(id string, more object) {
		all := object{
			"client_id": id, "name": id, "client_secret": id + "-secret", "password": id + "-secret", "confidential": true, "enabled": true,
			"token_endpoint_auth_method": []string{"client_secret_basic"}, "redirect_uri": []string{}, "scope": []string{},
		}
		for name, value := range more {
			all[name] = value
		}
		g.ask(t, g.admin, http.MethodPost, "/api/client/", all)
	}
	client("app", object{
		"redirect_uri": []string{browser.Callback}, "authorization_type": []string{"code"},
		"backchannel_logout_uri": endpoint.URL, "backchannel_logout_session_required": "1",
	})
	for _, id := range []string{"importer", "alice"} {
		client(id, object{"authorization_type": []string{"client_credentials"}, "scope": []string{"write"}})
	}
	g.addKey(t)
	g.ask(t, g.admin, http.MethodPost, "/api/mod/plugin/", g.plugin(t))
}

// plugin returns the settings of the issuer, whose first key signs.
func (g *glewlwyd) plugin(t *testing.T) object {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: g.keys})
	if err != nil {
		t.Fatal(err)
	}
	return object{
		"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "order_rank": 0, "enabled": true,
		"parameters": object{
			"iss": g.url, "subject-type": "public", "jwks-private": string(keys), "jwks-show": true,
			"access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600,
			"refresh-token-rolling": true, "allow-non-oidc": true, "allowed-scope": []string{"openid", "read", "write"},
			"auth-type-code-enabled": true, "auth-type-client-enabled": true, "auth-type-id-token-enabled": true,
			"auth-type-refresh-enabled": true, "auth-type-token-enabled": false, "auth-type-password-enabled": false,
			"pkce-allowed": true, "resource-allowed": true, "resource-scope-and-client-property": false,
			"resource-scope":             object{"read": []string{resource}, "write": []string{resource}},
			"session-management-allowed": true, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 3600,
			"back-channel-logout-allowed": true, "front-channel-logout-allowed": false,
		},
	}
}

// addKey puts a new key before those there are.
func (g *glewlwyd) addKey(t *testing.T) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: "RS256", Use: "sig"}
	g.keys = append([]jose.JSONWebKey{key}, g.keys...)
}

// reload has the issuer take its keys.
func (g *glewlwyd) reload(t *testing.T) {
	t.Helper()
	g.ask(t, g.admin, http.MethodPut, "/api/mod/plugin/oidc", g.plugin(t))
	for _, action := range []string{"disable", "enable"} {
		g.ask(t, g.admin, http.MethodPut, "/api/mod/plugin/oidc/"+action+"/", nil)
	}
}

func (g *glewlwyd) endpoint() oauth2.Endpoint {
	return oauth2.Endpoint{AuthURL: g.url + "/auth", TokenURL: g.url + "/token", AuthStyle: oauth2.AuthStyleInHeader}
}

// signIn has a person sign in, for the resource or, if that is empty, for none.
func (g *glewlwyd) signIn(t *testing.T, b *browser.Browser, resource string) *oauth2.Token {
	t.Helper()
	g.ask(t, b, http.MethodPost, "/api/auth", object{"username": "alice", "password": "alice-password"})
	g.ask(t, b, http.MethodPut, "/api/auth/grant/app", object{"scope": "openid read"})
	var options []oauth2.AuthCodeOption
	if resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", resource))
	}
	app := oauth2.Config{ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"openid", "read"}, Endpoint: g.endpoint()}
	return b.SignIn(t, app, func(b *browser.Browser) { t.Fatalf("the server wants more of the person: %s", b.At) },
		append(options, oauth2.SetAuthURLParam("g_continue", "1"), oauth2.SetAuthURLParam("nonce", rand.Text()))...)
}

func (g *glewlwyd) service(t *testing.T, clientID string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: g.url + "/token",
		Scopes: []string{"write"}, AuthStyle: oauth2.AuthStyleInHeader, EndpointParams: map[string][]string{"resource": {resource}},
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}
