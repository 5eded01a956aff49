package main

import (
	"net"
	"os"
	"strings"
	"testing"
)

// TestTokenLogin_LocalhostBothWays: a browser may go to localhost by IPv4 or by IPv6. It finds
// the command at either, and the command says so where another program is in its place.
func TestTokenLogin_LocalhostBothWays(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	p := newFakeProvider(t)
	got := invoke(t, "", p.flags(grantLogin, "--listen", "localhost:"+port)...)
	if got.code != exitUsage || !strings.Contains(got.err, "another program listens at [::1]:"+port) {
		t.Errorf("with a port that is taken by IPv6: %+v, want exit code 2 and a line that says so", got)
	}
	listeners, err := listenLoopback("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(listeners)
	_, port, _ = net.SplitHostPort(listeners[0].Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("by %s: %v", host, err)
			continue
		}
		conn.Close()
	}
}
