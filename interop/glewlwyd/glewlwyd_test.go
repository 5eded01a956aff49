package glewlwyd_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

func (g *glewlwyd) authenticator(t *testing.T, described ...oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	if described == nil {
		described = []oidcauth.Issuer{
			issuers.RFC9068(g.url, resource, "app"), issuers.RFC9068Service(g.url, resource, "importer"),
			{URL: g.url, Name: "id", Audiences: []string{"app"}},
		}
	}
	for n := range described {
		described[n].Keys.InsecureHTTP = true
		described[n].LogoutAudiences = []string{"app"}
	}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: described})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

func TestGlewlwyd(t *testing.T) {
	g := start(t)
	t.Run("published", func(t *testing.T) {
		tried.Published(t, g.url, g.url+"/.well-known/openid-configuration")
	})
	t.Run("tokens", g.tokens)
	t.Run("logout", g.logout)
	t.Run("rotation", g.rotation) // the last one: it withdraws a key
}

func (g *glewlwyd) tokens(t *testing.T) {
	auth := g.authenticator(t)
	person := g.signIn(t, browser.New(), resource)
	idToken := browser.IDToken(t, person)
	caller := tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	signedIn := tried.Accepts(t, trial.IDToken, auth, idToken)
	service := tried.Accepts(t, trial.ServiceToken, auth, g.service(t, "importer"))
	if caller.Identity() != signedIn.Identity() || !caller.HasScope("read") || service.Subject() != "client:importer" {
		t.Errorf("subjects %q, %q by the ID token, and %q of the service", caller.Subject(), signedIn.Subject(), service.Subject())
	}
	// Where a client asks for no resource, the list of scopes is the audience.
	plain := g.signIn(t, browser.New(), "").AccessToken
	scopes := g.authenticator(t, issuers.RFC9068(g.url, "openid read", "app"))
	if _, err := scopes.Authenticate(t.Context(), plain); err != nil {
		t.Errorf("audience of scopes: Authenticate() error = %v", err)
	}
	access := issuers.RFC9068(g.url, resource, "app")
	access.Audiences = append(access.Audiences, "app")
	tried.Refuses(t, g.authenticator(t, access), []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "access token for no resource", Token: plain, Want: oidcauth.ErrAudience},
		{Name: "ID token of the same sign-in", Token: idToken, Want: oidcauth.ErrTokenType},
		{Name: "access token of a client that took the person's name", Token: g.service(t, "alice"), Want: oidcauth.ErrRule},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
}

// logout ends the session that a person signed in with: the server tells of it by
// subject.
func (g *glewlwyd) logout(t *testing.T) {
	auth := g.authenticator(t)
	person := browser.New()
	token := g.signIn(t, person, resource)
	claims, err := auth.Authenticate(t.Context(), token.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	signedIn, err := auth.Authenticate(t.Context(), browser.IDToken(t, token))
	if err != nil {
		t.Fatal(err)
	}
	live := auth.NewSession(t.Context(), claims)
	g.ask(t, person, http.MethodDelete, "/api/oidc/session/"+url.PathEscape(signedIn.SessionID())+"/", nil)
	trial.EndsByLogout(t, auth, live, g.told)
	if _, err := auth.Authenticate(t.Context(), token.AccessToken); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("token of who signed out: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if _, err := auth.Authenticate(t.Context(), g.service(t, "importer")); err != nil {
		t.Errorf("a service's token: Authenticate() error = %v", err)
	}
	tried.Saw(t, trial.Logout, "ends the person by sub")
}

func (g *glewlwyd) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := g.authenticator(t)
	before := g.service(t, "importer")
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	g.addKey(t)
	g.reload(t)
	after := g.service(t, "importer")
	for name, token := range map[string]string{"old": before, "new": after} {
		if _, err := auth.Authenticate(t.Context(), token); err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		}
	}
	g.keys = g.keys[:1]
	g.reload(t)
	fresh := g.authenticator(t)
	if _, err := fresh.Authenticate(t.Context(), before); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the withdrawn key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if _, err := fresh.Authenticate(t.Context(), after); err != nil {
		t.Errorf("token of the new key: Authenticate() error = %v", err)
	}
}
