package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/oidcauth/oidcauth/internal/byvalue"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestServe_ReloadOpaque: a session of an opaque token outlives a reload, and its
// issuer's secret may be a credential of systemd. Answers outlive it too, unless the
// issuer is asked in another way.
func TestServe_ReloadOpaque(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if err := os.WriteFile(filepath.Join(dir, "client"), []byte("the secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	iss.Start()
	config := func(client, more string) string {
		return fmt.Sprintf(`{"watch": "5ms", "issuers": [%s], "local_issuer": {"dir": %q}%s}`, described(iss,
			`, "introspection": {"client_id": "`+client+`", "client_secret_file": "$CREDENTIALS_DIRECTORY/client"}`), dir+"/keys", more)
	}
	file := writeFile(t, "config.json", config("db", ""))
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
	asked := iss.Fetches().Introspection
	for n := range 3 {
		replaceFile(t, file, config("db", strings.Repeat(" ", n+1)))
		s.awaitLines(t, reloaded, n+1)
	}
	ctx := socket.CloseRead(t.Context())
	if err := socket.Ping(ctx); err != nil {
		t.Errorf("after the reloads: %v", err)
	}
	if got := s.get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("after the reloads: status %d, want 200", got.status)
	}
	if more := iss.Fetches().Introspection - asked; more != 0 {
		t.Errorf("after reloads that change nothing the issuer was asked %d times more", more)
	}
	replaceFile(t, file, config("another", ""))
	s.awaitLines(t, reloaded, 4)
	if got := s.get(t, "/v1/whoami", token); got.status != 200 || iss.Fetches().Introspection == asked {
		t.Errorf("as another client: status %d, want 200 by an answer to that client", got.status)
	}
}

// TestServe_ReloadOpaqueCertificates: the certificates that an issuer's must lead to may
// change in their file, for the questions about its opaque tokens as for its keys.
func TestServe_ReloadOpaqueCertificates(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{Claims: map[string]any{"aud": "my-db"}})
	https := httptest.NewUnstartedServer(iss.Handler())
	https.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that are to fail
	https.StartTLS()
	t.Cleanup(https.Close)
	iss.SetURL(https.URL)
	former, _ := newCertificate(t, "former")
	ca := writeFile(t, "ca.pem", string(former))
	file := writeFile(t, "config.json", fmt.Sprintf(`{"watch": "5ms", "issuers": [{"url": %q, "audiences": ["my-db"],
		"keys": {"ca_file": %q}, "introspection": {"client_id": "db"}}]}`, https.URL, ca))
	s := serve(t, "--config", file)
	token := iss.OpaqueToken(nil)
	s.used(token)
	if got := s.get(t, "/v1/whoami", token); got.status != 503 {
		t.Errorf("with the former authority's certificate: status %d, want 503", got.status)
	}
	replaceFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: https.Certificate().Raw})))
	s.awaitLines(t, reloaded, 1)
	if got := s.get(t, "/v1/whoami", token); got.status != 200 {
		t.Errorf("with the next one's: status %d, want 200", got.status)
	}
}

// Of the introspections that a configuration has had over many reloads those are kept
// that it has now.
func TestServe_ReloadOpaqueForgets(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	config := func(client, more string) string {
		return fmt.Sprintf(`{"issuers": [%s]%s}`, described(iss, `, "introspection": {"client_id": "`+client+`"}`), more)
	}
	file := writeFile(t, "config.json", config("db", ""))
	f := &serveFlags{settings: settings{config: file}}
	cfg, now, err := f.library()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := newServer(cfg, &now, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.auth.Close()
	r := &reloader{flags: f, server: s, file: now}
	f.asking.keep()
	for n := range 10 {
		replaceFile(t, file, config(fmt.Sprint("client ", n), ""))
		if err := r.takeOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		replaceFile(t, file, config("refused", `, "addr": "127.0.0.1:1"`))
		if err := r.takeOver(t.Context()); err == nil {
			t.Fatal("takeOver() error = nil for another address")
		}
	}
	if kept := len(f.asking.inForce); kept != 1 {
		t.Errorf("%d introspections are kept, want the one in force", kept)
	}
	var asks []introspection
	for range 2 {
		replaceFile(t, file, config("client 9", ""))
		again, _, err := f.library()
		if err != nil {
			t.Fatal(err)
		}
		asks = append(asks, again.Issuers[0].Introspect)
	}
	for _, in := range f.asking.inForce {
		if !byvalue.SameFunc(asks[0], in) || !byvalue.SameFunc(asks[1], in) {
			t.Error("the one in force is another after a configuration that was refused")
		}
	}
}
