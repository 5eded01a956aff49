package spacetime_test

import (
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/spacetime"
)

// newOpaqueWorld is newWorld with an issuer whose tokens say nothing themselves.
func newOpaqueWorld(t *testing.T, cfg spacetime.Config) *world {
	t.Helper()
	w := &world{issuer: oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"sub": "alice", "aud": audience}}), log: new(authtest.Log)}
	ask, err := introspect.New(introspect.Config{Issuer: w.issuer.URL(), ClientID: "server", ClientSecret: "of the server", Client: w.issuer.Client()})
	if err != nil {
		t.Fatal(err)
	}
	w.local = authtest.NewLocal(t, localissuer.Config{Dir: filepath.Join(t.TempDir(), "keys"), Audiences: []string{audience}})
	w.auth = authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{
		{URL: w.issuer.URL(), Audiences: []string{audience}, Introspect: ask, OpaquePrefix: oidctest.OpaquePrefix}, w.local.Issuer(),
	}})
	cfg.Auth, cfg.Local = w.auth, w.local
	if w.server, err = spacetime.New(cfg); err != nil {
		t.Fatal(err)
	}
	socket := httptest.NewServer(w.server)
	t.Cleanup(func() {
		w.close(t)
		socket.Close()
	})
	w.url = socket.URL
	return w
}

// An opaque token in the address is a whole token as any other, and no ticket.
func TestConfig_InsecureQueryToken_Opaque(t *testing.T) {
	t.Parallel()
	strict, lax := newOpaqueWorld(t, spacetime.Config{}), newOpaqueWorld(t, spacetime.Config{InsecureQueryToken: true})
	for _, tt := range []struct {
		name, token string
		want        int
	}{
		{"a good token", lax.issuer.OpaqueToken(nil), 101},
		{"a ticket", lax.buy(t, lax.issuer.OpaqueToken(nil)), 101},
		{"another audience's", lax.issuer.OpaqueToken(map[string]any{"aud": "x"}), 401},
		{"one that the issuer does not know", oidctest.OpaquePrefix + "0123456789", 401},
		{"one with another beginning", "other_0123456789", 401},
		{"a ticket with something behind", lax.buy(t, lax.issuer.OpaqueToken(nil)) + "x", 401},
	} {
		socket, resp, err := lax.dial(t, "?token="+tt.token, v3)
		if resp == nil || resp.StatusCode != tt.want {
			t.Errorf("%s: got %v, want %d", tt.name, err, tt.want)
		} else if err == nil {
			if g := greeted(t, socket); g.token != tt.token {
				t.Errorf("%s: greeted with another token", tt.name)
			}
		}
	}
	const route = "POST /v1/identity/websocket-token"
	resp := strict.ask(t, written("GET", "/v1/database/chat/subscribe?token="+strict.issuer.OpaqueToken(nil), handshake()))
	if resp.StatusCode != 401 || !strings.Contains(resp.Header.Get("WWW-Authenticate"), route) {
		t.Errorf("status %d, %v: want 401, and the route named", resp.StatusCode, resp.Header)
	}
}

// A ticket gives no token back that stands for something else than the one that bought it.
func TestConfig_RememberTokens_Opaque(t *testing.T) {
	t.Parallel()
	w := newOpaqueWorld(t, spacetime.Config{RememberTokens: true})
	tokens := []string{w.issuer.OpaqueToken(map[string]any{"scope": "read"}), w.issuer.OpaqueToken(map[string]any{"scope": "admin"})}
	var tickets []string
	for _, token := range tokens {
		tickets = append(tickets, w.buy(t, token))
	}
	for n, ticket := range tickets {
		socket, _, err := w.dial(t, "?token="+ticket, v3)
		if err != nil {
			t.Fatal(err)
		}
		if g := greeted(t, socket); g.token != tokens[n] {
			t.Errorf("greeted with %q, want %q", g.token, tokens[n])
		}
	}
}
