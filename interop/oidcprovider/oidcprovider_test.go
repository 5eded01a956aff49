package oidcprovider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

var tried = trial.New("oidcprovider", "oidc-provider", version())

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.OIDCProvider))) }

func version() string {
	var installed struct{ Version string }
	text, _ := os.ReadFile(filepath.Join("node_modules", "oidc-provider", "package.json"))
	json.Unmarshal(text, &installed)
	return installed.Version
}

// provider is one that ends with the test.
type provider struct {
	url  string
	told chan string // logout tokens
}

func start(t *testing.T) provider {
	t.Helper()
	node, err := programs.OIDCProviderNode()
	if err != nil {
		t.Fatal(err)
	}
	port := server.NewPort(t)
	p := provider{url: "http://127.0.0.1:" + port, told: make(chan string, 10)}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.told <- r.PostFormValue("logout_token")
	}))
	t.Cleanup(endpoint.Close)
	here, err := filepath.Abs("server.mjs")
	if err != nil {
		t.Fatal(err)
	}
	server.Run(t, server.Command{
		Name: "oidc-provider", Dir: t.TempDir(), Ready: p.url + "/jwks",
		Args: []string{node, here, port, browser.Callback, endpoint.URL},
	})
	return p
}

// authenticator returns one that has the descriptions given, or those of access tokens
// of people and of services.
func (p provider) authenticator(t *testing.T, described ...oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	if described == nil {
		described = []oidcauth.Issuer{issuers.RFC9068(p.url, "my-db", "app"), issuers.RFC9068Service(p.url, "my-db", "importer")}
	}
	for n := range described {
		described[n].Audiences = []string{"my-db", "app"} // so that the type alone keeps ID tokens out
		described[n].LogoutAudiences = []string{"app"}
		described[n].Keys.InsecureHTTP = true
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: described})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

// signIn has a person of any name sign in.
func (p provider) signIn(t *testing.T, b *browser.Browser, name string) *oauth2.Token {
	t.Helper()
	app := oauth2.Config{
		ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"openid", "read"},
		Endpoint: oauth2.Endpoint{AuthURL: p.url + "/auth", TokenURL: p.url + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	return b.SignIn(t, app, func(b *browser.Browser) {
		b.Submit(t, url.Values{"login": {name}, "password": {"any"}})
		b.Submit(t, nil) // consent
	})
}

func (p provider) service(t *testing.T, clientID string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: p.url + "/token",
		Scopes: []string{"write"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// keys changes the provider's keys.
func (p provider) keys(t *testing.T, method string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, p.url+"/test/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || string(text) != "ok" {
		t.Fatalf("%s keys: %q, %v", method, text, err)
	}
}

func TestOIDCProvider(t *testing.T) {
	p := start(t)
	t.Run("published", func(t *testing.T) {
		tried.Published(t, p.url, p.url+"/.well-known/openid-configuration")
	})
	t.Run("tokens", p.tokens)
	t.Run("logout", p.logout)
	t.Run("metadata", p.metadata)
	t.Run("rotation", p.rotation) // the last one: it withdraws a key
}

func (p provider) tokens(t *testing.T) {
	auth := p.authenticator(t)
	person := p.signIn(t, browser.New(), "alice")
	idToken := browser.IDToken(t, person)
	caller := tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	service := tried.Accepts(t, trial.ServiceToken, auth, p.service(t, "importer"))
	if caller.Subject() != "alice" || service.Subject() != "client:importer" {
		t.Errorf("subjects %q and %q", caller.Subject(), service.Subject())
	}
	ids := p.authenticator(t, oidcauth.Issuer{URL: p.url})
	if signedIn := tried.Accepts(t, trial.IDToken, ids, idToken); signedIn.Identity() != caller.Identity() {
		t.Error("the ID token is another caller's")
	}
	tried.Refuses(t, auth, []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "ID token of the same sign-in", Token: idToken, Want: oidcauth.ErrTokenType},
		{Name: "access token of a client that took the person's name", Token: p.service(t, "alice"), Want: oidcauth.ErrRule},
		{Name: "access token for another server", Token: p.service(t, "elsewhere"), Want: oidcauth.ErrAudience},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
	if _, err := ids.Authenticate(t.Context(), person.AccessToken); !errors.Is(err, oidcauth.ErrTokenType) {
		t.Errorf("access token where ID tokens are sent: Authenticate() error = %v, want %v", err, oidcauth.ErrTokenType)
	}
}

// logout has a person sign out: the provider tells of it by subject and sign-in.
func (p provider) logout(t *testing.T) {
	auth := p.authenticator(t)
	person, other := browser.New(), browser.New()
	ended, kept := p.signIn(t, person, "alice"), p.signIn(t, other, "bob")
	claims, err := auth.Authenticate(t.Context(), ended.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	live := auth.NewSession(t.Context(), claims)
	person.Open(t, p.url+"/session/end?id_token_hint="+browser.IDToken(t, ended))
	person.Submit(t, url.Values{"logout": {"yes"}})
	trial.EndsByLogout(t, auth, live, p.told)
	if _, err := auth.Authenticate(t.Context(), ended.AccessToken); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("token of who signed out: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if _, err := auth.Authenticate(t.Context(), kept.AccessToken); err != nil {
		t.Errorf("another person's token: Authenticate() error = %v", err)
	}
	tried.Saw(t, trial.Logout, "ends the person by sub")
}

func (p provider) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := p.authenticator(t)
	before := p.service(t, "importer")
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	p.keys(t, http.MethodPost)
	after := p.service(t, "importer")
	for name, token := range map[string]string{"old": before, "new": after} {
		if _, err := auth.Authenticate(t.Context(), token); err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		}
	}
	p.keys(t, http.MethodDelete)
	fresh := p.authenticator(t)
	for _, row := range []struct {
		name, token string
		want        error
	}{{"new", after, nil}, {"withdrawn", before, oidcauth.ErrUnknownKey}} {
		if _, err := fresh.Authenticate(t.Context(), row.token); !errors.Is(err, row.want) {
			t.Error(fmt.Errorf("token of the %s key: Authenticate() error = %w, want %v", row.name, err, row.want))
		}
	}
}
