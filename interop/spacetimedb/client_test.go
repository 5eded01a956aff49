// Package spacetimedb_test runs SpacetimeDB's published clients, for TypeScript in
// Node.js and in Chromium and for Rust, against the package spacetime.
package spacetimedb_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/identity"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/spacetime"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

const audience = "chat"

func TestMain(m *testing.M) { os.Exit(programs.Main(m, programs.SpacetimeDB)) }

// A world is a server that accepts an issuer's tokens and anonymous callers. Both
// issuer and server are on real sockets.
type world struct {
	issuer *oidctest.Issuer
	auth   *oidcauth.Authenticator
	url    string
}

func newWorld(t *testing.T, origins ...string) *world {
	t.Helper()
	issuer := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}})
	issuer.SetURL(issuer.Start().URL)
	local, err := localissuer.New(localissuer.Config{
		URL: "localhost", Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience}, NoExpiry: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	auth, err := oidcauth.New(oidcauth.Config{
		Issuers: []oidcauth.Issuer{{URL: issuer.URL(), Audiences: []string{audience}, Keys: oidcauth.KeysFrom{InsecureHTTP: true}}, local.Issuer()},
		Leeway:  -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { auth.Close() })
	server, err := spacetime.New(spacetime.Config{Auth: auth, Local: local, Anonymous: true, NoExpiry: true, Origins: origins})
	if err != nil {
		t.Fatal(err)
	}
	socket := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		server.Close(ctx)
		socket.Close()
	})
	return &world{issuer, auth, socket.URL}
}

// An event is what one callback of the client was told.
type event struct{ Event, Identity, Connection, Token, Message string }

// A client is one run of the client. It ends with the test.
type client struct {
	t      *testing.T
	events chan event
	stdin  io.WriteCloser
	stderr bytes.Buffer
}

// connect connects with the client for TypeScript.
func (w *world) connect(t *testing.T, token string) *client {
	t.Helper()
	node, err := programs.SpacetimeDBNode()
	if err != nil {
		t.Fatal(err)
	}
	return w.launch(t, token, node, "client.mjs", w.url)
}

// connectRust connects with the client for Rust.
func (w *world) connectRust(t *testing.T, token string) *client {
	t.Helper()
	home, err := programs.SpacetimeDBRustHome()
	if err != nil {
		t.Fatal(err)
	}
	return w.launch(t, token, filepath.Join(home, "client"), w.url)
}

// launch runs a program that prints what the callbacks of its client are told.
func (w *world) launch(t *testing.T, token, program string, args ...string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "TOKEN="+token)
	c := &client{t: t, events: make(chan event, 8)}
	cmd.Stderr = &c.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends with the process
		defer close(done)
		defer close(c.events)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var e event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				c.events <- e
			}
		}
		cmd.Wait()
	}()
	t.Cleanup(func() {
		stdin.Close()
		cancel()
		<-done
	})
	return c
}

// next returns the next event, which must be of that kind.
func (c *client) next(want string) event {
	c.t.Helper()
	e, ok := <-c.events
	if !ok || e.Event != want {
		c.t.Fatalf("the client says %+v, want %s; it ended: %t; standard error: %s", e, want, !ok, &c.stderr)
	}
	return e
}

func TestClient_Token(t *testing.T) {
	w := newWorld(t)
	token := w.issuer.Token(nil)
	e := w.connect(t, token).next("connect")
	if want := identity.New(w.issuer.URL(), "alice").String(); e.Identity != want {
		t.Errorf("the client has identity %s, want %s", e.Identity, want)
	}
	if e.Token != token || strings.Trim(e.Connection, "0") == "" {
		t.Errorf("the client has connection %q, and its token: %t", e.Connection, e.Token == token)
	}
}

// A client without a token is given one, and with it keeps its identity.
func TestClient_Anonymous(t *testing.T) {
	w := newWorld(t)
	c := w.connect(t, "")
	first := c.next("connect")
	c.stdin.Close()
	c.next("disconnect")
	claims, err := w.auth.Authenticate(t.Context(), first.Token)
	if err != nil || claims.Identity().String() != first.Identity {
		t.Fatalf("the client's token: error %v, want that of %s", err, first.Identity)
	}
	again := w.connect(t, first.Token).next("connect")
	if again.Identity != first.Identity || again.Connection == first.Connection {
		t.Errorf("the client came as %s, came back as %s", first.Identity, again.Identity)
	}
	other := w.connect(t, "").next("connect")
	if other.Identity == first.Identity {
		t.Error("two clients have one identity")
	}
}

func TestClient_Refused(t *testing.T) {
	w := newWorld(t)
	token := w.issuer.Token(nil)
	for name, bad := range map[string]string{
		"another signature": token[:len(token)-6] + "AAAAAA",
		"another audience":  w.issuer.Token(map[string]any{"aud": "other"}),
		"expired":           w.issuer.Token(map[string]any{"exp": time.Now().Add(-time.Second).Unix()}),
		"no token at all":   "x",
	} {
		t.Run(name, func(t *testing.T) {
			e := w.connect(t, bad).next("refused")
			if !strings.Contains(e.Message, "Failed to verify token") {
				t.Errorf("the client says %q", e.Message)
			}
		})
	}
}

// The server cuts the client off when its token expires, and not before. If the
// machine is too busy for the client to connect within the token's life, the next
// token lives for twice as long.
func TestClient_Expiry(t *testing.T) {
	w := newWorld(t)
	for life := 5 * time.Second; ; life *= 2 {
		expiry := time.Now().Add(life).Truncate(time.Second)
		c := w.connect(t, w.issuer.Token(map[string]any{"exp": expiry.Unix()}))
		first := <-c.events
		if first.Event == "refused" && time.Now().After(expiry) {
			continue
		}
		if first.Event != "connect" {
			t.Fatalf("the client says %+v, want connect", first)
		}
		c.next("disconnect")
		if early := time.Until(expiry); early > 0 {
			t.Errorf("cut off %v before the expiry", early)
		}
		return
	}
}
