package oidcprovider_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/browser"
	"github.com/oidcauth/oidcauth/interop/internal/programs"
	"github.com/oidcauth/oidcauth/interop/internal/server"
)

// metadata has a client sign a person in that knows nothing but the address of "oidcauth
// serve": it finds the provider by the challenge and the metadata (RFC 9728), and asks it
// for a token for that very server (RFC 8707), which is the only one that is accepted.
func (p provider) metadata(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "oidcauth")
	if said, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/oidcauth/oidcauth/cmd/oidcauth").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	at := "127.0.0.1:" + server.NewPort(t)
	address := "http://" + at
	server.Run(t, server.Command{
		Name: "oidcauth", Dir: t.TempDir(), Ready: address + "/healthz",
		Args: []string{binary, "serve", "--addr", at, "--issuer", p.url, "--allow-insecure-http", "--audience", address, "--token-type", "at+jwt"},
	})

	client := startClient(t, address)
	person := browser.New()
	person.Open(t, client.line(t))
	person.Submit(t, url.Values{"login": {"alice"}, "password": {"any"}})
	person.Submit(t, nil) // consent
	if _, err := io.WriteString(client, person.At.Query().Get("code")+"\n"); err != nil {
		t.Fatal(err)
	}
	status, text, _ := strings.Cut(client.line(t), " ")
	var who struct{ Issuer, Subject string }
	if err := json.Unmarshal([]byte(text), &who); err != nil {
		t.Fatal(err)
	}
	if status != "200" || who.Issuer != p.url || who.Subject != "alice" {
		t.Errorf("the server answers %s of %+v, want alice of %s", status, who, p.url)
	}
}

// A client runs mcp.mjs.
type client struct {
	io.WriteCloser
	said *bufio.Scanner
}

func startClient(t *testing.T, address string) client {
	t.Helper()
	node, err := programs.OIDCProviderNode()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), node, "mcp.mjs", address, "mcp", browser.Callback)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		command.Wait()
	})
	return client{stdin, bufio.NewScanner(stdout)}
}

// line returns the next line that the client writes.
func (c client) line(t *testing.T) string {
	t.Helper()
	if !c.said.Scan() {
		t.Fatalf("the client has ended: %v", c.said.Err())
	}
	return c.said.Text()
}
