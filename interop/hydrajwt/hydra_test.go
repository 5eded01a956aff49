package hydrajwt_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

func (h *hydra) authenticator(t *testing.T, described ...oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	if described == nil {
		described = []oidcauth.Issuer{
			issuers.OryHydra(h.url, audience), issuers.OryHydraService(h.url, audience, "importer"),
			{URL: h.url, Name: "id", Audiences: []string{"app"}},
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

func TestHydra(t *testing.T) {
	h := start(t)
	tried.SetVersion(version(t))
	tried.Published(t, h.url, h.url+"/.well-known/openid-configuration")
	t.Run("tokens", h.tokens)
	t.Run("logout", h.logout)
	t.Run("rotation", h.rotation) // the last one: it withdraws a key
}

func (h *hydra) tokens(t *testing.T) {
	auth := h.authenticator(t)
	person := h.signIn(t, browser.New())
	idToken := browser.IDToken(t, person)
	caller := tried.Accepts(t, trial.AccessToken, auth, person.AccessToken)
	signedIn := tried.Accepts(t, trial.IDToken, auth, idToken)
	service := tried.Accepts(t, trial.ServiceToken, auth, h.service(t, "importer", audience))
	if caller.Subject() != "alice" || caller.Identity() != signedIn.Identity() || service.Subject() != "client:importer" || !caller.HasScope("read") {
		t.Errorf("subjects %q, %q by the ID token, and %q of the service", caller.Subject(), signedIn.Subject(), service.Subject())
	}
	access := issuers.OryHydra(h.url, audience)
	access.Audiences = append(access.Audiences, "app")
	tried.Refuses(t, h.authenticator(t, access), []trial.Refusal{
		{Name: "access token", Token: person.AccessToken},
		{Name: "ID token of the same sign-in", Token: idToken, Want: oidcauth.ErrRule},
		{Name: "access token of a client that took the person's name", Token: h.service(t, "alice", audience), Want: oidcauth.ErrRule},
		{Name: "access token for another server", Token: h.service(t, "importer", "https://other.example.com"), Want: oidcauth.ErrAudience},
		{Name: "access token for nobody", Token: h.service(t, "importer", ""), Want: oidcauth.ErrAudience},
		{Name: "signature with another character", Token: trial.Tampered(person.AccessToken), Want: oidcauth.ErrSignature},
	})
}

// logout has a person sign out of one of two sign-ins. Hydra's logout tokens name the
// sign-in alone, and have no expiry; the consent page put it into the access token.
func (h *hydra) logout(t *testing.T) {
	auth := h.authenticator(t)
	person := browser.New()
	ended, kept := h.signIn(t, person), h.signIn(t, browser.New())
	claims, err := auth.Authenticate(t.Context(), ended.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	live := auth.NewSession(t.Context(), claims)
	person.Open(t, h.url+"/oauth2/sessions/logout?id_token_hint="+browser.IDToken(t, ended)+"&post_logout_redirect_uri="+url.QueryEscape(browser.Callback))
	trial.EndsByLogout(t, auth, live, h.told)
	if _, err := auth.Authenticate(t.Context(), ended.AccessToken); !errors.Is(err, oidcauth.ErrRevoked) {
		t.Errorf("token of the sign-in that ended: Authenticate() error = %v, want %v", err, oidcauth.ErrRevoked)
	}
	if _, err := auth.Authenticate(t.Context(), kept.AccessToken); err != nil {
		t.Errorf("token of the other sign-in: Authenticate() error = %v", err)
	}
	tried.Saw(t, trial.Logout, "ends the sign-in by sid")
}

// rotation adds a key of another algorithm, which signs at once, and deletes the others.
func (h *hydra) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := h.authenticator(t)
	before := h.service(t, "importer", audience)
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	const set = "hydra.jwt.access-token"
	old := h.keys(t, set)
	h.ask(t, http.MethodPost, "/keys/"+set, object{"alg": "ES256", "kid": "rotated", "use": "sig"}, nil)
	after := h.service(t, "importer", audience)
	for name, token := range map[string]string{"old": before, "new": after} {
		claims, err := auth.Authenticate(t.Context(), token)
		if err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		} else if (name == "new") == slices.Contains(old, claims.KeyID()) {
			t.Errorf("token of the %s key: signed by %q", name, claims.KeyID())
		}
	}
	for _, id := range old {
		h.ask(t, http.MethodDelete, "/keys/"+set+"/"+id, nil, nil)
	}
	fresh := h.authenticator(t)
	if _, err := fresh.Authenticate(t.Context(), before); !errors.Is(err, oidcauth.ErrUnknownKey) {
		t.Errorf("token of the deleted key: Authenticate() error = %v, want %v", err, oidcauth.ErrUnknownKey)
	}
	if _, err := fresh.Authenticate(t.Context(), after); err != nil {
		t.Errorf("token of the new key: Authenticate() error = %v", err)
	}
}

// keys returns the IDs of a set's keys.
func (h *hydra) keys(t *testing.T, set string) []string {
	t.Helper()
	var answer struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	h.ask(t, http.MethodGet, "/keys/"+set, nil, &answer)
	var ids []string
	for _, k := range answer.Keys {
		ids = append(ids, k.ID)
	}
	return ids
}
