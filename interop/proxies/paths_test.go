package proxies_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNginx_PathsOfOidcauth: clients reach what oidcauth has for them, and no identity
// that anybody may have.
func TestNginx_PathsOfOidcauth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, binary)
	w.serve(t, "nginx", map[string]any{"ticket_query": "ticket"})
	dir := t.TempDir()
	w.write(t, dir, "nginx.conf", "locations.conf")
	name := filepath.Join(dir, "nginx.conf")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const beside = "    location = /_oidcauth {"
	if strings.Count(string(whole), beside) != 1 {
		t.Fatal("no place for the locations")
	}
	text := strings.Replace(string(whole), beside, "    include "+filepath.Join(dir, "locations.conf")+";\n"+beside, 1)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	_, printed := w.run(t, "nginx", proxies[0].command(t, dir))
	await(t, w.front, printed)
	w.ready(t)

	const metadata, shop = "/.well-known/oauth-protected-resource", "/v1/identity/websocket-token"
	if got := w.send(t, "GET", "/items", ""); got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), metadata) {
		t.Errorf("no token: %+v, want a challenge with the metadata's address", got)
	}
	if got := w.send(t, "GET", metadata, ""); got.status != 200 || !strings.Contains(got.body, w.issuer.URL()) {
		t.Errorf("the metadata: %+v", got)
	}
	if got := w.send(t, "POST", shop, "", "Origin", page); got.status != http.StatusUnauthorized {
		t.Errorf("a ticket without a token: %+v, want 401", got)
	}
	got := w.get(t, "POST", shop, token(w.issuer, nil, ""), "Origin", page)
	var ticket struct{ Token string }
	if err := json.Unmarshal([]byte(got.body), &ticket); err != nil || got.status != 200 {
		t.Fatalf("a ticket: %+v, %v", got, err)
	}
	if got, _ := w.socket(t, "/socket?ticket="+ticket.Token, nil, "Origin", page); got.status != http.StatusSwitchingProtocols {
		t.Errorf("a WebSocket with the ticket: %+v", got)
	}
	if got := w.send(t, "POST", "/v1/identity", ""); got.status != http.StatusUnauthorized {
		t.Errorf("an identity for anybody: %+v, want 401", got)
	}
}
