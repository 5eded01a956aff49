//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// TestServe_ReloadPipe: a configuration from a pipe, which a shell makes of <(…), is there
// once: the server is not to have read it away by the time that it wants it, nor to take
// what is left for a change; and what it named, a secret that is changed, is taken over.
func TestServe_ReloadPipe(t *testing.T) {
	t.Parallel()
	iss := startIssuer(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	secret := writeFile(t, "secret", adminSecret)
	admin := fmt.Sprintf(`{"addr": "127.0.0.1:0", "secret_file": %q}`, secret)
	if _, err := io.WriteString(writer, `{"watch": "1ms", "admin": `+admin+`, "issuers": [`+described(iss, "")+`]}`); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	s := serve(t, "--config", fmt.Sprintf("/dev/fd/%d", reader.Fd()))
	if got := s.get(t, "/v1/whoami", iss.Token(map[string]any{"aud": "my-db"})); got.status != 200 {
		t.Errorf("status %d, want 200: %s", got.status, got.body)
	}
	for range 20 { // which takes several looks
		s.get(t, "/healthz", "")
	}
	if log := s.err.String(); strings.Contains(log, notReloaded) || strings.Contains(log, reloaded) {
		t.Errorf("the pipe counts as changed:\n%s", log)
	}
	replaceFile(t, secret, "another-"+adminSecret)
	s.awaitLines(t, "configuration was", 1)
	if log := s.err.String(); strings.Contains(log, notReloaded) {
		t.Errorf("a file that the pipe named is not taken over when it changes:\n%s", log)
	}
}
