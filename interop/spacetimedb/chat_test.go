package spacetimedb_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/oidctest"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// chat runs examples/chat for an issuer's people and returns its address.
func chat(t *testing.T, issuer *oidctest.Issuer) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "chat")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/oidcauth/oidcauth/examples/chat").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, binary, "-listen", "127.0.0.1:0", "-data", filepath.Join(dir, "chat.db"),
		"-issuer", issuer.URL(), "-client-id", audience)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var log strings.Builder
	cmd.Stderr = &log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	t.Cleanup(func() {
		cancel()
		io.Copy(io.Discard, lines)
		cmd.Wait()
		if t.Failed() || strings.Contains(log.String(), "eyJ") {
			t.Errorf("the chat's log:\n%s", &log)
		}
	})
	_, address, found := strings.Cut(strings.TrimSpace(line), "The chat is at ")
	if err != nil || !found {
		t.Fatalf("the chat says %q, error %v", line, err)
	}
	return address
}

// talks connects a person to the chat.
func (w *world) talks(t *testing.T, address, token string) *client {
	t.Helper()
	node, err := programs.SpacetimeDBNode()
	if err != nil {
		t.Fatal(err)
	}
	return w.launch(t, token, node, "chat.mjs", address)
}

// until skips events until one is of that kind.
func (c *client) until(want string) event {
	c.t.Helper()
	for e := range c.events {
		if e.Event == want {
			return e
		}
	}
	c.t.Fatalf("the client ended before %s; standard error: %s", want, &c.stderr)
	return event{}
}

func (c *client) says(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.stdin, line); err != nil {
		c.t.Fatal(err)
	}
}

// TestChat has two people talk in examples/chat, each with the published client: they
// are who they would be in SpacetimeDB, see each other's rows, and are told what they
// may not do.
func TestChat(t *testing.T) {
	programs.SpacetimeDB.Need(t)
	w := newWorld(t)
	address := chat(t, w.issuer)
	alice := w.talks(t, address, w.issuer.Token(nil))
	her := identity.New(w.issuer.URL(), "alice").String()
	if e := alice.next("connect"); e.Identity != her {
		t.Errorf("alice has identity %s, want %s", e.Identity, her)
	}
	alice.until("subscribed")
	alice.says("good morning")
	if e := alice.until("message"); e.Message != "good morning" || e.Identity != her {
		t.Errorf("alice sees %+v, want her own message", e)
	}

	bob := w.talks(t, address, w.issuer.Token(map[string]any{"sub": "bob"}))
	his := identity.New(w.issuer.URL(), "bob").String()
	if e := bob.next("connect"); e.Identity != his {
		t.Errorf("bob has identity %s, want %s", e.Identity, his)
	}
	if e := bob.next("found"); e.Message != "good morning" || e.Identity != her {
		t.Errorf("bob finds %+v, want alice's message", e)
	}
	bob.until("subscribed")
	bob.says("name Bob the Builder")
	if e := alice.until("renamed"); e.Message != "Bob the Builder" || e.Identity != his {
		t.Errorf("alice sees %+v, want bob's new name", e)
	}
	bob.says("hello, alice")
	if e := alice.until("message"); e.Message != "hello, alice" || e.Identity != his {
		t.Errorf("alice sees %+v, want bob's message", e)
	}
	bob.says(strings.Repeat("x", 501))
	if e := bob.until("not done"); !strings.Contains(e.Message, "text: got 501 characters, want 1 to 500") {
		t.Errorf("bob is told %+v, want that it is too long", e)
	}
}

// TestChat_Refused: a token that is not for the chat opens nothing, nor does none.
func TestChat_Refused(t *testing.T) {
	programs.SpacetimeDB.Need(t)
	w := newWorld(t)
	address := chat(t, w.issuer)
	for name, bad := range map[string]string{
		"another audience": w.issuer.Token(map[string]any{"aud": "other"}),
		"expired":          w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}),
		"no token":         "",
	} {
		t.Run(name, func(t *testing.T) {
			w.talks(t, address, bad).next("refused")
		})
	}
}
