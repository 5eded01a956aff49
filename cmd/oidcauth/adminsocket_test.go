package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shortDir makes a directory whose sockets' names are not too long, which those of
// t.TempDir are.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A socket is found where it is said to be, and leaves nothing behind; one that
// another process put in its place stays.
func TestAdmin_SocketLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "admin")
	for _, replaced := range []bool{false, true} {
		ln, err := listenAtSocket(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if ln.Addr().String() != path {
			t.Errorf("it says that it listens at %s, want %s", ln.Addr(), path)
		}
		want := "admin"
		if conn, err := net.Dial("unix", path); err != nil {
			t.Error(err)
		} else {
			conn.Close()
		}
		if names := namesIn(t, dir); names != want {
			t.Errorf("the directory holds %s, want %s", names, want)
		}
		if replaced {
			os.Remove(path)
			os.WriteFile(path, nil, 0o600)
		} else {
			want = ""
		}
		ln.Close()
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v, want %v", err, net.ErrClosed)
		}
		if names := namesIn(t, dir); names != want {
			t.Errorf("after it the directory holds %s, want %q", names, want)
		}
	}
}

// What cannot be had is an error that leaves nothing behind.
func TestAdmin_SocketFails(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	if _, err := listenAtSocket(t.Context(), filepath.Join(dir, "none", "admin")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "a socket in "+filepath.Join(dir, "none")) {
		t.Errorf("in a directory that is not there: %v, want %v with the directory", err, fs.ErrNotExist)
	}
	var usage usageError
	if _, err := listenAtSocket(t.Context(), filepath.Join(dir, strings.Repeat("a", maxSocketName))); !errors.As(err, &usage) {
		t.Errorf("with a name at which no client can connect: %v, want a mistake in the configuration", err)
	}
	if names := namesIn(t, dir); names != "" {
		t.Errorf("the directory holds %s, want nothing", names)
	}
}

// Only a socket at which nobody listens is one that was left behind: not one of another
// kind, to which no stream connects, nor one whose process has no time for one more.
func TestAdmin_SocketOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(shortDir(t), "admin")
	other, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if ln, err := listenAtSocket(t.Context(), path); err == nil {
		ln.Close()
		t.Error("at a socket of datagrams: no error")
	}
	if conn, err := net.Dial("unixgram", path); err != nil {
		t.Errorf("the other's socket: %v", err)
	} else {
		conn.Close()
	}

	busy := filepath.Join(shortDir(t), "admin")
	ln, err := net.Listen("unix", busy)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ln, err := listenAtSocket(ended, busy); err == nil {
		ln.Close()
		t.Error("where nobody could ask: no error")
	}
	if conn, err := net.Dial("unix", busy); err != nil {
		t.Errorf("the other's socket: %v", err)
	} else {
		conn.Close()
	}
}

// Of two processes that find the same socket left behind, one listens in its place, and the
// other does not take that for it.
func TestAdmin_SocketLeftToTwo(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "admin")
	for range 100 {
		leaveSocket(t, path)
		got := make(chan net.Listener, 2)
		begin := make(chan struct{})
		for range 2 {
			go func() {
				<-begin
				ln, _ := listenAtSocket(t.Context(), path)
				got <- ln
			}()
		}
		close(begin)
		var open []net.Listener
		for range 2 {
			if ln := <-got; ln != nil {
				open = append(open, ln)
			}
		}
		if conn, err := net.Dial("unix", path); err != nil || len(open) != 1 {
			t.Errorf("%d of 2 listen, and at the socket: %v, want one, and that it is found", len(open), err)
		} else {
			conn.Close()
		}
		for _, ln := range open {
			ln.Close()
		}
		if names := namesIn(t, dir); t.Failed() || names != "" {
			t.Fatalf("the directory holds %q, want nothing", names)
		}
	}
}

// Where another process has put its own in the place of one that was left behind, since
// that was looked at, it keeps it.
func TestAdmin_SocketTakenMeanwhile(t *testing.T) {
	t.Parallel()
	dir, aside := shortDir(t), shortDir(t)
	path := filepath.Join(dir, "admin")
	leaveSocket(t, path)
	for _, left := range []string{"one that was left behind", "none any more"} {
		if err := takeAway(path, aside); err != nil || namesIn(t, dir) != "" {
			t.Errorf("%s: %v, and the directory holds %q, want nothing", left, err, namesIn(t, dir))
		}
	}
	other, err := listenAtSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := takeAway(path, aside); err == nil || !strings.Contains(err.Error(), "another process listens") {
		t.Errorf("another's: %v, want that it listens", err)
	}
	if err := dialSocket(t.Context(), path); err != nil {
		t.Errorf("the other's socket: %v", err)
	}
}

// leaveSocket leaves a socket behind, as a process does that is killed.
func leaveSocket(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
}

// namesIn returns the names of the files in a directory.
func namesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return strings.Join(names, " ")
}
