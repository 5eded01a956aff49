// Package opaque is what tests with issuers of opaque tokens share: how such an issuer
// is started, and a server with sockets that its tokens open.
package opaque

import (
	"testing"

	"github.com/oidcauth/oidcauth/interop/internal/server"
)

// Start starts a program that ends with the test, and waits until it answers 200 at an
// address.
func Start(t *testing.T, name, ready string, args ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starting a server takes longer than -short allows")
	}
	s, err := server.Start(t.Context(), server.Command{Name: name, Dir: t.TempDir(), Args: args, Ready: ready})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}
