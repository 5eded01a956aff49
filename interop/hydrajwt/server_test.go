package hydrajwt_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
)

var tried = trial.New("hydra", "Ory Hydra", "")

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.Main(m, programs.Hydra))) }

const audience = "https://db.example.com"

type object = map[string]any

// hydra is a server that ends with the test.
type hydra struct {
	url, admin string
	told       chan string // logout tokens
}

func start(t *testing.T) *hydra {
	t.Helper()
	command, err := programs.HydraCommand()
	if err != nil {
		t.Fatal(err)
	}
	var ports [2]string
	for n := range ports {
		ports[n] = server.NewPort(t)
	}
	h := &hydra{url: "http://127.0.0.1:" + ports[0], admin: "http://127.0.0.1:" + ports[1] + "/admin", told: make(chan string, 10)}
	pages := httptest.NewServer(h.pages(t))
	t.Cleanup(pages.Close)
	dir := t.TempDir()
	text, err := json.Marshal(object{
		"dsn": "memory",
		"serve": object{
			"public": object{"host": "127.0.0.1", "port": json.Number(ports[0])},
			"admin":  object{"host": "127.0.0.1", "port": json.Number(ports[1])},
		},
		"urls": object{
			"self": object{"issuer": h.url}, "login": pages.URL + "/login", "consent": pages.URL + "/consent",
			"logout": pages.URL + "/logout", "post_logout_redirect": browser.Callback,
		},
		"secrets":    object{"system": []string{"secret of the tests, long enough"}},
		"strategies": object{"access_token": "jwt"},
		"oauth2":     object{"allowed_top_level_claims": []string{"sid"}},
		"log":        object{"level": "warn"},
		"sqa":        object{"opt_out": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hydra.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	server.Run(t, server.Command{
		// The first request for the keys has them made, which may take long.
		Name: "Ory Hydra", Dir: dir, Ready: h.url + "/.well-known/jwks.json",
		Args: []string{command, "serve", "all", "--dev", "--config", "hydra.json"},
	})
	h.register(t, pages.URL)
	return h
}

// register makes the clients: for people, a service, and one that has taken a person's
// name.
func (h *hydra) register(t *testing.T, pages string) {
	t.Helper()
	client := func(id string, more object) {
		all := object{
			"client_id": id, "client_secret": id + "-secret", "scope": "openid read write", "audience": []string{audience, "https://other.example.com"},
			"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "client_secret_basic",
		}
		for name, value := range more {
			all[name] = value
		}
		h.ask(t, http.MethodPost, "/clients", all, nil)
	}
	client("app", object{
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"redirect_uris": []string{browser.Callback}, "post_logout_redirect_uris": []string{browser.Callback},
		"backchannel_logout_uri": pages + "/told", "backchannel_logout_session_required": true,
	})
	client("importer", nil)
	client("alice", nil)
}

// pages are those that Hydra leaves to the program: they say yes to everything, and
// tell the access token which sign-in it is of.
func (h *hydra) pages(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	page := func(name string, accept func(object) object) {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			query := "?" + name + "_challenge=" + r.URL.Query().Get(name+"_challenge")
			var asked, next object
			h.ask(t, http.MethodGet, "/oauth2/auth/requests/"+name+query, nil, &asked)
			h.ask(t, http.MethodPut, "/oauth2/auth/requests/"+name+"/accept"+query, accept(asked), &next)
			http.Redirect(w, r, next["redirect_to"].(string), http.StatusFound)
		})
	}
	page("login", func(object) object { return object{"subject": "alice", "remember": true} })
	page("consent", func(asked object) object {
		return object{
			"grant_scope": asked["requested_scope"], "grant_access_token_audience": asked["requested_access_token_audience"],
			"session": object{"access_token": object{"sid": asked["login_session_id"]}},
		}
	})
	page("logout", func(object) object { return nil })
	mux.HandleFunc("POST /told", func(w http.ResponseWriter, r *http.Request) { h.told <- r.PostFormValue("logout_token") })
	return mux
}

// ask calls the administrative address.
func (h *hydra) ask(t *testing.T, method, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Error(err)
		return
	}
	request, err := http.NewRequestWithContext(t.Context(), method, h.admin+path, bytes.NewReader(text))
	if err != nil {
		t.Error(err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil || response.StatusCode >= 300 {
		t.Errorf("%s %s: %s, %v: %.300s", method, path, response.Status, err, answer)
	}
}

// signIn has alice sign in.
func (h *hydra) signIn(t *testing.T, b *browser.Browser) *oauth2.Token {
	t.Helper()
	app := oauth2.Config{
		ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"openid", "read"},
		Endpoint: oauth2.Endpoint{AuthURL: h.url + "/oauth2/auth", TokenURL: h.url + "/oauth2/token", AuthStyle: oauth2.AuthStyleInHeader},
	}
	return b.SignIn(t, app, func(b *browser.Browser) { t.Fatalf("the server wants more of the person: %s", b.At) },
		oauth2.SetAuthURLParam("audience", audience))
}

func (h *hydra) service(t *testing.T, clientID, audience string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: clientID, ClientSecret: clientID + "-secret", TokenURL: h.url + "/oauth2/token",
		Scopes: []string{"write"}, AuthStyle: oauth2.AuthStyleInHeader, EndpointParams: map[string][]string{"audience": {audience}},
	}
	if audience == "" {
		config.EndpointParams = nil
	}
	token, err := config.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// version asks the program.
func version(t *testing.T) string {
	t.Helper()
	command, err := programs.HydraCommand()
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), "go", "version", "-m", command).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "github.com/ory/hydra/v2" {
			return strings.TrimPrefix(fields[2], "v")
		}
	}
	t.Fatalf("no version of Hydra in %s", said)
	return ""
}
