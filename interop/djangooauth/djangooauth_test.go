package djangooauth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/opaque"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/introspect"
)

const callback = "http://127.0.0.1:1/callback"

func TestMain(m *testing.M) { os.Exit(programs.MainWhole(m, programs.DjangoOAuth)) }

// A provider is one that runs.
type provider struct {
	t   *testing.T
	url string // with /o
}

func start(t *testing.T) provider {
	t.Helper()
	python, err := programs.DjangoOAuthPython()
	if err != nil {
		t.Fatal(err)
	}
	port := server.NewPort(t)
	base := "http://127.0.0.1:" + port
	script, err := filepath.Abs(filepath.Join("testdata", "provider.py"))
	if err != nil {
		t.Fatal(err)
	}
	opaque.Start(t, "django", base+"/ready", python, script, port, t.TempDir())
	return provider{t, base + "/o"}
}

// describe returns the description of the provider's opaque tokens: its answers have
// neither issuer nor subject nor audience.
func (p provider) describe(clients ...string) oidcauth.Issuer {
	p.t.Helper()
	ask, err := introspect.New(introspect.Config{
		Endpoint: p.url + "/introspect/", ClientID: "job", ClientSecret: "secret of job", InsecureHTTP: true,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return oidcauth.Issuer{
		URL: p.url, Keys: oidcauth.KeysFrom{InsecureHTTP: true}, Introspect: ask,
		Audiences: clients, AudienceClaim: "client_id",
		Subject: []oidcauth.Path{{"username"}}, ClaimRules: []oidcauth.ClaimRule{{Claim: oidcauth.Path{"username"}, Present: true}},
	}
}

// Tokens are what an answer of the token endpoint has.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (p provider) post(client, path string, form url.Values) (int, tokens) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, url.QueryEscape("secret of "+client))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var got tokens
	_ = json.NewDecoder(response.Body).Decode(&got)
	return response.StatusCode, got
}

// A person is somebody's browser.
type person struct {
	provider
	client *http.Client
}

// signIn signs somebody in at the provider.
func (p provider) signIn(name string) person {
	p.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	b := person{p, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	b.get(strings.TrimSuffix(p.url, "/o")+"/login/"+name, http.StatusOK)
	return b
}

// get returns where an address leads.
func (b person) get(address string, want int) *url.URL {
	b.t.Helper()
	response, err := b.client.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		b.t.Fatalf("%s: status %d, want %d", address, response.StatusCode, want)
	}
	to, _ := response.Location()
	return to
}

// authorize has the person give a client tokens (RFC 6749, section 4.1).
func (b person) authorize() tokens {
	b.t.Helper()
	query := url.Values{"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {callback}, "scope": {"openid notes"}, "state": {"s"}}
	to := b.get(b.url+"/authorize/?"+query.Encode(), http.StatusFound)
	code := to.Query().Get("code")
	status, got := b.post("web", "/token/", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}})
	if status != http.StatusOK || got.Access == "" || strings.Contains(got.Access, ".") {
		b.t.Fatalf("status %d and no opaque token", status)
	}
	return got
}

// A person's opaque token opens a socket, which is renewed with another and ends when
// that is revoked at the provider.
func TestRevoke(t *testing.T) {
	p := start(t)
	auth := opaque.New(t, p.describe("web"))
	server := opaque.Serve(t, auth)
	alice := p.signIn("alice")
	first := alice.authorize()
	claims, err := auth.Authenticate(t.Context(), first.Access)
	if err != nil {
		t.Fatal(err)
	}
	if claims.Subject() != "alice" || !claims.HasScope("notes") || claims.Issuer() != p.url || time.Until(claims.Expiry()) < time.Hour {
		t.Errorf("claims %s", claims.Payload())
	}
	socket := opaque.Dial(t, server, first.Access, "alice")
	socket.Lives(first.Access)

	second := alice.authorize()
	socket.Renew(second.Access)
	socket.Lives(second.Access)
	if status, _ := p.post("web", "/revoke_token/", url.Values{"token": {second.Access}}); status != http.StatusOK {
		t.Fatalf("revocation: status %d", status)
	}
	socket.Ends()
	opaque.Refused(t, server, second.Access, http.StatusUnauthorized)
	opaque.Refused(t, server, second.Refresh, http.StatusUnauthorized)
	opaque.Refused(t, server, "made-up", http.StatusUnauthorized)
}

// A refresh ends the former access token at once, and the socket that rests on it.
func TestRotation(t *testing.T) {
	p := start(t)
	server := opaque.Serve(t, opaque.New(t, p.describe("web")))
	first := p.signIn("alice").authorize()
	socket := opaque.Dial(t, server, first.Access, "alice")
	status, next := p.post("web", "/token/", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}})
	if status != http.StatusOK || next.Access == first.Access {
		t.Fatalf("rotation: status %d", status)
	}
	socket.Ends()
	opaque.Refused(t, server, first.Access, http.StatusUnauthorized)
	opaque.Dial(t, server, next.Access, "alice").Lives(next.Access)
}

// Whoever signs out at the provider loses their sockets, and nobody else does.
func TestLogout(t *testing.T) {
	p := start(t)
	auth := opaque.New(t, p.describe("web"))
	server := opaque.Serve(t, auth)
	alice, bob := p.signIn("alice"), p.signIn("bob")
	hers, his := alice.authorize(), bob.authorize()
	a, b := opaque.Dial(t, server, hers.Access, "alice"), opaque.Dial(t, server, his.Access, "bob")
	alice.get(p.url+"/logout/?"+url.Values{"id_token_hint": {hers.ID}}.Encode(), http.StatusFound)
	a.Ends()
	b.Lives(his.Access)
}

// A token of another client, and a service's, which names nobody, are refused.
func TestRefused(t *testing.T) {
	p := start(t)
	strict, wide := opaque.New(t, p.describe("other")), opaque.New(t, p.describe("web", "job"))
	token := p.signIn("alice").authorize().Access
	_, job := p.post("job", "/token/", url.Values{"grant_type": {"client_credentials"}, "scope": {"notes"}})
	services := p.describe("job")
	services.Subject, services.SubjectPrefix, services.ClaimRules = []oidcauth.Path{{"client_id"}}, "client:", nil
	for _, tt := range []struct {
		name  string
		auth  *oidcauth.Authenticator
		token string
		want  error
	}{
		{"another client's", strict, token, oidcauth.ErrAudience},
		{"a person's", wide, token, nil},
		{"a service's", wide, job.Access, oidcauth.ErrClaim},
		{"a service's, by its client", opaque.New(t, services), job.Access, nil},
		{"an ID token", wide, p.signIn("alice").authorize().ID, oidcauth.ErrAudience},
	} {
		c, err := tt.auth.Authenticate(t.Context(), tt.token)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: error = %v, want %v", tt.name, err, tt.want)
		}
		if c != nil {
			t.Logf("%s: %q, scopes %q", tt.name, c.Subject(), slices.Collect(c.Scopes()))
		}
	}
}
