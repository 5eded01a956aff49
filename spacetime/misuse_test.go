package spacetime_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth"
	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/oidctest"
	"github.com/oidcauth/oidcauth/spacetime"
)

// What New did not make answers nobody, and ends nothing.
func TestServer_NotMade(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*spacetime.Server{"zero": new(spacetime.Server), "nil": nil} {
		for _, path := range []string{"/v1/identity", "/v1/identity/websocket-token", "/v1/database/x/subscribe", "/"} {
			for _, method := range []string{"GET", "POST"} {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
				if w.Code != 503 || w.Header().Get("Retry-After") == "" {
					t.Errorf("%s: %s %s is answered with %d", name, method, path, w.Code)
				}
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Errorf("%s: Close() error = %v", name, err)
		}
	}
	for name, c := range map[string]*spacetime.Conn{"zero": new(spacetime.Conn), "nil": nil} {
		c.SetReadLimit(1)
		if message, err := c.Read(t.Context()); message != nil || err == nil {
			t.Errorf("%s: Read() = %q, %v", name, message, err)
		}
		if err := c.Write(t.Context(), []byte("x")); err == nil {
			t.Errorf("%s: Write() writes", name)
		}
		if err := c.Close(1000, ""); err == nil {
			t.Errorf("%s: Close() closes", name)
		}
	}
}

// New says what of its parts nobody has made.
func TestNew_PartsNotMade(t *testing.T) {
	t.Parallel()
	_, trusted := authtest.NewIssuer(t, oidctest.Config{})
	auth := authtest.NewAuthenticator(t, oidcauth.Config{Issuers: []oidcauth.Issuer{trusted}})
	local := authtest.NewLocal(t, localissuer.Config{})
	serve := func(context.Context, *spacetime.Conn) {}
	for name, cfg := range map[string]spacetime.Config{
		"nothing":                     {},
		"a zero Authenticator":        {Auth: new(oidcauth.Authenticator), Local: local, Serve: serve},
		"a zero local issuer":         {Auth: auth, Local: new(localissuer.Issuer), Serve: serve, Anonymous: true},
		"an issuer that is not known": {Auth: auth, Local: local, Serve: serve, Anonymous: true},
	} {
		if _, err := spacetime.New(cfg); err == nil {
			t.Errorf("%s: New() makes a server", name)
		}
	}
}

// A mistake is an error of the program's that panics when it is looked at.
type mistake struct{ text string }

func (m *mistake) Error() string { return m.text }

// A function of the program's that panics lets nobody in, and the log has where it was
// and nothing of the value.
func TestConfig_DatabasePanics(t *testing.T) {
	t.Parallel()
	w, signer := newCountingWorld(t, spacetime.Config{Anonymous: true, NoExpiry: true, Database: func(_ context.Context, name string) error {
		if name == "nil" {
			return (*mistake)(nil)
		}
		panic("a secret value")
	}})
	for _, name := range []string{"nil", "chat"} {
		before := signer.signed.Load()
		if resp := w.ask(t, written("GET", "/v1/database/"+name+"/subscribe", handshake())); resp.StatusCode != 500 {
			t.Errorf("%s: status %d, want 500", name, resp.StatusCode)
		}
		if signer.signed.Load() != before {
			t.Errorf("%s: a token was issued", name)
		}
	}
	if log := w.log.String(); strings.Contains(log, "secret") || strings.Count(log, "panicked") != 2 || !strings.Contains(log, "misuse_test.go:") {
		t.Errorf("the log has\n%s", log)
	}
}

// A nil context is an error of the call, and the connection lives on.
func TestConn_NilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	w := newWorld(t, spacetime.Config{Anonymous: true, Serve: func(ctx context.Context, c *spacetime.Conn) {
		said := "no errors"
		if _, err := c.Read(none); err != nil && c.Write(none, []byte("x")) != nil {
			said = "errors"
		}
		c.Write(ctx, []byte(said))
	}})
	socket, _, err := w.dial(t, "", v3)
	if err != nil {
		t.Fatal(err)
	}
	greeted(t, socket)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, m, err := socket.Read(ctx); string(m) != "errors" || err != nil {
		t.Errorf("Read() = %q, %v, want %q", m, err, "errors")
	}
}
