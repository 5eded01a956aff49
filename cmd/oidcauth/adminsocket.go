package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// maxSocketName is how long the name of a socket can be, in bytes.
const maxSocketName = len(syscall.RawSockaddrUnix{}.Path) - 1

// The names of the socket's own directory, of the socket that is bound there and of one
// that was left behind, and how many digits [os.MkdirTemp] puts behind the first, at most.
const (
	socketDir    = ".s"
	socketName   = "s"
	staleName    = "o"
	socketDigits = len("4294967295")
)

// longestSocketName returns how long a name the socket at path has at any time. That does
// not depend on the digits of a start, or one would go well and the next would not.
func longestSocketName(path string) int {
	if runtime.GOOS == "windows" {
		return len(path)
	}
	bound := filepath.Join(filepath.Dir(path), socketDir+strings.Repeat("0", socketDigits), socketName)
	return max(len(path), len(bound))
}

func errLongSocketName(path string) error {
	return fmt.Errorf("got a name of %d bytes beside which the socket is made, want %d at most: choose a directory with a shorter one", longestSocketName(path), maxSocketName)
}

// A socketListener listens at a socket that only the process's user can open, and
// removes it when it is closed. Its methods are safe for concurrent use.
type socketListener struct {
	*net.UnixListener
	path   string
	own    fs.FileInfo // of the socket, which by then may be another's
	remove sync.Once
}

// listenAtSocket opens a socket that nobody else can open at any moment. It is bound in
// a directory that is closed to others, since between the bind and a change of its mode
// it has whatever mode the umask leaves, and gets its name when its mode is right.
func listenAtSocket(ctx context.Context, path string) (net.Listener, error) {
	if longestSocketName(path) > maxSocketName { // which the file's check has seen
		return nil, usageError{errLongSocketName(path)}
	}
	if runtime.GOOS == "windows" { // where a mode means nothing, and the directory's list decides
		if err := removeStale(ctx, path, os.Remove); err != nil {
			return nil, err
		}
		return new(net.ListenConfig).Listen(ctx, "unix", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), socketDir)
	if err != nil {
		return nil, fmt.Errorf("a socket in %s: %w: want a directory that is there, and in which the server's user may make files", filepath.Dir(path), err)
	}
	defer os.RemoveAll(dir)
	bound := filepath.Join(dir, socketName)
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", bound)
	if err != nil {
		return nil, err
	}
	l := &socketListener{UnixListener: ln.(*net.UnixListener), path: path}
	l.SetUnlinkOnClose(false) // it would look for the name that it was bound to
	if err = os.Chmod(bound, 0o600); err == nil {
		l.own, err = os.Stat(bound)
	}
	if err == nil {
		err = removeStale(ctx, path, func(path string) error { return takeAway(path, dir) })
	}
	if err == nil {
		err = giveName(bound, path)
	}
	if err != nil {
		l.UnixListener.Close()
		return nil, err
	}
	return l, nil
}

// Addr returns the address at which the socket is found.
func (l *socketListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends the listener and removes its socket, unless another has its place by now.
func (l *socketListener) Close() error {
	l.remove.Do(func() {
		if info, err := os.Lstat(l.path); err == nil && os.SameFile(info, l.own) {
			os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}

// findSocket reports whether there is a socket at path. Anything else there is an error.
func findSocket(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.Mode().Type() != fs.ModeSocket:
		return false, usagef("%s is there and is no socket", path)
	}
	return true, nil
}

// removeStale has a socket removed that a process has left behind, and nothing else.
func removeStale(ctx context.Context, path string, remove func(string) error) error {
	if found, err := findSocket(path); err != nil || !found {
		return err
	}
	switch err := dialSocket(ctx, path); {
	case err == nil:
		return errTaken(path)
	case errors.Is(err, fs.ErrNotExist): // it was being closed
		return nil
	case !isRefused(err): // another user's, or one of datagrams, or one that is busy
		return fmt.Errorf("whether a process listens at %s is not known: %w: remove it if none does", path, err)
	}
	return remove(path)
}

// takeAway moves a socket that was left behind into dir, which is to be removed. What it
// moved it tries once more: another process may have found the same one, and may listen at
// one of its own by now, which gets its name back.
func takeAway(path, dir string) error {
	moved := filepath.Join(dir, staleName)
	err := os.Rename(path, moved)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the other has taken it away
	}
	if err != nil || isRefused(dialSocket(context.Background(), moved)) {
		return err
	}
	if err := giveName(moved, path); err != nil {
		return err
	}
	return errTaken(path)
}

// giveName gives a socket its name, unless another has it: unlike a renaming, a link
// replaces nothing.
func giveName(socket, path string) error {
	err := os.Link(socket, path)
	if errors.Is(err, fs.ErrExist) {
		return errTaken(path)
	}
	return err
}

func errTaken(path string) error {
	return fmt.Errorf("another process listens at %s", path)
}

// dialSocket connects to a socket, and says what came of it.
func dialSocket(ctx context.Context, path string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}

// isRefused reports whether a connection failed because nobody listens.
func isRefused(err error) bool {
	const onWindows = syscall.Errno(10061) // WSAECONNREFUSED
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, onWindows)
}
