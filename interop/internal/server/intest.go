package server

import (
	"testing"

	"github.com/oidcauth/oidcauth/internal/ports"
)

// NewPort returns a port that is the test's as long as it runs, for a server that it
// starts. With -short it skips the test.
func NewPort(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a server takes longer than -short allows")
	}
	return ports.ReserveFor(t).String()
}

// Run is [Start] for a program that ends with the test, which shows the end of its log if
// it fails.
func Run(t testing.TB, c Command) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.LastLines())
		}
	})
	return s
}
