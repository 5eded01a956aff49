package libpq_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/oidctest"
)

func TestMain(m *testing.M) { os.Exit(programs.Main(m, programs.Libpq)) }

// An outcome is what connect.py prints.
type outcome struct {
	Version   int
	Connected bool
	Error     string
	Asked     [][2]string // for a token: the discovery document, the scope
	User      string
}

// serve starts examples/pgwire for the tokens of an issuer, and returns its port.
func serve(t *testing.T, issuer *oidctest.Issuer) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "pgwire")
	build := exec.Command("go", "build", "-o", binary, "github.com/oidcauth/oidcauth/examples/pgwire")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	cmd := exec.Command(binary, "-oauth", "-scope", "openid db", "-issuer", issuer.URL(), "-audience", "my-db", "-addr", "127.0.0.1:0")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("pgwire ended with %v: %s", err, log.String())
		}
		if strings.Contains(log.String(), "eyJ") {
			t.Error("a token is in the log")
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("pgwire does not listen: %v", err)
	}
	return line[strings.LastIndexByte(line, ':')+1 : len(line)-1]
}

// connect signs in with libpq.
func connect(t *testing.T, settings, token string) (o outcome) {
	t.Helper()
	python, err := programs.AuthlibPython()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join("testdata", "connect.py"), settings)
	cmd.Stdin = strings.NewReader(token)
	cmd.Env = append(os.Environ(), "PGOAUTHDEBUG=UNSAFE") // so that the issuer may be on loopback without TLS
	var failed bytes.Buffer
	cmd.Stderr = &failed
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("connect.py: %v\n%s", err, failed.String())
	}
	if err := json.Unmarshal(said, &o); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return o
}

func TestLibpq(t *testing.T) {
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	issuer.Start()
	port := serve(t, issuer)
	now := time.Now()
	for _, row := range []struct {
		name, settings, token string
		wantError             string // in what libpq shows its user; empty: signed in
	}{
		{"protocol 3.0", "max_protocol_version=3.0", issuer.Token(nil), ""},
		{"protocol 3.2", "min_protocol_version=3.2 max_protocol_version=3.2", issuer.Token(nil), ""},
		{"encryption asked for and not had", "sslmode=prefer gssencmode=prefer", issuer.Token(nil), ""},
		{"nothing else will do", "require_auth=oauth", issuer.Token(nil), ""},
		{"expired", "", issuer.Token(map[string]any{"exp": now.Add(-time.Hour)}), "the token has expired"},
		{"for another server", "", issuer.Token(map[string]any{"aud": "other"}), "the token is for another audience"},
		{"no token of an issuer", "", "x.y.z", "the token is malformed"},
		{"a password is all that will do", "require_auth=password", issuer.Token(nil), "authentication method requirement"},
	} {
		t.Run(row.name, func(t *testing.T) {
			settings := fmt.Sprintf("host=127.0.0.1 port=%s user=anybody dbname=db oauth_issuer=%s oauth_client_id=db %s", port, issuer.URL(), row.settings)
			got := connect(t, settings, row.token)
			if got.Version < 180000 {
				t.Fatalf("libpq %d knows no OAUTHBEARER", got.Version)
			}
			if row.wantError != "" {
				if got.Connected || !strings.Contains(got.Error, row.wantError) {
					t.Errorf("got connected %v, %q, want %q", got.Connected, got.Error, row.wantError)
				}
				return
			}
			if !got.Connected || got.User != "alice" {
				t.Errorf("got connected %v as %q, %q, want %q", got.Connected, got.User, got.Error, "alice")
			}
			want := [2]string{issuer.URL() + "/.well-known/openid-configuration", "openid db"}
			if len(got.Asked) != 1 || got.Asked[0] != want {
				t.Errorf("asked for a token: got %q, want %q", got.Asked, want)
			}
		})
	}
}
