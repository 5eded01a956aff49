package introspect_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/oidcauth/oidcauth/introspect"
	"github.com/oidcauth/oidcauth/oidctest"
)

// TestDiscovery_KeepsNoConnection: a document that is read once an hour leaves no connection
// open behind it: nobody ends a function that is made anew for each change of a
// configuration.
func TestDiscovery_KeepsNoConnection(t *testing.T) {
	t.Parallel()
	iss := oidctest.NewIssuer(t, oidctest.Config{})
	var mu sync.Mutex
	discovers := make(map[net.Conn]bool)
	closed := make(chan struct{}, 10)
	server := httptest.NewUnstartedServer(nil)
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if state == http.StateClosed && discovers[conn] {
			closed <- struct{}{}
		}
		if state == http.StateNew {
			discovers[conn] = len(discovers) == 0 // the first one
		}
	}
	server.Config.Handler = iss.Handler()
	server.Start()
	defer server.Close()
	iss.SetURL(server.URL)
	ask, err := newAsk(introspect.Config{Issuer: iss.URL(), InsecureHTTP: true, Client: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t.Context(), iss.OpaqueToken(nil)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is open yet")
	}
}
