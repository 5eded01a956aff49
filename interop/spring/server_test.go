package spring_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var tried = trial.New("spring", "Spring Authorization Server", "")

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.Spring))) }

// clients are those of the server, in the words of Spring Boot's properties.
const clients = `
spring.security.user.name: alice
spring.security.user.password: alice-password
spring.security.user.roles: player
spring.security.oauth2.authorizationserver:
  issuer: %s
  client:
    app:
      registration:
        client-id: app
        client-secret: "{noop}app-secret"
        client-authentication-methods: client_secret_basic
        authorization-grant-types: [authorization_code, refresh_token]
        redirect-uris: %s
        scopes: [openid, profile]
    post:
      registration:
        client-id: post
        client-secret: "{noop}post-secret"
        client-authentication-methods: client_secret_post
        authorization-grant-types: client_credentials
        scopes: write
    importer:
      registration:
        client-id: importer
        client-secret: "{noop}importer-secret"
        client-authentication-methods: client_secret_basic
        authorization-grant-types: client_credentials
        scopes: write
    alice:
      registration:
        client-id: alice
        client-secret: "{noop}alice-secret"
        client-authentication-methods: client_secret_basic
        authorization-grant-types: client_credentials
        scopes: write
`

// issuer is the URL of a server that ends with the test.
type issuer string

func start(t *testing.T) issuer {
	t.Helper()
	home, err := programs.SpringHome()
	if err != nil {
		t.Fatal(err)
	}
	port := server.NewPort(t)
	dir, address := t.TempDir(), "http://127.0.0.1:"+port
	settings := filepath.Join(dir, "application.yaml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, clients, address, browser.Callback), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Run(t, server.Command{
		Name: "Spring Authorization Server", Dir: dir, Ready: address + "/test/version",
		Args: []string{programs.Java(), "-XX:TieredStopAtLevel=1", "-Xmx256m", "-jar", filepath.Join(home, "issuer.jar"),
			"--server.address=127.0.0.1", "--server.port=" + port, "--spring.main.banner-mode=off"},
	})
	i := issuer(address)
	tried.SetVersion(i.tell(t, http.MethodGet, "/test/version"))
	return i
}

// tell asks the application for something that Spring itself has no page for.
func (i issuer) tell(t *testing.T, method, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, string(i)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
	}
	return string(text)
}

// alice has a person sign in with the scopes given.
func (i issuer) alice(t *testing.T, scopes ...string) *oauth2.Token {
	t.Helper()
	app := oauth2.Config{
		ClientID: "app", ClientSecret: "app-secret", Scopes: scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL: string(i) + "/oauth2/authorize", TokenURL: string(i) + "/oauth2/token",
			AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	return browser.New().SignIn(t, app, func(b *browser.Browser) {
		b.Submit(t, url.Values{"username": {"alice"}, "password": {"alice-password"}})
	})
}

// service gets the access token of a client's own.
func (i issuer) service(t *testing.T, clientID string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: string(i) + "/oauth2/token",
		Scopes: []string{"write"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}
