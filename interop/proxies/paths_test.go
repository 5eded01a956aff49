package proxies_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A part of a configuration that the page has apart, and where it belongs.
type part struct {
	file, into string
	place      string // a line of the whole, once
	where      string // before, after or instead of it; "end" is the end of the file
}

// pathsParts lead clients to what oidcauth has for them, by the proxy's name.
var pathsParts = map[string][]part{
	"nginx":      {{"locations.conf", "nginx.conf", "    location = /_oidcauth {\n", "before"}},
	"caddy 2.6":  {{"Caddyfile.paths", "Caddyfile", "\troute {\n", "before"}},
	"caddy 2.11": {{"Caddyfile.paths", "Caddyfile", "\troute {\n", "before"}},
	"haproxy": {
		{"haproxy.paths", "haproxy.cfg", "    http-request lua.oidcauth\n", "instead"},
		{"haproxy.backend", "haproxy.cfg", "", "end"},
	},
	"traefik": {
		{"routers.yml", "dynamic.yml", "  routers:\n", "after"},
		{"services.yml", "dynamic.yml", "  services:\n", "after"},
	},
	"envoy": {{"route.yaml", "envoy.yaml", "                        - match: {prefix: /}\n", "before"}},
}

// put puts the part where it belongs.
func (p part) put(t *testing.T, dir string) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	whole, own := read(p.into), read(p.file)
	if p.where != "end" && strings.Count(whole, p.place) != 1 {
		t.Fatalf("%s: no place for %s", p.into, p.file)
	}
	switch p.where {
	case "before":
		whole = strings.Replace(whole, p.place, own+p.place, 1)
	case "after":
		whole = strings.Replace(whole, p.place, p.place+own, 1)
	case "instead":
		whole = strings.Replace(whole, p.place, own, 1)
	case "end":
		whole += "\n" + own
	}
	if err := os.WriteFile(filepath.Join(dir, p.into), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPathsOfOidcauth: clients reach what oidcauth has for them, and no identity that
// anybody may have.
func TestPathsOfOidcauth(t *testing.T) {
	t.Parallel()
	for _, p := range proxies {
		if p.grpc { // whose programs have none
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			parts := pathsParts[p.name]
			if len(parts) == 0 {
				t.Fatal("the page does not say how clients reach oidcauth")
			}
			w := newWorld(t, binary)
			w.serve(t, p.dialect, map[string]any{"ticket_query": "ticket"})
			dir := t.TempDir()
			w.write(t, dir, p.files...)
			for _, part := range parts {
				w.write(t, dir, part.file)
				part.put(t, dir)
			}
			_, printed := w.run(t, p.name, p.command(t, dir))
			await(t, w.front, printed)
			w.ready(t)
			pathsOfOidcauth(t, w)
		})
	}
}

func pathsOfOidcauth(t *testing.T, w *world) {
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
	for _, target := range []string{
		"/v1/identity", "/v1/identity/", "/v1/identity/websocket-token/..", "/v1/identity/websocket-token/../../identity", "/v1/identity/websocket-token%2f..",
		"/v1/identity/./", "//v1/identity", "/v1/identity;/websocket-token", "/.well-known/oauth-protected-resource/../../v1/identity", "/V1/IDENTITY/WEBSOCKET-TOKEN",
	} {
		got := w.send(t, "POST", target, "")
		if got.status < 300 || got.seen != nil || strings.Contains(got.body, `"token"`) {
			t.Errorf("an identity for anybody, at %s: %+v, want a refusal", target, got)
		}
	}
	if got := w.send(t, "GET", "/v1/whoami", ""); got.status != http.StatusUnauthorized || !strings.Contains(got.header.Get("WWW-Authenticate"), metadata) {
		t.Errorf("another path of oidcauth: %+v, want it refused as the service's", got)
	}
}
