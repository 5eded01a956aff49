package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/oidctest"
)

// TestServe_ReloadOpaque: a session of an opaque token outlives a reload, and its
// issuer's secret may be a credential of systemd.
func TestServe_ReloadOpaque(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := os.WriteFile(filepath.Join(dir, "client"), []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	iss.Start()
	config := func(more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "issuers": [%s], "local_issuer": {"dir": %q}%s}`, described(iss,
			`, "introspection": {"client_id": "db", "client_secret_file": "$CREDENTIALS_DIRECTORY/client"}`), dir+"/keys", more)
	}
	file := writeFile(t, "config.json", config(""))
	s := serve(t, "--config", file)
	token := iss.OpaqueToken(nil)
	s.used(token)
	var ticket struct{ Token string }
	s.ask(t, "POST", "/v1/identity/websocket-token", token, &ticket)
	s.used(ticket.Token)
	socket, _, err := websocket.Dial(t.Context(), s.url+"/v1/database/chat/subscribe?token="+ticket.Token,
		&websocket.DialOptions{Subprotocols: []string{"v3.bsatn.spacetimedb"}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	if _, _, err := socket.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		replaceFile(t, file, config(strings.Repeat(" ", n+1)))
		s.awaitLines(t, reloaded, n+1)
	}
	ctx := socket.CloseRead(t.Context())
	if err := socket.Ping(ctx); err != nil {
		t.Errorf("after the reloads: %v", err)
	}
	if got := s.get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("after the reloads: status %d, want 200", got.status)
	}
}
