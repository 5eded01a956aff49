package provider_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
)

// notified is a back-channel logout URI for each client: what arrived at it.
type notified struct {
	url    string
	tokens chan [2]string // client ID and logout token
}

// listen answers logout tokens with a status.
func listen(t *testing.T, status int) *notified {
	t.Helper()
	n := &notified{tokens: make(chan [2]string, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.tokens <- [2]string{r.URL.Path[1:], r.PostFormValue("logout_token")}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	n.url = server.URL
	return n
}

// startWithLogout runs a provider of three apps, which all want to be told.
func startWithLogout(t *testing.T, n *notified) *provider.Provider {
	t.Helper()
	cfg := provider.Config{Users: []provider.User{{Name: "alice", Password: "correct horse"}}}
	for _, id := range []string{"app", "second", "third"} {
		cfg.Clients = append(cfg.Clients, provider.Client{
			ID: id, RedirectURIs: []string{"http://127.0.0.1/callback"}, BackChannelLogoutURI: n.url + "/" + id,
		})
	}
	p, err := provider.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func visit(t *testing.T, p *provider.Provider, browser *signin.Browser, clientID string) *signin.Tokens {
	t.Helper()
	flow := signin.Flow{Issuer: p.Issuer(), ClientID: clientID, Scopes: []string{"offline_access"}}
	tokens, err := flow.Run(t.Context(), browser)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// endSession returns the status of the page that it ends with.
func endSession(t *testing.T, p *provider.Provider, hint string) int {
	t.Helper()
	response, err := http.Get(p.Issuer() + "/end_session?" + url.Values{"id_token_hint": {hint}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// TestEndSession_TellsClients signs Alice in with two browsers and out of one:
// the clients that she came to with it are told, by a token that says so.
func TestEndSession_TellsClients(t *testing.T) {
	t.Parallel()
	n := listen(t, http.StatusOK)
	p := startWithLogout(t, n)
	browser := signin.NewBrowser("alice", "correct horse")
	first, second := visit(t, p, browser, "app"), visit(t, p, browser, "second")
	elsewhere := visit(t, p, signin.NewBrowser("alice", "correct horse"), "third")

	if status := endSession(t, p, first.IDToken); status != http.StatusOK {
		t.Errorf("end of session answered %d, want 200", status)
	}
	close(n.tokens)
	var told []string
	for got := range n.tokens {
		told = append(told, got[0])
		expectLogoutToken(t, p, got, part(t, first.IDToken, 1)["sid"])
	}
	slices.Sort(told)
	if !slices.Equal(told, []string{"app", "second"}) {
		t.Errorf("told %q, want app and second", told)
	}
	var answer *oauth2.RetrieveError
	for _, tokens := range []*signin.Tokens{first, second} {
		if _, err := refresh(t.Context(), tokens.Config, tokens.OAuth.RefreshToken); !errors.As(err, &answer) {
			t.Errorf("refresh after the end of the session: error = %v, want a refusal", err)
		}
	}
	if _, err := refresh(t.Context(), elsewhere.Config, elsewhere.OAuth.RefreshToken); err != nil {
		t.Errorf("refresh in another session: %v", err)
	}
}

// expectLogoutToken has go-oidc verify a client's logout token.
func expectLogoutToken(t *testing.T, p *provider.Provider, got [2]string, sessionID any) {
	t.Helper()
	clientID, token := got[0], got[1]
	issuer, err := oidc.NewProvider(t.Context(), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	logout, err := issuer.Verifier(&oidc.Config{ClientID: clientID}).VerifyLogout(t.Context(), token)
	if err != nil {
		t.Fatalf("%s: logout token: %v", clientID, err)
	}
	if logout.SessionID != sessionID || logout.Subject != "alice" || logout.TokenID == "" {
		t.Errorf("%s: session, subject, ID = %q, %q, %q, want %q, alice and one", clientID, logout.SessionID, logout.Subject, logout.TokenID, sessionID)
	}
	if typ := part(t, token, 0)["typ"]; typ != "logout+jwt" {
		t.Errorf("%s: type = %v, want logout+jwt", clientID, typ)
	}
}

// TestEndSession_ClientCannotBeTold signs out all the same, and says so.
func TestEndSession_ClientCannotBeTold(t *testing.T) {
	t.Parallel()
	n := listen(t, http.StatusServiceUnavailable)
	p := startWithLogout(t, n)
	tokens := visit(t, p, signin.NewBrowser("alice", "correct horse"), "app")
	if status := endSession(t, p, tokens.IDToken); status == http.StatusOK {
		t.Error("end of session answered 200, want an error")
	}
	var answer *oauth2.RetrieveError
	if _, err := refresh(t.Context(), tokens.Config, tokens.OAuth.RefreshToken); !errors.As(err, &answer) {
		t.Errorf("refresh after the end of the session: error = %v, want a refusal", err)
	}
}
