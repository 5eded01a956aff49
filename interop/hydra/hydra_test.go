package hydra_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/opaque"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/introspect"
)

const (
	callback = "http://127.0.0.1:1/callback"
	audience = "https://notes.example.com"
	prefix   = "ory_at_"
)

func TestMain(m *testing.M) { os.Exit(programs.Main(m, programs.Hydra)) }

// A hydra is one that runs.
type hydra struct {
	t             *testing.T
	public, admin string
	web, job      client
}

// A client is one that is registered there.
type client struct{ ID, Secret string }

// start starts one for this test, with two clients.
func start(t *testing.T) hydra {
	t.Helper()
	command, err := programs.HydraCommand()
	if err != nil {
		t.Fatal(err)
	}
	public, admin, dir := server.NewPort(t), server.NewPort(t), t.TempDir()
	h := hydra{t: t, public: "http://127.0.0.1:" + public, admin: "http://127.0.0.1:" + admin}
	config, err := json.Marshal(map[string]any{
		"dsn": "memory",
		"serve": map[string]any{
			"public":  map[string]any{"host": "127.0.0.1", "port": json.Number(public)},
			"admin":   map[string]any{"host": "127.0.0.1", "port": json.Number(admin)},
			"cookies": map[string]any{"same_site_mode": "Lax"},
		},
		"urls": map[string]any{
			"self":  map[string]any{"issuer": h.public},
			"login": h.public + "/none/login", "consent": h.public + "/none/consent", "logout": h.public + "/none/logout",
			"post_logout_redirect": callback,
		},
		"secrets":    map[string]any{"system": []string{"secret of the tests, long enough"}},
		"strategies": map[string]any{"access_token": "opaque"},
		"log":        map[string]any{"level": "warn"},
		"sqa":        map[string]any{"opt_out": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "hydra.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	// The first request for the keys has them made, which may take long.
	opaque.Start(t, "hydra", h.public+"/.well-known/jwks.json", command, "serve", "all", "--dev", "--config", file)
	h.web = h.register(map[string]any{
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"redirect_uris": []string{callback}, "post_logout_redirect_uris": []string{callback},
	})
	h.job = h.register(map[string]any{"grant_types": []string{"client_credentials"}})
	return h
}

func (h hydra) register(c map[string]any) client {
	h.t.Helper()
	c["scope"], c["audience"], c["token_endpoint_auth_method"] = "openid offline notes", []string{audience}, "client_secret_basic"
	var got struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	h.call(http.MethodPost, h.admin+"/admin/clients", c, &got, http.StatusCreated)
	return client{got.ID, got.Secret}
}

// call sends JSON to the administrative address.
func (h hydra) call(method, address string, body, into any, want int) {
	h.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		h.t.Fatalf("%s %s: status %d, want %d", method, address, response.StatusCode, want)
	}
	if into != nil {
		if err := json.NewDecoder(response.Body).Decode(into); err != nil {
			h.t.Fatal(err)
		}
	}
}

// describe returns the description of its opaque tokens.
func (h hydra) describe() oidcauth.Issuer {
	h.t.Helper()
	ask, err := introspect.New(introspect.Config{Endpoint: h.admin + "/admin/oauth2/introspect", InsecureHTTP: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return oidcauth.Issuer{
		URL: h.public, Audiences: []string{audience}, Keys: oidcauth.KeysFrom{InsecureHTTP: true},
		Introspect: ask, OpaquePrefix: prefix,
	}
}

// Tokens are what an answer of the token endpoint has.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (h hydra) post(c client, path string, form url.Values) (int, tokens) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.public+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	var got tokens
	_ = json.NewDecoder(response.Body).Decode(&got)
	return response.StatusCode, got
}

// authorize has somebody sign in and consent, with a browser of their own.
func (h hydra) authorize(subject string, audiences ...string) tokens {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	to := h.public + "/oauth2/auth?" + url.Values{
		"response_type": {"code"}, "client_id": {h.web.ID}, "redirect_uri": {callback}, "scope": {"openid offline notes"},
		"audience": {strings.Join(audiences, " ")}, "state": {"a state of the tests"},
	}.Encode()
	for range 8 {
		response, err := browser.Get(to)
		if err != nil {
			h.t.Fatal(err)
		}
		response.Body.Close()
		next, err := response.Location()
		if err != nil {
			h.t.Fatalf("%s leads nowhere: status %d", to, response.StatusCode)
		}
		to = next.String()
		switch query := next.Query(); {
		case query.Has("login_challenge"):
			to = h.accept("login", query, map[string]any{"subject": subject})
		case query.Has("consent_challenge"):
			to = h.accept("consent", query, map[string]any{"grant_scope": []string{"openid", "offline", "notes"}, "grant_access_token_audience": audiences})
		case query.Has("code"):
			status, got := h.post(h.web, "/oauth2/token", url.Values{"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "redirect_uri": {callback}})
			if status != http.StatusOK || !strings.HasPrefix(got.Access, prefix) {
				h.t.Fatalf("status %d and no opaque token", status)
			}
			return got
		case query.Has("error"):
			h.t.Fatalf("refused: %s", query)
		}
	}
	h.t.Fatal("the way of signing in does not end")
	return tokens{}
}

// accept accepts what Hydra asks, and returns where that leads.
func (h hydra) accept(what string, query url.Values, body map[string]any) string {
	h.t.Helper()
	var got struct {
		To string `json:"redirect_to"`
	}
	name := what + "_challenge"
	h.call(http.MethodPut, h.admin+"/admin/oauth2/auth/requests/"+what+"/accept?"+url.Values{name: {query.Get(name)}}.Encode(), body, &got, http.StatusOK)
	return got.To
}

// A person's opaque token opens a socket, which is renewed with the next and ends when
// that is revoked at Hydra.
func TestRevoke(t *testing.T) {
	h := start(t)
	auth := opaque.New(t, h.describe())
	server := opaque.Serve(t, auth)
	first := h.authorize("alice", audience)
	claims, err := auth.Authenticate(t.Context(), first.Access)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject() != "alice" || !claims.HasScope("notes") || claims.Issuer() != h.public || time.Until(claims.Expiry()) < 50*time.Minute || claims.IssuedAt().IsZero() {
		t.Errorf("claims %s", claims.Payload())
	}
	socket := opaque.Dial(t, server, first.Access, "alice")
	socket.Lives(first.Access)

	status, next := h.post(h.web, "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})
	if status != http.StatusOK || next.Access == first.Access {
		t.Fatalf("rotation: status %d", status)
	}
	socket.Renew(next.Access)
	socket.Lives(next.Access)
	opaque.Refused(t, server, next.Refresh, http.StatusUnauthorized)
	opaque.Refused(t, server, prefix+"made.up", http.StatusUnauthorized)

	if status, _ := h.post(h.web, "/oauth2/revoke", url.Values{"token": {next.Access}}); status != http.StatusOK {
		t.Fatalf("revocation: status %d", status)
	}
	socket.Ends()
	opaque.Refused(t, server, next.Access, http.StatusUnauthorized)
}

// Whose consent is taken back loses their sockets, and nobody else does.
func TestConsent(t *testing.T) {
	h := start(t)
	server := opaque.Serve(t, opaque.New(t, h.describe()))
	hers, his := h.authorize("alice", audience), h.authorize("bob", audience)
	alice, bob := opaque.Dial(t, server, hers.Access, "alice"), opaque.Dial(t, server, his.Access, "bob")
	h.call(http.MethodDelete, h.admin+"/admin/oauth2/auth/sessions/consent?subject=alice&all=true", nil, nil, http.StatusNoContent)
	alice.Ends()
	bob.Lives(his.Access)
}

// Tokens for another audience, and for none, are refused; so is a refresh token, which
// Hydra calls active, where no prefix keeps it from being asked about. Services' tokens
// and ID tokens, by a description of their own, are accepted.
func TestTokens(t *testing.T) {
	h := start(t)
	wide, jwts := h.describe(), h.describe()
	wide.OpaquePrefix, wide.Name = "", "opaque"
	jwts.Name, jwts.Introspect, jwts.OpaquePrefix, jwts.Audiences = "id", nil, "", []string{h.web.ID}
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{wide, jwts}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	person := h.authorize("alice", audience)
	_, job := h.post(h.job, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"notes"}, "audience": {audience}})
	for _, tt := range []struct {
		name, token, subject string
		want                 error
	}{
		{"a person's", person.Access, "alice", nil},
		{"a service's", job.Access, h.job.ID, nil},
		{"an ID token", person.ID, "alice", nil},
		{"a refresh token", person.Refresh, "", oidcauth.ErrTokenType},
		{"for nobody", h.authorize("alice").Access, "", oidcauth.ErrAudience},
		{"made up", prefix + "made.up", "", oidcauth.ErrRevoked},
	} {
		c, err := auth.Authenticate(context.Background(), tt.token)
		if !errors.Is(err, tt.want) || c != nil && c.Subject() != tt.subject {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
	}
}
