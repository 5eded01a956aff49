package spire_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
	"github.com/oidcauth/oidcauth/interop/internal/trial"
	"github.com/oidcauth/oidcauth/issuers"
)

var tried = trial.New("spire", "SPIRE", programs.SPIREVersion)

func TestMain(m *testing.M) { os.Exit(tried.Done(programs.MainWhole(m, programs.SPIRE))) }

const serverSettings = `server {
  bind_address = "127.0.0.1"
  bind_port = "%[1]s"
  socket_path = "%[3]s/api.sock"
  trust_domain = "example.org"
  data_dir = "%[3]s"
  log_level = "WARN"
%[2]s
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3", connection_string = "%[3]s/data.sqlite3" } }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`

const discoverySettings = `log_level = "WARN"
domains = ["127.0.0.1"]
insecure_addr = "127.0.0.1:%[1]s"
allow_insecure_scheme = true
jwt_issuer = "%[2]s"
server_api { address = "unix://%[3]s/api.sock", poll_interval = "1s" }
`

// spire is a server that ends with the test, and its discovery provider.
type spire struct {
	url  string
	home string
	dir  string
}

// start starts both. Without an issuer the server's tokens name none.
func start(t *testing.T, issuer bool) spire {
	t.Helper()
	if testing.Short() {
		t.Skip("a server takes longer than -short allows")
	}
	home, err := programs.SPIREHome()
	if err != nil {
		t.Fatal(err)
	}
	// A socket's address is short: t.TempDir's may be too long for it.
	dir, err := os.MkdirTemp("", "spire-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var ports [2]string
	for n := range ports {
		ports[n] = server.NewPort(t)
	}
	s := spire{url: "http://127.0.0.1:" + ports[1], home: home, dir: dir}
	jwtIssuer := ""
	if issuer {
		jwtIssuer = fmt.Sprintf("  jwt_issuer = %q", s.url)
	}
	s.write(t, "server.conf", fmt.Sprintf(serverSettings, ports[0], jwtIssuer, dir))
	s.write(t, "discovery.conf", fmt.Sprintf(discoverySettings, ports[1], s.url, dir))
	s.run(t, "spire-server", "", "run", "-config", "server.conf")
	s.run(t, "oidc-discovery-provider", s.url+"/keys", "-config", "discovery.conf")
	return s
}

func (s spire) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s spire) run(t *testing.T, program, ready string, args ...string) {
	t.Helper()
	server.Run(t, server.Command{
		Name: program, Dir: s.dir, Ready: ready, Args: append([]string{filepath.Join(s.home, program)}, args...),
	})
}

// command runs one of the server's own commands, and returns what it prints.
func (s spire) command(t *testing.T, args ...string) string {
	t.Helper()
	args = append(args, "-socketPath", filepath.Join(s.dir, "api.sock"))
	command := exec.CommandContext(t.Context(), filepath.Join(s.home, "spire-server"), args...)
	said, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("spire-server %s: %v: %s", strings.Join(args[:2], " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(said))
}

// svid has the server make a JWT-SVID.
func (s spire) svid(t *testing.T, id, audience string) string {
	t.Helper()
	return s.command(t, "jwt", "mint", "-spiffeID", id, "-audience", audience, "-ttl", "60s")
}

func authenticator(t *testing.T, i oidcauth.Issuer) *oidcauth.Authenticator {
	t.Helper()
	i.Keys.InsecureHTTP = true
	auth, err := oidcauth.New(oidcauth.Config{Issuers: []oidcauth.Issuer{i}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	return auth
}

const workload = "spiffe://example.org/importer"

func TestSPIRE(t *testing.T) {
	s := start(t, true)
	tried.Published(t, s.url, s.url+"/.well-known/openid-configuration")
	for _, column := range []string{trial.IDToken, trial.AccessToken, trial.Logout} {
		tried.Saw(t, column, "none")
	}
	t.Run("tokens", s.tokens)
	t.Run("rotation", s.rotation)
}

func (s spire) tokens(t *testing.T) {
	auth := authenticator(t, issuers.SPIRE("example.org", s.url, "my-db"))
	token := s.svid(t, workload, "my-db")
	if claims := tried.Accepts(t, trial.ServiceToken, auth, token); claims.Subject() != workload || claims.Issuer() != s.url {
		t.Errorf("%q of %q", claims.Subject(), claims.Issuer())
	}
	other := authenticator(t, issuers.SPIRE("example.com", s.url, "my-db"))
	if _, err := other.Authenticate(t.Context(), token); !errors.Is(err, oidcauth.ErrRule) {
		t.Errorf("workload of another trust domain: Authenticate() error = %v, want %v", err, oidcauth.ErrRule)
	}
	tried.Refuses(t, auth, []trial.Refusal{
		{Name: "JWT-SVID", Token: token},
		{Name: "JWT-SVID for another server", Token: s.svid(t, workload, "other-db"), Want: oidcauth.ErrAudience},
		{Name: "signature with another character", Token: trial.Tampered(token), Want: oidcauth.ErrSignature},
	})
}

// rotation prepares a key and has it sign, as an operator would.
func (s spire) rotation(t *testing.T) {
	tried.Saw(t, trial.Rotation, "accepted at once")
	auth := authenticator(t, issuers.SPIRE("example.org", s.url, "my-db"))
	before := s.svid(t, workload, "my-db")
	if _, err := auth.Authenticate(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	s.command(t, "localauthority", "jwt", "prepare")
	prepared := s.prepared(t)
	s.awaitPublished(t, prepared)
	s.command(t, "localauthority", "jwt", "activate", "-authorityID", prepared)
	after := s.svid(t, workload, "my-db")
	for name, token := range map[string]string{"old": before, "new": after} {
		claims, err := auth.Authenticate(t.Context(), token)
		if err != nil {
			t.Errorf("token of the %s key: Authenticate() error = %v", name, err)
		} else if (name == "new") != (claims.KeyID() == prepared) {
			t.Errorf("token of the %s key: signed by %q", name, claims.KeyID())
		}
	}
}

// prepared returns the ID of the key that is to sign next.
func (s spire) prepared(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(s.command(t, "localauthority", "jwt", "show"), "Prepared JWT authority:")
	_, id, found := strings.Cut(rest, "Authority ID: ")
	id, _, _ = strings.Cut(id, "\n")
	if !found || id == "" {
		t.Fatalf("no prepared key: %s", rest)
	}
	return strings.TrimSpace(id)
}

// awaitPublished waits until the discovery provider, which asks the server once a
// second, publishes a key.
func (s spire) awaitPublished(t *testing.T, id string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if slices.Contains(trial.KeyIDs(t, s.url+"/keys"), id) {
			return
		}
	}
	t.Fatalf("the key %s is not published", id)
}

// Without jwt_issuer a token names no issuer, and its trust domain vouches for it.
func TestSPIRE_WithoutIssuer(t *testing.T) {
	s := start(t, false)
	auth := authenticator(t, oidcauth.Issuer{
		URL: "spiffe://example.org", Audiences: []string{"my-db"}, Keys: oidcauth.KeysFrom{JWKSURL: s.url + "/keys"},
	})
	for _, row := range []struct {
		name, audience string
		want           error
	}{{"a workload", "my-db", nil}, {"for another server", "other-db", oidcauth.ErrAudience}} {
		claims, err := auth.Authenticate(t.Context(), s.svid(t, workload, row.audience))
		if !errors.Is(err, row.want) {
			t.Errorf("%s: Authenticate() error = %v, want %v", row.name, err, row.want)
		}
		if err == nil && (claims.Subject() != workload || claims.Issuer() != "spiffe://example.org") {
			t.Errorf("%s: %q of %q", row.name, claims.Subject(), claims.Issuer())
		}
	}
}
