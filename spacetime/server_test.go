package spacetime_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/spacetime"
)

const audience = "my-db"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// A world is a server on a socket, and an issuer whose tokens it accepts.
type world struct {
	issuer *oidctest.Issuer
	local  *localissuer.Issuer
	auth   *oidcauth.Authenticator
	server *spacetime.Server
	url    string
	log    *authtest.Log
}

// newWorld starts a server; cfg lacks nothing but Auth and Local.
func newWorld(t *testing.T, cfg spacetime.Config) *world {
	t.Helper()
	return newWorldOf(t, cfg, localissuer.Config{Dir: filepath.Join(t.TempDir(), "keys")}, -1)
}

// newWorldOf is newWorld with this leeway and these keys.
func newWorldOf(t *testing.T, cfg spacetime.Config, keys localissuer.Config, leeway time.Duration) *world {
	t.Helper()
	w := newServer(t, cfg, keys, leeway)
	socket := httptest.NewServer(w.server)
	t.Cleanup(func() {
		w.close(t)
		socket.Close()
	})
	w.url = socket.URL
	return w
}

// newServer is newWorldOf without a socket.
func newServer(t *testing.T, cfg spacetime.Config, keys localissuer.Config, leeway time.Duration) *world {
	t.Helper()
	w := &world{issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}}), log: new(authtest.Log)}
	logger := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	keys.URL, keys.Audiences, keys.NoExpiry, keys.Logger = "localhost", []string{audience}, true, logger
	if w.local, err = localissuer.New(keys); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.local.Close() })
	w.auth, err = oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: w.issuer.URL(), Audiences: []string{audience}}, w.local.Issuer()},
		Client:  w.issuer.Client(), Leeway: leeway, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.auth.Close() })
	cfg.Auth, cfg.Local, cfg.Logger = w.auth, w.local, logger
	if w.server, err = spacetime.New(cfg); err != nil {
		t.Fatalf("New() error = %v", err)
	}
	return w
}

// close closes the server.
func (w *world) close(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.server.Close(ctx); err != nil {
		t.Errorf("Close() error = %v", err)
	}
}

// do makes a request; headers alternate names and values.
func (w *world) do(t *testing.T, method, path string, headers ...string) (*http.Response, map[string]string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header(headers)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body map[string]string
	json.NewDecoder(resp.Body).Decode(&body)
	return resp, body
}

// header makes a header of names and values that alternate.
func header(pairs []string) http.Header {
	h := http.Header{}
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

// authorization is the one header with this value, or none.
func authorization(value string) []string {
	if value == "" {
		return nil
	}
	return []string{"Authorization", value}
}

func TestNew_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	strict, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer strict.Close()
	for name, cfg := range map[string]spacetime.Config{"nothing": {}, "no local issuer": {Auth: w.auth}, "no Authenticator": {Local: w.local}} {
		if _, err := spacetime.New(cfg); err == nil || err.Error() != "spacetime: Config: want both Auth and Local" {
			t.Errorf("%s: New() error = %v, want one that says what is missing", name, err)
		}
	}
	for name, cfg := range map[string]spacetime.Config{
		"a local issuer of no account": {Auth: w.auth, Local: strict},
		"tokens that may not be":       {Auth: w.auth, Local: strict, NoExpiry: true},
		"an empty origin":              {Auth: w.auth, Local: w.local, Origins: []string{""}},
		"an origin with a slash":       {Auth: w.auth, Local: w.local, Origins: []string{"*", "https://app.example.com/"}},
		"an origin of anybody":         {Auth: w.auth, Local: w.local, Origins: []string{"null"}},
		"a host for an origin":         {Auth: w.auth, Local: w.local, Origins: []string{"app.example.com"}},
		"an origin with a password":    {Auth: w.auth, Local: w.local, Origins: []string{"https://admin:hunter2@app.example.com"}},
	} {
		if _, err := spacetime.New(cfg); err == nil || !strings.HasPrefix(err.Error(), "spacetime: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: New() error = %v, want one", name, err)
		}
	}
}

func TestNewIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true})
	resp, body := w.do(t, "POST", "/v1/identity")
	c, err := w.auth.Authenticate(t.Context(), body["token"])
	if resp.StatusCode != 200 || err != nil {
		t.Fatalf("got %d, %v, %v", resp.StatusCode, body, err)
	}
	if c.Identity().String() != body["identity"] || c.Issuer() != "localhost" || !c.Expiry().IsZero() {
		t.Errorf("got identity %s of %q until %v, answer %v", c.Identity(), c.Issuer(), c.Expiry(), body)
	}
	if _, other := w.do(t, "POST", "/v1/identity"); other["identity"] == body["identity"] {
		t.Error("two callers have one identity")
	}
	if resp, _ := newWorld(t, spacetime.Config{}).do(t, "POST", "/v1/identity"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("without Config.Anonymous: got %d, want %d", resp.StatusCode, http.StatusForbidden)
	}
}

func TestTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	token := w.issuer.Token(nil)
	alice := identity.New(w.issuer.URL(), "alice")
	resp, body := w.do(t, "POST", "/v1/identity/websocket-token", "Authorization", "Bearer "+token)
	if resp.StatusCode != 200 {
		t.Errorf("got %d, headers %v", resp.StatusCode, resp.Header)
	}
	if cc := resp.Header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control is %q, want no-store", cc)
	}
	c, err := w.auth.AuthenticateTicket(httptest.NewRequest("GET", "/", nil), body["token"], "chat")
	if err != nil || c.Identity() != alice {
		t.Errorf("AuthenticateTicket() error = %v", err)
	}
	_, body = w.do(t, "POST", "/v1/identity/websocket-token", "Authorization", "Bearer "+token)
	expired := w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Second).Unix()})
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"no token", "", 401},
		{"another scheme", "Basic YTpi", 400},
		{"a malformed header", "Bearer", 400},
		{"a bad token", "Bearer " + token[:len(token)-4] + "AAAA", 401},
		{"an expired token", "Bearer " + expired, 401},
		{"a ticket", "Bearer " + body["token"], 401},
	} {
		resp, answer := w.do(t, "POST", "/v1/identity/websocket-token", authorization(tt.header)...)
		if resp.StatusCode != tt.want || answer["token"] != "" || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got %d, %v, want %d and a challenge", tt.name, resp.StatusCode, answer, tt.want)
		}
	}
	if strings.Contains(w.log.String(), token[len(token)-40:]) || strings.Contains(w.log.String(), body["token"]) {
		t.Error("a token is in the log")
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	token := w.issuer.Token(nil)
	alice, bob := identity.New(w.issuer.URL(), "alice").String(), identity.New(w.issuer.URL(), "bob").String()
	for _, tt := range []struct {
		name, identity, header string
		want                   int
	}{
		{"one's own", alice, "Bearer " + token, 204},
		{"another's", bob, "Bearer " + token, 400},
		{"no identity", "c200", "Bearer " + token, 400},
		{"no token", alice, "", 401},
		{"a bad token", alice, "Bearer " + token + "x", 401},
	} {
		if resp, _ := w.do(t, "GET", "/v1/identity/"+tt.identity+"/verify", authorization(tt.header)...); resp.StatusCode != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
}

// Another server can import the keys that are published.
func TestPublicKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	r := httptest.NewRequest("GET", "/v1/identity/public-key", nil)
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	if got := rec.Header().Get("Content-Type"); got != "application/pem-certificate-chain" {
		t.Errorf("Content-Type is %q", got)
	}
	other, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	first, rest := pem.Decode(rec.Body.Bytes())
	if id, err := other.Import(t.Context(), pem.EncodeToMemory(first)); err != nil || id != w.local.Keys()[0].ID {
		t.Errorf("Import() = %q, %v, want the key that signs, %q", id, err, w.local.Keys()[0].ID)
	}
	if id, err := other.Import(t.Context(), rest); err != nil || id != w.local.Keys()[1].ID {
		t.Errorf("Import() = %q, %v, want the key that will sign, %q", id, err, w.local.Keys()[1].ID)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	listed := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{app}})
	all := newWorld(t, spacetime.Config{Anonymous: true, Origins: []string{"*"}})
	for _, tt := range []struct {
		name   string
		w      *world
		origin string
		want   bool
	}{
		{"a listed page", listed, app, true},
		{"the server's own page", listed, listed.url, true},
		{"another page", listed, "https://evil.example.com", false},
		{"a listed host over http", listed, "http://app.example.com", false},
		{"a sandboxed page", listed, "null", false},
		{"any page, when all may", all, "https://evil.example.com", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pre, _ := tt.w.do(t, "OPTIONS", "/v1/identity/websocket-token", "Origin", tt.origin,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
			leave := pre.StatusCode == 204 && pre.Header.Get("Access-Control-Allow-Origin") == tt.origin &&
				pre.Header.Get("Access-Control-Allow-Methods") == "POST" &&
				strings.Contains(pre.Header.Get("Access-Control-Allow-Headers"), "Authorization")
			if leave != tt.want || pre.Header.Get("Vary") != "Origin" || pre.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("preflight: got %d, %v, want leave: %t", pre.StatusCode, pre.Header, tt.want)
			}
			if age := pre.Header.Get("Access-Control-Max-Age"); (age == "600") != tt.want {
				t.Errorf("preflight: counts for %q seconds", age)
			}
			resp, _ := tt.w.do(t, "POST", "/v1/identity", "Origin", tt.origin)
			if shown := resp.Header.Get("Access-Control-Expose-Headers"); (shown == "WWW-Authenticate, Retry-After") != tt.want {
				t.Errorf("POST /v1/identity: the page may read %q", shown)
			}
			if got := resp.StatusCode == 200; got != tt.want {
				t.Errorf("POST /v1/identity: got %d, want leave: %t", resp.StatusCode, tt.want)
			}
			ticket, _ := tt.w.do(t, "POST", "/v1/identity/websocket-token", "Origin", tt.origin, "Authorization", "Bearer "+tt.w.issuer.Token(nil))
			if got := ticket.StatusCode == 200; got != tt.want {
				t.Errorf("POST /v1/identity/websocket-token: got %d, want leave: %t", ticket.StatusCode, tt.want)
			}
		})
	}
}

func TestServer_OtherRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, spacetime.Config{})
	for path, want := range map[string]int{"/": 404, "/v1/other": 404, "/v1/database/x/call": 404} {
		if resp, _ := w.do(t, "GET", path); resp.StatusCode != want {
			t.Errorf("GET %s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
	if resp, _ := w.do(t, "GET", "/v1/identity/websocket-token"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET of a ticket: got %d, want %d", resp.StatusCode, http.StatusMethodNotAllowed)
	}
}
