package djangoid_test

import (
	"errors"
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

var tried = trial.New("django-oauth-toolkit", "django-oauth-toolkit", "")

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.MainWhole(m, programs.DjangoOAuth))) }

// provider is the address of one that ends with the test.
type provider string

func (p provider) issuer() string { return string(p) + "/o" }

func start(t *testing.T) provider {
	t.Helper()
	python, err := programs.DjangoOAuthPython()
	if err != nil {
		t.Fatal(err)
	}
	port := server.NewPort(t)
	script, err := filepath.Abs(filepath.Join("testdata", "provider.py"))
	if err != nil {
		t.Fatal(err)
	}
	dir, address := t.TempDir(), "http://127.0.0.1:"+port
	server.Run(t, server.Command{
		Name: "django-oauth-toolkit", Dir: dir, Ready: address + "/test/version", Args: []string{python, script, port, dir},
	})
	p := provider(address)
	tried.SetVersion(p.tell(t, "/test/version"))
	return p
}

// tell opens one of the pages that are there for the tests.
func (p provider) tell(t *testing.T, path string) string {
	t.Helper()
	b := browser.New()
	b.Open(t, string(p)+path)
	return b.Page
}

func secret(clientID string) string {
	return "secret of " + clientID + ", longer than the toolkit's keys"
}

// signIn has alice sign in.
func (p provider) signIn(t *testing.T, clientID string) *oauth2.Token {
	t.Helper()
	b := browser.New()
	b.Open(t, string(p)+"/test/login/alice")
	app := oauth2.Config{
		ClientID: clientID, ClientSecret: secret(clientID), Scopes: []string{"openid", "read"},
		Endpoint: oauth2.Endpoint{AuthURL: p.issuer() + "/authorize/", TokenURL: p.issuer() + "/token/", AuthStyle: oauth2.AuthStyleInHeader},
	}
	return b.SignIn(t, app, func(b *browser.Browser) { t.Fatalf("the server wants more of the person: %s", b.At) })
}

func (p provider) authenticator(t *testing.T) *oidcauth.Authenticator {
	t.Helper()
	issuer := issuers.DjangoOAuthToolkit(p.issuer(), "web", "mac")
	issuer.Keys.InsecureHTTP = true
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

func TestDjango(t *testing.T) {
	p := start(t)
	tried.Published(t, p.issuer(), p.issuer()+"/.well-known/openid-configuration")
	tried.Saw(t, trial.Logout, "none")
	t.Run("tokens", p.tokens)
	t.Run("rotation", p.rotation) // the last one: it withdraws a key
}

func (p provider) tokens(t *testing.T) {
	auth := p.authenticator(t)
	person := p.signIn(t, "web")
	idToken := browser.IDToken(t, person)
	if claims := tried.Accepts(t, trial.IDToken, auth, idToken); claims.Subject() != "1" {
		t.Errorf("Subject() = %q, want the number of the person's row", claims.Subject())
	}
	tried.Saw(t, trial.AccessToken, "opaque")
	tried.Saw(t, trial.ServiceToken, "opaque")
	job := clientcredentials.Config{
		ClientID: "job", ClientSecret: secret("job"), TokenURL: p.issuer() + "/token/", Scopes: []string{"read"}, AuthStyle: oauth2.AuthStyleInHeader,
	}
	service, err := job.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tried.Refuses(t, auth, []trial.Refusal{
		{Name: "ID token", Token: idToken},
		{Name: "access token of the same sign-in, which is opaque", Token: person.AccessToken, Want: oidcauth.ErrMalformedToken},
		{Name: "access token of a service, which is opaque", Token: service.AccessToken, Want: oidcauth.ErrMalformedToken},
		{Name: "ID token for another application", Token: browser.IDToken(t, p.signIn(t, "other")), Want: oidcauth.ErrAudience},
		{Name: "ID token with a MAC", Token: browser.IDToken(t, p.signIn(t, "mac")), Want: oidcauth.ErrAlgorithm},
		{Name: "signature with another character", Token: trial.Tampered(idToken), Want: oidcauth.ErrSignature},
	})
}

func (p provider) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := p.authenticator(t)
	before := browser.IDToken(t, p.signIn(t, "web"))
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	p.tell(t, "/test/rotate")
	after := browser.IDToken(t, p.signIn(t, "web"))
	for name, token := range map[string]string{"old": before, "new": after} {
		if _, err := auth.Authenticate(t.Context(), token); err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		}
	}
	p.tell(t, "/test/retire")
	fresh := p.authenticator(t)
	if _, err := fresh.Authenticate(t.Context(), before); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the withdrawn key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if _, err := fresh.Authenticate(t.Context(), after); err != nil {
		t.Errorf("token of the new key: Authenticate() error = %v", err)
	}
}
