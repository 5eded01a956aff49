package keycloak_test

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/interop/internal/browser"
)

// buildCommand builds the command, once, and returns the directory it is in.
var buildCommand = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(fixture.server.dir)
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "../../cmd/oidcauth")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return filepath.Join(dir, "bin"), nil
})

// commandLine returns "oidcauth token" with what every call needs.
func (s *keycloak) commandLine(t *testing.T, grant, clientID string, flags ...string) *exec.Cmd {
	t.Helper()
	bin, err := buildCommand()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, filepath.Join(bin, "oidcauth"), append([]string{
		"token", grant, "--issuer", s.issuer(), "--client-id", clientID, "--allow-insecure-http",
	}, flags...)...)
}

func TestToken_Service(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("importer-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		clientID string
		flags    []string
		roles    []string
	}{
		{"importer", []string{"--client-secret-file", secret}, []string{"service", "reader", "writer"}},
		{"signer", []string{"--client-key", fixture.signer.file}, []string{"service"}},
		{"signer", []string{"--client-key", fixture.signer.file, "--assertion-audience", "issuer"}, []string{"service"}},
	} {
		t.Run(strings.Join(append([]string{test.clientID}, test.flags[2:]...), " "), func(t *testing.T) {
			out, err := s.commandLine(t, "client-credentials", test.clientID, test.flags...).Output()
			if err != nil {
				t.Fatalf("%v: %s", err, standardError(err))
			}
			wantRoles(t, accepts(t, auth, strings.TrimSuffix(string(out), "\n")), test.roles...)
		})
	}
	t.Run("wrong secret", func(t *testing.T) {
		out, err := s.commandLine(t, "client-credentials", "accountant", "--client-secret-file", secret).Output()
		if err == nil || len(out) > 0 || !strings.Contains(standardError(err), `"unauthorized_client"`) {
			t.Errorf("got %q, %v: %s, want a refusal", out, err, standardError(err))
		}
	})
}

// standardError returns what a program wrote there before it failed.
func standardError(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// console is an output that is read while the program runs.
type console struct{ authtest.Log }

// await waits for the program to print something.
func (c *console) await(t *testing.T, wanted *regexp.Regexp) string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if found := wanted.FindStringSubmatch(c.String()); found != nil {
			return found[1]
		}
	}
	t.Fatalf("no %v in %s", wanted, c.String())
	return ""
}

// TestToken_Person runs the commands of the page that need a person.
func TestToken_Person(t *testing.T) {
	s := running(t)
	auth, _ := s.authenticator(t)
	var commands []string
	for _, b := range blocks(t) {
		if b.info == "sh person" {
			commands = append(commands, b.text)
		}
	}
	for i, test := range []struct {
		grant   string
		address *regexp.Regexp
		consent bool // Keycloak asks whether the device is the person's own
	}{
		{"login", regexp.MustCompile(`browser on this machine:\n  (\S+)\n`), false},
		{"device", regexp.MustCompile(`has the code in it:\n  (\S+)\n`), true},
	} {
		t.Run(test.grant, func(t *testing.T) {
			if i >= len(commands) || !strings.Contains(commands[i], "token "+test.grant) {
				t.Fatalf("command %d of %q is not that of %s", i+1, commands, test.grant)
			}
			var printed, said console
			printed.Tokens = true // the token that was asked for
			command := s.shell(t, commands[i])
			command.Stdout, command.Stderr = &printed, &said
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			person := browser.New()
			person.Open(t, said.await(t, test.address))
			person.Submit(t, url.Values{"username": {"alice"}, "password": {"alice-password"}})
			if test.consent {
				person.Submit(t, url.Values{"accept": {"Yes"}})
			}
			if err := command.Wait(); err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
			claims := accepts(t, auth, strings.TrimSuffix(printed.String(), "\n"))
			wantRoles(t, claims, "player", "writer", "/staff/referees")
			if claims.Identity() != identity.New(s.issuer(), claims.Subject()) {
				t.Error("another identity than that of issuer and subject")
			}
		})
	}
}
