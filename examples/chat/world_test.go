package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/examples/internal/provider"
	"github.com/oidcauth/oidcauth/internal/authtest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// smallWindow is what is on its way to a client that does not read, in bytes, or twice
// and thrice that: little, so that a test has it waiting for more.
const smallWindow = 64 << 10

// A world is a chat and its provider.
type world struct {
	*server
	address  string
	provider *provider.Provider
	log      *logBuffer
}

// logBuffer is a log that several goroutines write to.
type logBuffer = authtest.Log

// newWorld starts both. Tokens live as long as said, and are renewed when warn is left.
func newWorld(t *testing.T, life, warn time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	web := httptest.NewUnstartedServer(nil)
	w := &world{address: "http://" + web.Listener.Addr().String(), log: &logBuffer{}}
	var err error
	if w.provider, err = startProvider(ctx, w.address, life); err != nil {
		t.Fatal(err)
	}
	w.server, err = newServer(ctx, config{
		address: w.address, issuer: w.provider.Issuer(), clientID: "chat", insecure: true, warn: warn,
		path: filepath.Join(t.TempDir(), "chat.db"), client: http.DefaultClient, signOut: w.provider.SignOutURL,
		logger: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	web.Config.Handler = w.handler()
	web.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(smallWindow)
		return ctx
	}
	web.Start()
	t.Cleanup(func() {
		cancel()
		web.Close()
		if err := w.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}
