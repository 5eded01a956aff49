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
)

// TestServe_FinishesRequests: a request that is under way when the server is told to stop is
// answered as ever, and the server ends behind it.
func TestServe_FinishesRequests(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{address: "http://" + listener.Addr().String()}
	if w.provider, err = startProvider(t.Context(), w.address, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	w.server, err = newServer(ctx, config{
		address: w.address, issuer: w.provider.Issuer(), clientID: "chat", insecure: true, warn: warnBefore,
		path: filepath.Join(t.TempDir(), "chat.db"), client: http.DefaultClient, logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, w.server) }()

	l, header := w.signedIn(t, "bob")
	l.refresh, l.expires = "spent once", time.Now() // it is time to renew
	asked, may := make(chan struct{}), make(chan struct{})
	next := w.token(t, "bob")
	provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-may
		writeJSON(rw, http.StatusOK, map[string]string{"access_token": "x", "token_type": "Bearer", "id_token": next})
	}))
	defer provider.Close()
	w.signIn.oauth.Endpoint.TokenURL = provider.URL
	answered := make(chan int, 1)
	go func() { answered <- w.post(t, "/renew", header).StatusCode }()
	<-asked
	stop()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break // the server accepts nobody any more
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the server does not stop")
		}
	}
	early := false
	select {
	case <-served:
		early = true
	case <-time.After(100 * time.Millisecond): // it would have ended long ago
	}
	close(may)
	if got := <-answered; got != http.StatusOK || early {
		t.Fatalf("the request under way: got %d, the server ended before: %t, want 200 and that it did not", got, early)
	}
	if err := <-served; err != nil {
		t.Errorf("serve() error = %v", err)
	}
}
