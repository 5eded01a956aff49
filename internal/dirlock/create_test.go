package dirlock_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/oidcauth/oidcauth/internal/dirlock"
)

// Where files have no locks, one that is there is held, until who holds it removes it.
func TestCreateFile(t *testing.T) {
	t.Parallel()
	root := open(t, t.TempDir())
	for range 2 {
		f, err := dirlock.CreateFile(root, "the.lock", false)
		if err != nil {
			t.Fatalf("createFile() error = %v", err)
		}
		if info, err := f.Stat(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the file is %v, %v, want that nobody else may open it", info, err)
		}
		if other, err := dirlock.CreateFile(root, "the.lock", false); other != nil || !errors.Is(err, dirlock.ErrHeld) {
			t.Errorf("createFile() while it is held = %v, %v, want %v", other, err, dirlock.ErrHeld)
		}
		dirlock.RemoveFile(root, "the.lock", f)
		if _, err := f.Stat(); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after removeFile() the file is open: error = %v, want %v", err, fs.ErrClosed)
		}
	}
	if f, err := dirlock.CreateFile(root, "none/the.lock", false); f != nil || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, dirlock.ErrHeld) {
		t.Errorf("createFile() in a directory that is not there = %v, %v, want %v", f, err, fs.ErrNotExist)
	}
}

// On Windows a file that can be removed is one whose holder is gone; it is opened by its
// path, since nobody can remove it then.
func TestCreateFile_OnWindows(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	root := open(t, path)
	if err := os.WriteFile(filepath.Join(path, "the.lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := dirlock.CreateFile(root, "the.lock", true)
	if err != nil {
		t.Fatalf("createFile() with a file that was left error = %v", err)
	}
	dirlock.RemoveFile(root, "the.lock", f)
	root.Close()
	if f, err = dirlock.CreateFile(root, "the.lock", true); err != nil {
		t.Fatalf("createFile() by the path of a directory that was closed: error = %v", err)
	}
	f.Close()
}
