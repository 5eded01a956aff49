package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestServe_TellsSystemd: the service manager learns when the server listens, how
// reloads went, and when it stops.
func TestServe_TellsSystemd(t *testing.T) {
	dir, err := os.MkdirTemp("", "sd") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	next := func(want string) {
		t.Helper()
		socket.SetReadDeadline(time.Now().Add(patience))
		message := make([]byte, 1<<10)
		n, err := socket.Read(message)
		if got := string(message[:n]); err != nil || got != want {
			t.Fatalf("systemd was told %q, %v, want %q", got, err, want)
		}
	}
	iss := startIssuer(t)
	good := `{"watch": "5ms", "issuers": [` + described(iss, "") + `]}`
	file := writeFile(t, "config.json", good)
	s := serve(t, "--config", file)
	next("READY=1\nSTATUS=serving")
	replaceFile(t, file, `{`)
	next("STATUS=serving by the former configuration: the file's was refused, and the log says why")
	replaceFile(t, file, good+" ")
	next("STATUS=serving")
	s.stop()
	next("STOPPING=1")
	s.ended(t)
}
