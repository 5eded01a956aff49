package main

import (
	"bytes"
	encoding "encoding/binary"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The socket has its mode before it has its name: nobody has a moment in which to open
// what is about to be closed to them.
func TestAdmin_SocketNeverOpen(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	notify, err := syscall.InotifyInit1(syscall.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(notify)
	if _, err := syscall.InotifyAddWatch(notify, dir, syscall.IN_CREATE|syscall.IN_MOVED_TO|syscall.IN_ATTRIB); err != nil {
		t.Fatal(err)
	}
	ln, err := listenAtSocket(t.Context(), filepath.Join(dir, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	appeared, changed := 0, 0
	for name, mask := range events(t, notify) {
		if name != "admin" {
			continue
		}
		if mask&(syscall.IN_CREATE|syscall.IN_MOVED_TO) != 0 {
			appeared++
		}
		if mask&syscall.IN_ATTRIB != 0 {
			changed++
		}
	}
	if appeared != 1 || changed != 0 {
		t.Errorf("the socket appeared %d times, and its mode changed %d times after that, want 1 and 0", appeared, changed)
	}
	if info, err := os.Stat(filepath.Join(dir, "admin")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is %v, %v, want mode 0600", info, err)
	}
}

// events yields what happened in a directory so far, by the name of the file.
func events(t *testing.T, notify int) func(yield func(string, uint32) bool) {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := syscall.Read(notify, buf)
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, uint32) bool) {
		for rest := buf[:n]; len(rest) >= syscall.SizeofInotifyEvent; {
			mask, length := encoding.NativeEndian.Uint32(rest[4:]), encoding.NativeEndian.Uint32(rest[12:])
			end := syscall.SizeofInotifyEvent + int(length)
			if !yield(string(bytes.TrimRight(rest[syscall.SizeofInotifyEvent:end], "\x00")), mask) {
				return
			}
			rest = rest[end:]
		}
	}
}
