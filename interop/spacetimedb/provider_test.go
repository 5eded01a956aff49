package spacetimedb_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2/clientcredentials"

	"github.com/oidcauth/oidcauth/identity"
)

// The whole way, with nothing of ours in the place of anybody: a real OpenID
// Connect provider, the one that the quickstart embeds, issues the token;
// "oidcauth serve" answers; and SpacetimeDB's client connects.
func TestClient_Provider(t *testing.T) {
	issuer := run(t, "examples/quickstart", "provider  ", "-serve")
	url := run(t, "cmd/oidcauth", "oidcauth: listening on ", "serve", "--addr", "127.0.0.1:0",
		"--local-issuer", filepath.Join(t.TempDir(), "keys"), "--local-issuer-url", "localhost",
		"--issuer", issuer, "--audience", "messages", "--token-type", "JWT", "--token-type", "at+jwt",
		"--allow-insecure-http")
	service := clientcredentials.Config{
		ClientID: "importer", ClientSecret: "demo-secret", TokenURL: issuer + "/oauth/token",
	}
	token, err := service.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{url: url}
	e := w.connect(t, token.AccessToken).next("connect")
	if want := identity.New(issuer, "importer").String(); e.Identity != want {
		t.Errorf("the client has identity %s, want %s", e.Identity, want)
	}
	w.connect(t, token.AccessToken+"x").next("refused")
	w.connect(t, "").next("connect")
}

// run builds and starts one of the repository's programs, and returns what it
// prints after the prefix. The program ends with the test.
func run(t *testing.T, program, prefix string, args ...string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", binary, "github.com/oidcauth/oidcauth/"+program)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", program, err, out)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), prefix); found {
			return value
		}
	}
	t.Fatalf("%s does not print a line that begins with %q", program, prefix)
	return ""
}
