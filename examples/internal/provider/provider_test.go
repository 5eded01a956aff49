package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/examples/internal/signin"
	"github.com/oidcauth/oidcauth/internal/said"
)

// audience is whom the test's tokens are for.
const audience = "messages"

// start runs a provider that knows one app, one service of each kind of access
// token, and Alice.
func start(t *testing.T) *provider.Provider {
	t.Helper()
	said.Secret("password", "correct horse")
	said.Secret("client's secret", "service-secret")
	p, err := provider.Start(t.Context(), provider.Config{
		Clients: []provider.Client{
			{ID: "app", RedirectURIs: []string{"http://127.0.0.1/callback"}, Audiences: []string{audience}},
			{ID: "service", Secret: "service-secret", Audiences: []string{audience}, Roles: []string{"reader"}},
			{ID: "rfc9068", Secret: "service-secret", Audiences: []string{audience}, RFC9068: true},
			{ID: "elsewhere", Secret: "service-secret", Audiences: []string{"billing"}},
		},
		Users: []provider.User{{Name: "alice", Password: "correct horse", Email: "alice@example.com", Roles: []string{"writer"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func signIn(t *testing.T, p *provider.Provider, scopes ...string) *signin.Tokens {
	t.Helper()
	flow := signin.Flow{Issuer: p.Issuer(), ClientID: "app", Scopes: scopes}
	tokens, err := flow.Run(t.Context(), signin.NewBrowser("alice", "correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if tokens.OAuth.RefreshToken != "" {
		said.Secret("refresh token", tokens.OAuth.RefreshToken)
	}
	return tokens
}

func serviceToken(ctx context.Context, p *provider.Provider, clientID, secret string) (string, error) {
	config := clientcredentials.Config{ClientID: clientID, ClientSecret: secret, TokenURL: p.TokenURL()}
	token, err := config.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// part decodes one part of a token, unverified.
func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	members := make(map[string]any)
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	p := start(t)
	tokens := signIn(t, p, "email", "offline_access")
	if tokens.Subject != "alice" {
		t.Errorf("subject = %q, want %q", tokens.Subject, "alice")
	}
	for name, token := range map[string]string{"ID token": tokens.IDToken, "access token": tokens.OAuth.AccessToken} {
		claims := part(t, token, 1)
		if claims["iss"] != p.Issuer() || claims["sub"] != "alice" || claims["sid"] == nil {
			t.Errorf("%s: issuer, subject, session = %v, %v, %v", name, claims["iss"], claims["sub"], claims["sid"])
		}
		if roles, _ := claims["roles"].([]any); len(roles) != 1 || roles[0] != "writer" {
			t.Errorf("%s: roles = %v, want [writer]", name, claims["roles"])
		}
		if kind := part(t, token, 0)["typ"]; kind != "JWT" {
			t.Errorf("%s: type = %v, want JWT", name, kind)
		}
	}
	if email := part(t, tokens.IDToken, 1)["email"]; email != "alice@example.com" {
		t.Errorf("ID token: email = %v, want alice@example.com", email)
	}
}

func TestCodeFlow_SecondClientNeedsNoPassword(t *testing.T) {
	t.Parallel()
	p := start(t)
	flow := signin.Flow{Issuer: p.Issuer(), ClientID: "app"}
	browser := signin.NewBrowser("alice", "correct horse")
	first, err := flow.Run(t.Context(), browser)
	if err != nil {
		t.Fatal(err)
	}
	second, err := flow.Run(t.Context(), browser)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := part(t, first.IDToken, 1)["sid"], part(t, second.IDToken, 1)["sid"]; a != b {
		t.Errorf("sessions differ: %v and %v, want one login", a, b)
	}
}

func TestCodeFlow_WrongPassword(t *testing.T) {
	t.Parallel()
	p := start(t)
	flow := signin.Flow{Issuer: p.Issuer(), ClientID: "app"}
	if _, err := flow.Run(t.Context(), signin.NewBrowser("alice", "wrong")); err == nil {
		t.Error("Run() with a wrong password succeeded")
	}
	if _, err := flow.Run(t.Context(), signin.NewBrowser("alice", "correct horse")); err != nil {
		t.Errorf("Run() with the right password: %v", err)
	}
}

// TestCode_SpentAtFirstUse offers a code with a wrong proof first: it must not
// be good any more for whoever comes with the right one.
func TestCode_SpentAtFirstUse(t *testing.T) {
	t.Parallel()
	p := start(t)
	codes := make(chan string, 1)
	callback := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		said.Secret("authorization code", r.FormValue("code"))
		codes <- r.FormValue("code")
	}))
	t.Cleanup(callback.Close)
	config := &oauth2.Config{
		ClientID:    "app",
		Endpoint:    oauth2.Endpoint{AuthURL: p.Issuer() + "/authorize", TokenURL: p.TokenURL()},
		RedirectURL: callback.URL + "/callback",
		Scopes:      []string{oidc.ScopeOpenID},
	}
	verifier := oauth2.GenerateVerifier()
	browser := signin.NewBrowser("alice", "correct horse")
	newCode := func() string {
		t.Helper()
		if err := browser.Open(t.Context(), config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))); err != nil {
			t.Fatal(err)
		}
		return <-codes
	}
	exchange := func(code, verifier string) error {
		_, err := config.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
		return err
	}

	code := newCode()
	if err := exchange(code, verifier); err != nil {
		t.Errorf("right proof: %v", err)
	}
	code = newCode()
	var answer *oauth2.RetrieveError
	if err := exchange(code, oauth2.GenerateVerifier()); !errors.As(err, &answer) {
		t.Errorf("wrong proof: error = %v, want a refusal", err)
	}
	if err := exchange(code, verifier); !errors.As(err, &answer) {
		t.Errorf("right proof, code spent: error = %v, want a refusal", err)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	p := start(t)
	tokens := signIn(t, p, "offline_access")
	spent := tokens.OAuth.RefreshToken
	fresh, err := refresh(t.Context(), tokens.Config, spent)
	if err != nil {
		t.Fatal(err)
	}
	if part(t, fresh.AccessToken, 1)["sid"] != part(t, tokens.IDToken, 1)["sid"] {
		t.Error("refreshed token belongs to another session")
	}
	var answer *oauth2.RetrieveError
	if _, err := refresh(t.Context(), tokens.Config, spent); !errors.As(err, &answer) || answer.ErrorCode != "invalid_grant" {
		t.Errorf("second use of a refresh token: error = %v, want invalid_grant", err)
	}
	if _, err := refresh(t.Context(), tokens.Config, fresh.RefreshToken); err != nil {
		t.Errorf("use of the new refresh token: %v", err)
	}
}

func refresh(ctx context.Context, config *oauth2.Config, token string) (*oauth2.Token, error) {
	return config.TokenSource(ctx, &oauth2.Token{RefreshToken: token}).Token()
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	p := start(t)
	tokens := signIn(t, p, "offline_access")
	response, err := http.Get(p.Issuer() + "/end_session?" + url.Values{"id_token_hint": {tokens.IDToken}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Request.URL.Path != "/signed-out" {
		t.Errorf("end of session answered %d at %s, want 200 at /signed-out", response.StatusCode, response.Request.URL.Path)
	}
	var answer *oauth2.RetrieveError
	if _, err := refresh(t.Context(), tokens.Config, tokens.OAuth.RefreshToken); !errors.As(err, &answer) {
		t.Errorf("refresh after the end of the session: error = %v, want a refusal", err)
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	p := start(t)
	token, err := serviceToken(t.Context(), p, "service", "service-secret")
	if err != nil {
		t.Fatal(err)
	}
	if claims := part(t, token, 1); claims["sub"] != "service" || claims["sid"] != nil {
		t.Errorf("subject, session = %v, %v, want service, none", claims["sub"], claims["sid"])
	}
	token, err = serviceToken(t.Context(), p, "rfc9068", "service-secret")
	if err != nil {
		t.Fatal(err)
	}
	if kind := part(t, token, 0)["typ"]; kind != "at+jwt" {
		t.Errorf("type = %v, want at+jwt", kind)
	}
	var answer *oauth2.RetrieveError
	if _, err := serviceToken(t.Context(), p, "service", "wrong"); !errors.As(err, &answer) || answer.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong secret: error = %v, want status 401", err)
	}
}

func TestRotateAndWithdraw(t *testing.T) {
	t.Parallel()
	p := start(t)
	verify := func(token string) error {
		issuer, err := oidc.NewProvider(t.Context(), p.Issuer())
		if err != nil {
			return err
		}
		_, err = issuer.Verifier(&oidc.Config{ClientID: "app"}).Verify(t.Context(), token)
		return err
	}
	before, err := p.IDToken(t.Context(), "app", "alice")
	if err != nil {
		t.Fatal(err)
	}
	keyID, err := p.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	after, err := p.IDToken(t.Context(), "app", "alice")
	if err != nil {
		t.Fatal(err)
	}
	if got := part(t, after, 0)["kid"]; got != keyID {
		t.Errorf("key ID after Rotate() = %v, want %v", got, keyID)
	}
	if err := errors.Join(verify(before), verify(after)); err != nil {
		t.Errorf("tokens around Rotate(): %v", err)
	}
	p.Withdraw()
	if err := verify(before); err == nil {
		t.Error("token of a withdrawn key is still good")
	}
	if err := verify(after); err != nil {
		t.Errorf("token of the key in use, after Withdraw(): %v", err)
	}
}

func TestStopAndResume(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Stop()
	if _, err := serviceToken(t.Context(), p, "service", "service-secret"); err == nil {
		t.Error("a stopped provider issued a token")
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := serviceToken(t.Context(), p, "service", "service-secret"); err != nil {
		t.Errorf("after Resume(): %v", err)
	}
}

// TestResume_AddressTaken: whoever had the provider's address meanwhile, for a connection
// of theirs for instance, holds it up and no more.
func TestResume_AddressTaken(t *testing.T) {
	t.Parallel()
	p := start(t)
	address := strings.TrimPrefix(p.Issuer(), "http://")
	p.Stop()
	if taken, err := net.Listen("tcp", address); err == nil { // else somebody else has it
		time.AfterFunc(100*time.Millisecond, func() { taken.Close() })
	}
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	if _, err := serviceToken(t.Context(), p, "service", "service-secret"); err != nil {
		t.Errorf("after Resume(): %v", err)
	}
}

func TestStart_Refuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]provider.Config{
		"algorithm without keys here": {Algorithm: jose.HS256},
		"client without ID":           {Clients: []provider.Client{{}}},
		"client ID twice":             {Clients: []provider.Client{{ID: "a"}, {ID: "a"}}},
		"user without password":       {Users: []provider.User{{Name: "alice"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := provider.Start(t.Context(), cfg); err == nil {
				p.Stop()
				t.Error("Start() accepted it")
			}
		})
	}
}
