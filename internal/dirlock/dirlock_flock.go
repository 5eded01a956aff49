//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dirlock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// flock locks an open file or directory until it is closed.
func flock(f *os.File) error {
	return meaning(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

// meaning says what an error of the system's is to those who lock. A signal that came
// between is worth another try. Where the system has no more locks, or none at all,
// nobody can wait for one.
func meaning(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return ErrHeld
	}
	return fmt.Errorf("%w: %w", ErrUnsupported, err)
}

// lockFile locks the file of a name, which it creates if need be. What stands there and
// is no file, a link above all, could never be held, and is an error at once.
func lockFile(root *os.Root, name string) (*os.File, error) {
	if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func unlockFile(_ *os.Root, _ string, f *os.File) { f.Close() }
