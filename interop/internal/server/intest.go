package server

import "testing"

// NewPort is [Port] for a test that starts a server, which it skips with -short.
func NewPort(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a server takes longer than -short allows")
	}
	port, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	return port
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
