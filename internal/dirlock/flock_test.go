//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package dirlock_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/oidcauth/oidcauth/internal/authtest"
	"github.com/oidcauth/oidcauth/internal/dirlock"
)

// What the system answers is a lock, somebody else's lock, for which one can wait, or
// none that can be had, for which nobody waits.
func TestTry_SystemErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"no error", nil, nil},
		{"held", syscall.EWOULDBLOCK, dirlock.ErrHeld},
		{"held, by its other name", syscall.EAGAIN, dirlock.ErrHeld},
		{"a signal came between", syscall.EINTR, dirlock.ErrHeld},
		{"no locks left", syscall.ENOLCK, dirlock.ErrUnsupported},
		{"not in this file system", syscall.ENOTSUP, dirlock.ErrUnsupported},
		{"not in this system", syscall.ENOSYS, dirlock.ErrUnsupported},
		{"not of such a file", syscall.EINVAL, dirlock.ErrUnsupported},
		{"not of a file that is closed", syscall.EBADF, dirlock.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := open(t, t.TempDir())
			answers := func(*os.File) error { return dirlock.Meaning(tt.err) }
			l, err := dirlock.TryWith(answers, root, "")
			if !errors.Is(err, tt.want) || (l != nil) != (tt.want == nil) {
				t.Errorf("without a file: Try() = %v, %v, want error %v", l, err, tt.want)
			}
			if tt.want == dirlock.ErrUnsupported && (errors.Is(err, dirlock.ErrHeld) || !errors.Is(err, tt.err)) {
				t.Errorf("without a file: Try() error = %v, want %v and nothing to wait for", err, tt.err)
			}
			if l != nil {
				l.Unlock()
			}
			// The file stands in where the directory cannot be locked, and nowhere else.
			fileWant := tt.want
			if fileWant == dirlock.ErrUnsupported {
				fileWant = nil
			}
			l, err = dirlock.TryWith(answers, root, "the.lock")
			if !errors.Is(err, fileWant) || (l != nil) != (fileWant == nil) {
				t.Errorf("with a file: Try() = %v, %v, want error %v", l, err, fileWant)
			}
			if l == nil {
				return
			}
			if _, err := dirlock.TryWith(answers, root, "the.lock"); !errors.Is(err, dirlock.ErrHeld) {
				t.Errorf("with a file, again: Try() error = %v, want %v", err, dirlock.ErrHeld)
			}
			l.Unlock()
			if l, err = dirlock.TryWith(answers, root, "the.lock"); err != nil {
				t.Fatalf("with a file, after Unlock: Try() error = %v", err)
			}
			l.Unlock()
		})
	}
}

// Locks that were had and those that were not leave no file open.
func TestTry_LeavesNoFileOpen(t *testing.T) {
	root := open(t, t.TempDir())
	for _, name := range []string{"", "the.lock"} {
		authtest.LeavesNoFileOpen(t, func() {
			l, err := dirlock.Try(root, name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dirlock.Try(root, name); !errors.Is(err, dirlock.ErrHeld) {
				t.Errorf("Try() error = %v, want %v", err, dirlock.ErrHeld)
			}
			l.Unlock()
		})
	}
	file, err := dirlock.LockFile(root, "the.lock")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	authtest.LeavesNoFileOpen(t, func() {
		if _, err := dirlock.Try(root, "the.lock"); !errors.Is(err, dirlock.ErrHeld) {
			t.Errorf("with the file locked: Try() error = %v, want %v", err, dirlock.ErrHeld)
		}
	})
	if err := root.Mkdir("none", 0o700); err != nil {
		t.Fatal(err)
	}
	authtest.LeavesNoFileOpen(t, func() {
		if _, err := dirlock.Try(root, "none"); err == nil {
			t.Error("Try() error = nil with a directory for a lock file")
		}
	})
}
