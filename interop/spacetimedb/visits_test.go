package spacetimedb_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth/identity"

	"github.com/oidcauth/oidcauth/interop/internal/programs"
)

// Whoever comes again is who they were, with each client, and whatever the
// application does with the token that onConnect gives it.
func TestVisits(t *testing.T) {
	for _, sdk := range []struct {
		name    string
		needs   programs.Program
		connect func(*world, *testing.T, string) *client
	}{
		{"TypeScript", programs.SpacetimeDB, (*world).connect},
		{"Rust", programs.SpacetimeDBRust, (*world).connectRust},
	} {
		t.Run(sdk.name, func(t *testing.T) {
			sdk.needs.Need(t)
			w := newWorld(t)
			for _, first := range []string{"", w.issuer.Token(nil)} {
				for _, stores := range []bool{true, false} {
					visitThrice(t, first, stores, func(token string) event {
						c := sdk.connect(w, t, token)
						e := c.next("connect")
						c.stdin.Close()
						c.next("disconnect")
						return e
					})
				}
			}
		})
	}
}

// visitThrice comes with a token, or none, and comes again twice: with what it was
// given or, unless it stores that, with what it had.
func visitThrice(t *testing.T, token string, stores bool, visit func(token string) event) {
	t.Helper()
	named := token != ""
	first := visit(token)
	for n := 2; n <= 3; n++ {
		if stores || token == "" {
			token = first.Token
		}
		again := visit(token)
		if again.Identity != first.Identity || again.Token != token {
			t.Errorf("with a token at first: %t, stores: %t: visit %d is by %s, want %s; has its token: %t",
				named, stores, n, again.Identity, first.Identity, again.Token == token)
		}
		first.Token = again.Token
	}
}

// The client for Rust sends its token in the header, and sees what the one for
// TypeScript does.
func TestRust(t *testing.T) {
	programs.SpacetimeDBRust.Need(t)
	w := newWorld(t)
	token := w.issuer.Token(nil)
	c := w.connectRust(t, token)
	e := c.next("connect")
	if want := identity.New(w.issuer.URL(), "alice").String(); e.Identity != want || e.Token != token {
		t.Errorf("the client has identity %s, want %s, and its token: %t", e.Identity, want, e.Token == token)
	}
	for name, bad := range map[string]string{
		"a bad token":      token + "x",
		"another audience": w.issuer.Token(map[string]any{"aud": "other"}),
		"no token at all":  "x",
		"a used-up ticket": w.usedTicket(t, token),
	} {
		if e := w.connectRust(t, bad).next("refused"); !bytes.Contains([]byte(e.Message), []byte("401")) {
			t.Errorf("%s: the client says %q, want 401", name, e.Message)
		}
	}
}

// usedTicket returns a ticket that somebody has used.
func (w *world) usedTicket(t *testing.T, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", w.url+"/v1/identity/websocket-token", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var sold struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&sold); err != nil {
		t.Fatal(err)
	}
	if _, err := w.auth.AuthenticateTicket(httptest.NewRequest("GET", "/", nil), sold.Token, "chat"); err != nil {
		t.Fatal(err)
	}
	return sold.Token
}

// What SpacetimeDB's crates write is what the tests of package spacetime compare
// with.
func TestRust_FirstMessages(t *testing.T) {
	programs.SpacetimeDBRust.Need(t)
	home, err := programs.SpacetimeDBRustHome()
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.CommandContext(t.Context(), filepath.Join(home, "first_messages")).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../spacetime/testdata/first-messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the crates write\n%s\nthe tests have\n%s", got, want)
	}
}
