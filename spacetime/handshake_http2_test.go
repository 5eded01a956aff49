package spacetime_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oidcauth/oidcauth/localissuer"
	"github.com/oidcauth/oidcauth/spacetime"
)

// Over HTTP/2 there is no upgrade, and a client is told so by an answer that it can read:
// one with headers of the connection is malformed there, and many clients drop it.
func TestHandshake_HTTP2(t *testing.T) {
	t.Parallel()
	w := newServer(t, spacetime.Config{Anonymous: true}, localissuer.Config{Dir: filepath.Join(t.TempDir(), "keys")}, -1)
	server := httptest.NewUnstartedServer(w.server)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	resp, err := server.Client().Get(server.URL + "/v1/database/chat/subscribe")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "HTTP/1.1") {
		t.Errorf("got %s %d %q, %v, want 400 that names HTTP/1.1", resp.Proto, resp.StatusCode, text, err)
	}
	for _, name := range []string{"Connection", "Upgrade"} {
		if got := resp.Header.Values(name); got != nil {
			t.Errorf("%s: got %q, want none", name, got)
		}
	}
}
